"""Who and what stands in the forest, as our own client reads it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap import controls, filters
from mailtrust.ldap.requests import Change, How, Scope, Search
from mailtrust.ldap.responses import Control, Entry
from tests.make import an_x509, der
from tests.samba.controller import BASE, BRANCH, CONFIGURATION, REALM, Controller, found, run
from tests.samba.fixtures import needs_forest
from tests.samba.forest import (
    ADMINISTRATOR,
    EXCHANGE_SERVERS,
    HUB1,
    HUB2,
    HUB3,
    HUB4,
    MEMBERS,
    PATIENCE,
    SEND_CONNECTORS,
    Forest,
)

pytestmark = needs_forest

ROOT = Search("", Scope.BASE)


async def read(forest: Forest, name: str, at: Controller | None = None) -> Entry:
    async with await forest.wire(at=at) as wire:
        (entry,) = await wire.search(Search(name, Scope.BASE), timeout=PATIENCE)
        return entry


@pytest.mark.parametrize("name", ["HUB1$@corp.example", "CORP\\HUB1$", HUB1])
@pytest.mark.parametrize("scheme", ["url", "ldap"])
async def test_a_computer_signs_in_under_each_of_its_names(forest: Forest, name: str, scheme: str) -> None:
    credentials = Password(name, forest.password("HUB1$").file)
    url = getattr(forest.dc2, scheme)
    async with await Wire.open(
        url, credentials=credentials, ca_file=forest.ca_file, timeout=PATIENCE
    ) as wire:
        assert wire.channel_binding
        assert await wire.search(Search(HUB1, Scope.BASE), timeout=PATIENCE)


async def test_nobody_reads_the_root_only(forest: Forest) -> None:
    async with await Wire.open(forest.dc1.url, ca_file=forest.ca_file, timeout=PATIENCE) as wire:
        (root,) = await wire.search(ROOT, timeout=PATIENCE)
        assert root.values("dnsHostName") == (b"dc1.corp.example",)
        with pytest.raises(DirectoryUnavailable, match="sign in first"):
            await wire.search(Search(BASE, Scope.BASE), timeout=PATIENCE)


def test_a_ticket_is_for_the_computer_and_its_keys_get_another(forest: Forest) -> None:
    ticket = forest.ticket("HUB1$")
    of_hub1 = run(found("klist"), "-c", str(ticket))
    run(found("kinit"), "-k", "-t", str(forest.keytab("HUB2$")), "-c", str(ticket), f"HUB2$@{REALM}")
    of_hub2 = run(found("klist"), "-c", str(ticket))

    assert f"Default principal: HUB1$@{REALM}" in of_hub1
    assert f"Default principal: HUB2$@{REALM}" in of_hub2


async def test_a_member_may_be_one_by_a_group_in_the_group(forest: Forest) -> None:
    wanted = filters.parse(f"(memberOf:1.2.840.113556.1.4.1941:={MEMBERS})")
    async with await forest.wire() as wire:
        everybody = await wire.search(Search(BASE, wanted=wanted), timeout=PATIENCE)
    computers = {one.name for one in everybody if b"computer" in one.values("objectClass")}

    assert computers == {HUB1, HUB2, HUB3, HUB4}


async def test_a_stream_of_everything_has_each_entry_once(forest: Forest) -> None:
    """It is cut into pages, and pointers to other naming contexts come in between."""
    async with await forest.wire() as wire:
        names = [one.name async for one in wire.stream(Search(CONFIGURATION), timeout=PATIENCE, page=100)]

    assert len(set(names)) == len(names) > 1000


async def test_a_control_that_samba_does_not_know_is_a_refusal_and_not_nonsense(forest: Forest) -> None:
    """Its answer is of another kind than the question."""
    async with await forest.wire() as wire:
        with pytest.raises(DirectoryUnavailable, match=": 12 "):
            await wire.search(ROOT, [Control("1.2.3.4.5", critical=True)], timeout=PATIENCE)
        assert await wire.search(ROOT, timeout=PATIENCE)


async def test_a_branch_is_three_hours_away(forest: Forest) -> None:
    link = await read(
        forest, f"CN=Head office to branch,CN=IP,CN=Inter-Site Transports,CN=Sites,{CONFIGURATION}"
    )

    assert link.values("replInterval") == (b"180",)
    assert f"CN=Branch,CN=Sites,{CONFIGURATION}".encode() in link.values("siteList")


@pytest.mark.parametrize(("name", "read_only"), [("dc3", False), ("dc4", True)])
async def test_a_controller_may_be_pretended(forest: Forest, name: str, read_only: bool) -> None:
    forest.pretend(name, read_only=read_only)

    settings = await read(forest, f"CN=NTDS Settings,CN={name.upper()},CN=Servers,{BRANCH}", forest.dc2)
    assert (b"nTDSDSARO" in settings.values("objectClass")) is read_only
    with pytest.raises(DirectoryUnavailable, match="cannot be reached"):
        await Wire.open(f"ldaps://{name}.corp.example", ca_file=forest.ca_file, timeout=PATIENCE)


async def test_exchange_has_servers_and_connectors(forest: Forest) -> None:
    value = der(an_x509("mbx1.corp.example"))
    name = f"CN=MBX1,{EXCHANGE_SERVERS}"
    protocols = f"CN=Protocols,{name}"
    receiving = f"CN=SMTP Receive Connectors,{protocols}"
    entries: dict[str, dict[str, list[str | bytes]]] = {
        name: {
            "objectClass": ["msExchExchangeServer"],
            "networkAddress": ["ncacn_ip_tcp:mbx1.corp.example", "netbios:MBX1"],
            "serialNumber": ["Version 15.2 (Build 31544.1)"],
            "versionNumber": ["1942126736"],
            "msExchVersion": ["88218628259840"],
            "msExchCurrentServerRoles": ["16439"],
            "msExchServerSite": [f"CN=Default-First-Site-Name,CN=Sites,{CONFIGURATION}"],
            "msExchTransportFlags": ["0"],
            "msExchServerInternalTLSCert": [value],
            "msExchEdgeSyncCredential": [b"\x01\x00", b"\x02"],
        },
        protocols: {"objectClass": ["protocolCfgSharedServer"]},
        receiving: {"objectClass": ["container"]},
        f"CN=Default Frontend MBX1,{receiving}": {
            "objectClass": ["msExchSmtpReceiveConnector"],
            "msExchSmtpReceiveBindings": ["0.0.0.0:25", "[::]:25"],
            "msExchSmtpReceiveRemoteIPRanges": ["0.0.0.0-255.255.255.255"],
            "msExchSmtpReceiveEnabled": ["TRUE"],
            "msExchSmtpReceiveRole": ["16384"],
            "msExchSMTPReceiveInboundSecurityFlag": ["23"],
            "msExchSMTPReceiveConnectorFQDN": ["mbx1.corp.example"],
            "msExchSmtpTLSCertificate": ["<I>CN=Some CA<S>CN=mail.example"],
        },
        f"CN=To the Internet,{SEND_CONNECTORS}": {
            "objectClass": ["msExchRoutingSMTPConnector"],
            "routingList": ["SMTP:*;1"],
            "msExchSmtpSmartHost": ["relay.example"],
            "msExchSourceBridgeheadServersDN": [name],
            "msExchSMTPSendConnectorFQDN": ["mail.example"],
            "msExchSmtpSendEnabled": ["TRUE"],
        },
    }
    async with await forest.wire(ADMINISTRATOR) as wire:
        for one, attributes in entries.items():
            held = [(key, [_bytes(each) for each in values]) for key, values in attributes.items()]
            await wire.add(one, held, timeout=PATIENCE)
    forest.replicate(forest.dc2, forest.dc1, CONFIGURATION)

    for one, attributes in entries.items():
        entry = await read(forest, one, forest.dc2)
        for key, values in attributes.items():
            assert {_bytes(each) for each in values} <= set(entry.values(key)), key


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


async def test_a_controller_tells_of_a_change_to_who_waits_for_one(forest: Forest) -> None:
    async with (
        await forest.wire() as wire,
        aclosing(wire.watch(Search(HUB3, Scope.BASE), [controls.notify()], timeout=PATIENCE)) as told,
    ):
        waiting = asyncio.create_task(anext(told))
        # Behind the watch on the same connection: once this is answered, the watch stands.
        await asyncio.sleep(0)
        await wire.search(ROOT, timeout=PATIENCE)
        await describe(forest, HUB3, "changed")
        answer = (await waiting).answer

    assert isinstance(answer, Entry)
    assert answer.name == HUB3


async def test_dirsync_goes_on_where_it_was_at_the_other_controller_too(forest: Forest) -> None:
    async with await forest.wire() as wire:
        _, cookie = await changed_since(wire, b"")
    await describe(forest, HUB2, "changed")
    forest.replicate(forest.dc2, forest.dc1)
    async with await forest.wire(at=forest.dc2) as wire:
        names, _ = await changed_since(wire, cookie)

    assert HUB2 in names
    assert HUB1 not in names


async def changed_since(wire: Wire, cookie: bytes) -> tuple[set[str], bytes]:
    names: set[str] = set()
    while True:
        *found, last = await wire.ask(Search(BASE), [controls.dir_sync(cookie)], timeout=PATIENCE)
        names |= {one.answer.name for one in found if isinstance(one.answer, Entry)}
        page = controls.dir_sync_page(last)
        assert page is not None
        cookie = page.cookie
        if not page.more:
            return names, cookie


async def describe(forest: Forest, name: str, text: str) -> None:
    async with await forest.wire(ADMINISTRATOR) as wire:
        await wire.modify(name, Change(How.REPLACE, "description", (text.encode(),)), timeout=PATIENCE)
