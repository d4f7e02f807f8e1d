"""Certificates in a real Active Directory: who may publish, who is believed, and what is late or lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from mailtrust.core.checks import diagnose
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.core.model.trust import Snapshot, Stranger, Trusted
from mailtrust.core.policy import Policy
from mailtrust.directory import ad_computers as computers
from mailtrust.directory.ad import AdReplica
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, PublishRefused
from mailtrust.ldap import names
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Change, How
from tests.make import AUTHORITY, ENDPOINT, NOON, a_certificate
from tests.samba.controller import BASE, Controller
from tests.samba.fixtures import needs_forest
from tests.samba.forest import (
    ADMINISTRATOR,
    HUB1,
    HUB2,
    HUB9,
    MAIL_SERVERS,
    MEMBERS,
    READER,
    Forest,
)

pytestmark = needs_forest

PATIENCE = timedelta(seconds=20)
POLL = timedelta(milliseconds=100)
ONE, TWO, FOUR, NINE = (ServerName(f"hub{number}.corp.example") for number in (1, 2, 4, 9))


@asynccontextmanager
async def closing(replica: AdReplica) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await replica.close()


@asynccontextmanager
async def replica_at(
    forest: Forest, at: Controller, account: str = READER, members: str = MEMBERS
) -> AsyncIterator[AdReplica]:
    settings = LdapSettings(Name(), forest.password(account), forest.ca_file, names.parse(members))
    replica = AdReplica(at.url, settings, timeout=PATIENCE)
    async with closing(replica):
        yield replica


async def published(forest: Forest, server: ServerName, leaf: Certificate, at: Controller) -> None:
    """By its own account, as the server itself does it."""
    account = f"{server.partition('.')[0].upper()}$"
    async with replica_at(forest, at, account) as own:
        await own.publish(server, leaf.der, NOON, [ENDPOINT])


async def put(forest: Forest, account: str, below: str, claims: ServerName, leaf: Certificate) -> None:
    """What somebody writes without us."""
    name = computers.point_name(names.parse(below), leaf.der)
    async with await Wire.open(
        forest.dc1.url, credentials=forest.password(account), ca_file=forest.ca_file, timeout=PATIENCE
    ) as wire:
        await wire.add(str(name), computers.new_point(claims, leaf.der, ()), timeout=PATIENCE)


async def look(forest: Forest, at: Controller, server: ServerName) -> ReplicaSighting:
    async with replica_at(forest, at) as reader:
        [found] = await reader.look([server], NOON)
    return found


def leaf_of(server: ServerName, key: str) -> Certificate:
    return a_certificate(server, key=key)


async def test_a_server_publishes_under_its_own_account_and_everybody_reads_it(forest: Forest) -> None:
    leaf = leaf_of(ONE, "own")

    await published(forest, ONE, leaf, forest.dc1)

    found = await look(forest, forest.dc1, ONE)
    assert (found.pins, found.listeners, found.impostors) == ({leaf.pin}, (ENDPOINT,), ())


async def test_a_server_cannot_publish_under_a_neighbours_account(forest: Forest) -> None:
    leaf = leaf_of(TWO, "forged")

    async with replica_at(forest, forest.dc1, "HUB1$") as first:
        with pytest.raises(PublishRefused) as refused:
            await first.publish(TWO, leaf.der, NOON)

    assert "may write" in refused.value.hint
    assert leaf.pin not in (await look(forest, forest.dc1, TWO)).pins


async def test_a_neighbours_name_an_unlisted_computer_and_an_authority_are_reported_and_never_believed(
    forest: Forest,
) -> None:
    """Each of them can write into the directory; none of it makes anybody believe them."""
    neighbour, unlisted = leaf_of(TWO, "neighbour"), leaf_of(NINE, "unlisted")
    authority = a_certificate(TWO, key="authority", extensions=AUTHORITY)
    issued = a_certificate(ONE, key="issued", issuer=TWO)
    honest = leaf_of(TWO, "honest")
    await published(forest, TWO, honest, forest.dc1)
    await put(forest, "HUB1$", HUB1, TWO, neighbour)
    await put(forest, "HUB9$", HUB9, NINE, unlisted)
    await put(forest, "HUB2$", HUB2, TWO, authority)

    async with replica_at(forest, forest.dc1) as reader:
        looks = await reader.look(None, NOON)
        column = await reader.column(NOON)

    snapshot = Snapshot().renewed(column, forest.dc1.url, NOON)
    for false in (neighbour, unlisted, authority, issued):
        assert snapshot.judge(false) == Stranger(false)
    assert snapshot.judge(honest) == Trusted(TWO)
    found = diagnose(View().see(looks), {}, Policy(), NOON).findings
    reported = {(one.event.code, one.server, one.values["fingerprint"]) for one in found}
    assert {
        (12106, TWO, neighbour.fingerprint[:12]),
        (12106, NINE, unlisted.fingerprint[:12]),
        (12119, TWO, authority.fingerprint[:12]),
    } <= reported


async def test_a_computer_that_nobody_listed_is_told_so_when_it_publishes(forest: Forest) -> None:
    async with replica_at(forest, forest.dc1, "HUB9$") as own:
        with pytest.raises(PublishRefused, match="does not belong to") as refused:
            await own.publish(NINE, leaf_of(NINE, "nine").der, NOON)
        with pytest.raises(PublishRefused, match="no computer account has the name hub77"):
            await own.publish(ServerName("hub77.corp.example"), b"x", NOON)

    assert "directory.members" in refused.value.hint


@pytest.mark.parametrize("members", [MEMBERS, MAIL_SERVERS])
async def test_members_are_those_of_a_group_and_its_groups_or_of_a_unit(forest: Forest, members: str) -> None:
    leaf = leaf_of(FOUR, f"four in {members}")
    await published(forest, FOUR, leaf, forest.dc1)

    async with replica_at(forest, forest.dc1, members=members) as reader:
        [found] = await reader.look([FOUR], NOON)

    assert leaf.pin in found.pins


async def test_a_group_that_is_not_there_or_not_to_be_seen_is_no_empty_directory(forest: Forest) -> None:
    """The directory answers the same to both, so both are said."""
    async with replica_at(forest, forest.dc1, members=f"CN=nobody,{BASE}") as reader:
        [found] = await reader.look([ONE], NOON)

    assert found.found is None
    assert "it is not there, or this account may not see it" in found.why


async def test_late_is_proved_by_what_the_controller_has_seen(forest: Forest) -> None:
    leaf = leaf_of(ONE, "late")
    forest.dc2.pause()
    await published(forest, ONE, leaf, forest.dc1)

    [held] = [one for one in (await look(forest, forest.dc1, ONE)).found or () if one.certificate == leaf]
    lacking = await look(forest, forest.dc2, ONE)
    late = lacking.fate_of(held.stamp)
    forest.dc2.resume()
    forest.replicate(forest.dc2, forest.dc1)
    arrived = await look(forest, forest.dc2, ONE)

    assert leaf.pin not in lacking.pins
    assert late is Fate.LATE
    assert leaf.pin in arrived.pins
    [copy] = [one for one in arrived.found or () if one.certificate == leaf]
    assert copy.stamp == held.stamp


async def test_lost_is_proved_as_well(forest: Forest) -> None:
    """It arrived, and somebody took it out there: waiting would bring nothing."""
    leaf = leaf_of(ONE, "lost")
    await published(forest, ONE, leaf, forest.dc1)
    forest.replicate(forest.dc2, forest.dc1)
    forest.dc1.pause()
    async with replica_at(forest, forest.dc2, ADMINISTRATOR) as administrator:
        await administrator.withdraw(ONE, leaf.fingerprint, NOON)

    held = await look(forest, forest.dc1, ONE)
    lacking = await look(forest, forest.dc2, ONE)
    forest.dc1.resume()
    forest.replicate(forest.dc1, forest.dc2)

    [published_there] = [one for one in held.found or () if one.certificate == leaf]
    assert lacking.fate_of(published_there.stamp) is Fate.LOST


async def test_two_certificates_published_at_two_controllers_at_once_both_survive(forest: Forest) -> None:
    """One entry for each, because an attribute replicates as a whole."""
    leaves = leaf_of(TWO, "here"), leaf_of(TWO, "there")
    for one in forest.controllers:
        one.pause()
    for leaf, at in zip(leaves, forest.controllers, strict=True):
        await published(forest, TWO, leaf, at)
    for one in forest.controllers:
        one.resume()
    forest.replicate(forest.dc2, forest.dc1)
    forest.replicate(forest.dc1, forest.dc2)

    for at in forest.controllers:
        assert {leaf.pin for leaf in leaves} <= (await look(forest, at, TWO)).pins


async def test_the_forest_tells_its_controllers_sites_and_links(forest: Forest) -> None:
    async with replica_at(forest, forest.dc1) as reader:
        root, found = await reader.forest()

    assert [one.host for one in found.controllers] == ["dc1.corp.example", "dc2.corp.example"]
    assert {one.site for one in found.controllers} == {"Default-First-Site-Name"}
    first, second = found.controllers
    assert (first.partners, second.partners) == (("dc2.corp.example",), ("dc1.corp.example",))
    assert all(BASE in one.contexts for one in found.controllers)
    assert root.host == "dc1.corp.example"
    links = {link.name: link for link in found.links}
    assert any("Branch" in link.sites for link in links.values())


async def test_a_watch_tells_what_came_changed_and_went_at_another_controller(forest: Forest) -> None:
    leaf = leaf_of(ONE, "watched")
    settings = LdapSettings(Name(), forest.password(READER), forest.ca_file, names.parse(MEMBERS))
    reader = AdReplica(forest.dc2.url, settings, timeout=PATIENCE, unhinted=timedelta(seconds=1))
    async with closing(reader):
        await reader.look(None, NOON)
        watch = reader.watch(POLL)
        await published(forest, ONE, leaf, forest.dc1)
        came = await asyncio.wait_for(anext(watch), 30)
        async with replica_at(forest, forest.dc1, "HUB1$") as own:
            await own.withdraw(ONE, leaf.fingerprint, NOON)
        went = await asyncio.wait_for(anext(watch), 60)
        await watch.aclose()

    assert (came, went) == ({ONE}, {ONE})


async def test_nothing_of_a_disabled_account_counts(forest: Forest) -> None:
    leaf = leaf_of(FOUR, "disabled")
    await published(forest, FOUR, leaf, forest.dc1)
    disable = Change(How.REPLACE, "userAccountControl", (b"4098",))
    async with await Wire.open(
        forest.dc1.url, credentials=forest.password(ADMINISTRATOR), ca_file=forest.ca_file, timeout=PATIENCE
    ) as wire:
        await wire.modify(f"CN=HUB4,OU=Branch,{MAIL_SERVERS}", disable, timeout=PATIENCE)

    found = await look(forest, forest.dc1, FOUR)

    assert found.found == ()
    assert "impostor.disabled" in {one.why for one in found.impostors}


async def test_a_wrong_password_is_said_once_and_never_repeated(forest: Forest) -> None:
    settings = LdapSettings(Name(), forest.password("nobody"), forest.ca_file, names.parse(MEMBERS))
    replica = AdReplica(forest.dc1.url, settings, timeout=PATIENCE)

    async with closing(replica):
        with pytest.raises(DirectoryUnavailable, match="name or password") as refused:
            await replica.forest()

    assert "Open-Sesame" not in f"{refused.value}{refused.value.hint}"
