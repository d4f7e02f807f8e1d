"""Signing in to OpenLDAP by Kerberos: with MIT's own KDC, and Cyrus SASL at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.agent.site import open_site
from mailtrust.config import parse
from mailtrust.directory.ldap_bind import Server as ServerAsSeen
from mailtrust.directory.ldap_bind import SignedIn
from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_tls import Identity
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import Bind, Change, How, Scope, Search
from mailtrust.ldap.responses import Result
from tests.directory.ldap import realm
from tests.directory.ldap.realm import HOST, PATIENCE, Place
from tests.directory.ldap.test_nothing_is_left import Left, resident_bytes
from tests.loopback import eventually, serving
from tests.make import HUB1, NOON, a_certificate
from tests.slapd import MX1, SERVERS

pytestmark = realm.NEEDS

SOON = timedelta(seconds=0.5)
SEALED, BOUND = "mech=GSSAPI bind_ssf=256 ssf=256", "mech=GSSAPI bind_ssf=0 ssf=256"
ENTRY = Search(MX1, Scope.BASE)


@pytest.fixture
def there(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with realm.place(short, monkeypatch) as made:
        yield made


@pytest.mark.parametrize(("scheme", "as_seen_by_slapd"), [("ldap", SEALED), ("ldaps", BOUND)])
async def test_both_ways_of_signing_in_lead_to_the_accounts_entry(
    there: Place, scheme: str, as_seen_by_slapd: str
) -> None:
    """On ldap:// Kerberos encrypts (bind_ssf), on ldaps:// it is TLS alone, as Active Directory demands."""
    async with await there.opened(there.ldap if scheme == "ldap" else there.ldaps) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{MX1}"

    assert as_seen_by_slapd in there.server.log()


async def test_whoever_runs_mailtrust_signs_in_by_the_ticket_in_his_cache(there: Place) -> None:
    there.realm.add("mx2")
    there.realm.kinit("mx2", there.server.folder.parent / "cache")

    async with await there.opened(there.ldap, Kerberos()) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:cn=mx2,{SERVERS}"


async def test_a_keytab_leaves_the_cache_of_this_machine_alone(there: Place) -> None:
    """Else the tickets of whoever logged in would be gone, or ours would be his."""
    there.realm.add("mx2")
    cache = there.server.folder.parent / "cache"
    there.realm.kinit("mx2", cache)
    before = cache.read_bytes()

    async with await there.opened(there.ldap) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{MX1}"

    assert cache.read_bytes() == before


async def test_a_server_publishes_by_the_key_in_its_keytab(there: Place) -> None:
    text = f"""\
[server]
name = "{HUB1}"
[directory]
home = "{there.ldap}"
base = "{SERVERS}"
bind = "kerberos"
principal = "admin"
keytab = "{there.keytab}"
"""
    leaf = a_certificate()
    async with open_site(parse(text, there.server.folder / "mailtrust.toml")) as site:
        await site.directory.publish(HUB1, leaf.der, NOON)
        [look] = await site.directory.look(None, NOON)

    assert (look.server, look.pins) == (HUB1, {leaf.pin})


async def test_nothing_that_is_asked_or_answered_can_be_read_on_the_way(there: Place) -> None:
    seen = bytearray()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                seen.extend(data)
                writer.write(data)
        finally:
            writer.transport.abort()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", there.server.port)
        await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))

    async with serving(between) as port, await there.opened(f"ldap://{HOST}:{port}") as wire:
        [entry] = await wire.search(ENTRY, timeout=PATIENCE)

    assert entry.name == MX1
    assert b"GSSAPI" in seen
    assert b"ou=servers" not in seen
    assert b"objectClass" not in seen


@pytest.mark.parametrize("frame_bytes", [1000, 65536])
async def test_long_requests_and_answers_are_cut_into_frames_that_the_other_takes(
    short: Path, monkeypatch: pytest.MonkeyPatch, frame_bytes: int
) -> None:
    first = f"sasl-secprops noanonymous,noplain,maxbufsize={frame_bytes}\n"
    value = b"a long description " * 30_000
    with realm.place(short, monkeypatch, first=first) as there:
        async with await there.opened(there.ldap, there.admin) as wire:
            await wire.modify(MX1, Change(How.ADD, "description", (value,)), timeout=PATIENCE)
            [entry] = await wire.search(ENTRY, timeout=PATIENCE)

    assert entry.values("description") == (value,)


@pytest.mark.parametrize("frame_bytes", [100, 0])
async def test_a_server_that_takes_too_little_at_once_is_asked_nothing(
    short: Path, monkeypatch: pytest.MonkeyPatch, frame_bytes: int
) -> None:
    first = f"sasl-secprops noanonymous,noplain,maxbufsize={frame_bytes}\n"
    with realm.place(short, monkeypatch, first=first) as there:
        why = await there.why_not(there.ldap)
        assert "SRCH" not in there.server.log()

    assert ("takes no more than 100 bytes" in why) or ("does not offer to encrypt" in why)


async def test_a_server_that_would_only_sign_is_asked_nothing(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with realm.place(short, monkeypatch, first="sasl-secprops noanonymous,noplain,maxssf=1\n") as there:
        why = await there.why_not(there.ldap)
        assert "SRCH" not in there.server.log()

    assert "does not offer to encrypt by Kerberos, so it was told and asked nothing | use ldaps://" in why


@dataclass(frozen=True)
class Bound:
    """Kerberos' credentials behind somebody who passes on what was meant for another connection."""

    inner: Kerberos
    binding: bytes
    brings_encryption = False

    async def shown(self) -> Identity | None:
        return None

    async def sign_in(self, server: ServerAsSeen) -> SignedIn:
        return await self.inner.sign_in(_Elsewhere(server, self.binding))


class _Elsewhere:
    is_confidential = True

    def __init__(self, server: ServerAsSeen, binding: bytes) -> None:
        self.url, self.host, self.stage, self.channel_binding = server.url, server.host, "", binding
        self._server = server

    async def bind(self, request: Bind) -> Result:
        return await self._server.bind(request)


async def test_a_signing_in_that_was_meant_for_another_connection_is_refused(there: Place) -> None:
    """Whoever stands between, with a certificate of his own, cannot pass it on."""
    async with await there.opened(there.ldaps) as wire:
        right = wire.channel_binding
    wrong = right[:-1] + bytes((right[-1] ^ 1,))

    async def sign_in(binding: bytes) -> None:
        ca_file = there.server.ca_file
        credentials = Bound(there.mx1, binding)
        await (
            await Wire.open(there.ldaps, credentials=credentials, ca_file=ca_file, timeout=PATIENCE)
        ).close()

    await sign_in(right)
    with pytest.raises(DirectoryUnavailable, match="did not take our Kerberos ticket") as refused:
        await sign_in(wrong)
    assert "tied to the TLS connection" in refused.value.hint


async def test_signing_in_again_and_again_leaves_nothing(there: Place) -> None:
    for _ in range(50):
        await (await there.opened(there.ldap)).close()
    # uvloop makes a few descriptors for itself, once.
    await eventually(lambda: Left.now().ours == 0, "every connection is gone")
    before, memory = Left.now(), resident_bytes()

    for _ in range(200):
        await (await there.opened(there.ldap)).close()

    await eventually(lambda: Left.now().is_within(before), f"no more is left than {before}")
    assert resident_bytes() - memory < 1_000_000
