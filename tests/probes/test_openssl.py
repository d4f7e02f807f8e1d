"""The probe against OpenSSL's own server: every protocol and key that somebody may still have."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtrust.core.model.sighting import WireFailure
from tests.probes.listeners import leaf_of, look_once, openssl_server, pair
from tests.programs import needs

pytestmark = needs("openssl")


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize(("option", "protocol"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_the_presented_certificate_is_seen(
    tmp_path: Path, kind: str, option: str, protocol: str
) -> None:
    async with openssl_server(tmp_path, option, kind=kind) as server:
        sighting = await look_once(server.place)

    assert leaf_of(sighting) == pair(kind)[1]
    assert sighting.protocol == protocol
    assert (sighting.phase, sighting.verb, sighting.failure, sighting.why) == ("done", "STARTTLS", None, "")


@pytest.mark.parametrize(("option", "protocol"), [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1")])
async def test_an_old_server_with_a_short_key_is_seen(tmp_path: Path, option: str, protocol: str) -> None:
    """It is what an administrator must hear about; a probe that refuses it would call it dead."""
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    async with openssl_server(tmp_path, option, *weak, kind="rsa1024") as server:
        sighting = await look_once(server.place)

    assert leaf_of(sighting) == pair("rsa1024")[1]
    assert sighting.protocol == protocol


@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(("option", "asks"), [(("-verify", "1"), True), ((), False)])
async def test_it_is_seen_whether_a_client_certificate_is_asked_for(
    tmp_path: Path, protocol: str, option: tuple[str, ...], asks: bool
) -> None:
    """A receiver that does not ask can never know a peer: the whole of direct trust hangs on it."""
    async with openssl_server(tmp_path, protocol, *option) as server:
        sighting = await look_once(server.place)

    assert leaf_of(sighting) == pair()[1]
    assert sighting.asks_client_certificate is asks


async def test_who_insists_on_a_client_certificate_under_tls_1_3_is_seen(tmp_path: Path) -> None:
    """In TLS 1.3 the server has proved itself before it hears that we have none."""
    async with openssl_server(tmp_path, "-tls1_3", "-Verify", "1") as server:
        sighting = await look_once(server.place)

    assert leaf_of(sighting) == pair()[1]
    assert sighting.asks_client_certificate is True


async def test_who_insists_on_a_client_certificate_under_tls_1_2_is_a_failed_handshake(
    tmp_path: Path,
) -> None:
    """It showed a certificate, but what it shows before the end is no proof, and is not taken for one."""
    async with openssl_server(tmp_path, "-tls1_2", "-Verify", "1") as server:
        sighting = await look_once(server.place)

    assert sighting.found is None
    assert (sighting.failure, sighting.phase) == (WireFailure.HANDSHAKE, "handshake")
    assert sighting.asks_client_certificate is True
    assert sighting.why.startswith("the certificate was shown and the handshake did not finish: ")


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
async def test_the_server_hears_quit_behind_the_handshake(tmp_path: Path, option: str) -> None:
    """Without it every look would be a lost connection in the server's log."""
    async with openssl_server(tmp_path, option) as server:
        sighting = await look_once(server.place)
        heard = await server.heard(b"QUIT\r\n")

    assert sighting.failure is None
    assert heard.endswith(b"QUIT\r\n")


async def test_exchange_s_own_verb_is_taken_first(tmp_path: Path) -> None:
    """Behind it Exchange shows its internal certificate, behind STARTTLS maybe the public one."""
    ehlo = b"250-hub1.example.test\r\n250-STARTTLS\r\n250-X-ANONYMOUSTLS\r\n250 SIZE\r\n"
    async with openssl_server(tmp_path, ehlo=ehlo) as server:
        best = await look_once(server.place)
        wanted = await look_once(server.place, verb="STARTTLS")

    assert (best.verb, wanted.verb) == ("X-ANONYMOUSTLS", "STARTTLS")
    assert leaf_of(best) == leaf_of(wanted)
