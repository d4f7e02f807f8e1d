"""Signing in to a domain controller by Kerberos, as a computer by its key and as a person by a ticket."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.agent.site import open_site
from mailtrust.config import parse
from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap.requests import Change, How, Scope, Search
from tests.make import NOON, a_certificate
from tests.samba.controller import CONFIGURATION, REALM
from tests.samba.fixtures import needs_forest
from tests.samba.forest import ADMINISTRATOR, HUB1, HUB2, MEMBERS, PATIENCE, Forest

pytestmark = needs_forest

HUB = ServerName("hub1.corp.example")
NEIGHBOUR = ServerName("hub2.corp.example")
COMPUTER = f"HUB1$@{REALM}"


@pytest.fixture(scope="module")
def keytab(forest: Forest) -> Path:
    return forest.keytab("HUB1$")


async def opened(
    url: str, credentials: Kerberos, ca_file: Path | None = None, timeout: timedelta = PATIENCE
) -> Wire:
    return await Wire.open(url, credentials=credentials, ca_file=ca_file, timeout=timeout)


async def test_a_computer_signs_in_by_its_key_to_every_controller(forest: Forest, keytab: Path) -> None:
    """Without TLS: a controller takes nothing on that port that is neither signed nor encrypted."""
    for one in forest.controllers:
        async with await opened(one.ldap, Kerberos(COMPUTER, keytab)) as wire:
            [entry] = await wire.search(Search(HUB1, Scope.BASE), timeout=PATIENCE)
            assert entry.values("dNSHostName") == (HUB.encode(),)


async def test_a_computer_may_write_below_itself_and_nowhere_else(forest: Forest, keytab: Path) -> None:
    async with await opened(forest.dc1.ldap, Kerberos(COMPUTER, keytab)) as wire:
        point = (("objectClass", (b"serviceConnectionPoint",)), ("serviceClassName", (b"trial",)))
        await wire.add(f"CN=trial,{HUB1}", point, timeout=PATIENCE)
        await wire.delete(f"CN=trial,{HUB1}", timeout=PATIENCE)
        with pytest.raises(PublishRefused, match="no right"):
            await wire.add(f"CN=trial,{HUB2}", point, timeout=PATIENCE)


async def test_an_administrator_signs_in_by_the_ticket_of_kinit(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{forest.ticket(ADMINISTRATOR)}")

    async with await opened(forest.dc2.ldap, Kerberos()) as wire:
        change = Change(How.REPLACE, "description", (b"written by a person",))
        await wire.modify(HUB2, change, timeout=PATIENCE)
        [entry] = await wire.search(Search(HUB2, Scope.BASE), timeout=PATIENCE)

    assert entry.values("description") == (b"written by a person",)


async def test_long_answers_come_whole(forest: Forest, keytab: Path) -> None:
    """Samba sends frames up to its own size, whatever we take."""
    async with await opened(forest.dc1.ldap, Kerberos(COMPUTER, keytab)) as wire:
        search = Search(f"CN=Schema,{CONFIGURATION}")
        found = [one async for one in wire.stream(search, timeout=PATIENCE)]

    assert len(found) > 1500


async def test_a_mail_server_publishes_as_its_configuration_says(forest: Forest, keytab: Path) -> None:
    text = f"""\
[server]
name = "{HUB}"
[directory]
home = "{forest.dc1.ldap}"
replicas = ["{forest.dc1.ldap}", "{forest.dc2.ldap}"]
layout = "computer"
members = "{MEMBERS}"
bind = "kerberos"
principal = "{COMPUTER}"
keytab = "{keytab}"
"""
    leaf = a_certificate(HUB)
    async with open_site(parse(text, forest.folder / "mailtrust.toml")) as site:
        await site.directory.publish(HUB, leaf.der, NOON)
        here, there = await site.directory.look([HUB], NOON)
        states = await site.directory.states()
        with pytest.raises(PublishRefused):
            await site.directory.publish(NEIGHBOUR, leaf.der, NOON)

    assert here.pins == {leaf.pin}
    assert there.found is not None
    assert [one.readable for one in states] == [True, True]


async def test_inside_tls_this_samba_takes_no_kerberos_and_says_so(forest: Forest, keytab: Path) -> None:
    """It wants Kerberos to sign, and forbids that inside TLS."""
    with pytest.raises(DirectoryUnavailable, match="did not take our Kerberos ticket") as refused:
        await opened(forest.dc1.url, Kerberos(COMPUTER, keytab), forest.ca_file)

    assert "Sign or Seal are required" in refused.value.message
    assert "is asked by ldap://" in refused.value.hint


async def test_a_name_of_another_controller_is_no_name_of_this_one(forest: Forest, keytab: Path) -> None:
    """Its ticket is for the one that was named, and the one that answers cannot read it."""

    async def to_the_second(host: str, port: int) -> list[str]:
        return [forest.dc2.address]

    with pytest.raises(DirectoryUnavailable, match="did not take our Kerberos ticket"):
        await Wire.open(
            forest.dc1.ldap, credentials=Kerberos(COMPUTER, keytab), timeout=PATIENCE, resolve=to_the_second
        )


async def test_a_frozen_controller_costs_the_deadline_and_the_other_one_goes_on(
    forest: Forest, keytab: Path
) -> None:
    """It is the first KDC as well; whoever has a ticket for the other one asks none."""
    soon = timedelta(seconds=2)
    for one in forest.controllers:
        await (await opened(one.ldap, Kerberos(COMPUTER, keytab))).close()
    forest.dc1.freeze()
    try:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(DirectoryUnavailable, match="did not answer within 2 seconds, signing in"):
            await opened(forest.dc1.ldap, Kerberos(COMPUTER, keytab), timeout=soon)
        took = asyncio.get_running_loop().time() - begun
        async with await opened(forest.dc2.ldap, Kerberos(COMPUTER, keytab), timeout=soon) as wire:
            found = await wire.search(Search(HUB1, Scope.BASE), timeout=PATIENCE)
    finally:
        forest.dc1.thaw()

    assert took < 4
    assert len(found) == 1
