"""Other people's mail software against the hub: what they say is SMTP and TLS, it understands."""

from __future__ import annotations

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from mailtrust.core.model.server import Endpoint
from tests.hub.organization import Held, Organization, held
from tests.loopback import PATIENCE
from tests.make import HUB1, HUB2, NOON
from tests.programs import needs, program

BOX = f"postmaster@{HUB1}"
LONG_AGO = {"not_before": NOON - timedelta(days=1000), "life": timedelta(days=1)}
SERVERS_ONLY = {"extensions": ((x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), True),)}
PUBLISHED = {
    "rsa": held(HUB2, "rsa", kind="rsa2048"),
    "p256": held(HUB2, "p256"),
    "expired": held(HUB2, "expired", **LONG_AGO),
    "for servers only": held(HUB2, "servers", kind="rsa2048", **SERVERS_ONLY),
}
UNPUBLISHED = held(HUB2, "unpublished")
TALK = f"""\
EHLO peer.example.test
MAIL FROM:<a@peer.example.test>
RCPT TO:<{BOX}>
DATA
Subject: by hand

Hello.
.
QUIT
"""


def written(one: Held, folder: Path) -> str:
    """A file with its certificate and its key."""
    path = folder / "peer.pem"
    path.write_bytes(one.pem)
    return str(path)


async def said_by(name: str, *arguments: str, typed: str = "", folder: Path | None = None) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    found = program(name)
    assert found is not None
    process = await asyncio.create_subprocess_exec(
        found,
        *arguments,
        # uvloop has no patience with a program that needs no input and closes it.
        stdin=asyncio.subprocess.PIPE if typed else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "MAIL_CONFIG": str(folder)} if folder else None,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate(typed.encode() if typed else None)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode("utf-8", "replace")


async def s_client(target: Endpoint, *options: str) -> str:
    """What the hub answers to openssl, which types everything at once."""
    _, output = await said_by(
        "openssl", "s_client", "-quiet", "-crlf", "-starttls", "smtp", "-connect", str(target), *options,
        typed=TALK,
    )  # fmt: skip
    return output


@needs("openssl")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("kind", PUBLISHED)
async def test_openssl_with_a_published_key_may_send(
    organization: Organization, tmp_path: Path, kind: str, version: str
) -> None:
    """Dates and purposes do not matter: the directory vouches for the key."""
    await organization.publish(PUBLISHED[kind])
    async with organization.hub() as hub1:
        output = await s_client(hub1.endpoint, version, "-cert", written(PUBLISHED[kind], tmp_path))
        [mail] = await hub1.mails_come(BOX)

    assert "250 2.0.0 queued as" in output
    assert b"authenticated as hub2.example.test" in mail
    assert (b"TLSv1.2" if version == "-tls1_2" else b"TLSv1.3") in mail


@needs("openssl")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("presents", [True, False])
async def test_openssl_without_a_published_key_is_deferred(
    organization: Organization, tmp_path: Path, version: str, *, presents: bool
) -> None:
    options = ("-cert", written(UNPUBLISHED, tmp_path)) if presents else ()
    async with organization.hub() as hub1:
        output = await s_client(hub1.endpoint, version, *options)

    assert "454 4.7.1 1036 " in output
    assert "queued" not in output
    assert hub1.codes == ([1036] if presents else [])


@needs("openssl")
async def test_an_rsa_certificate_of_ours_serves_old_clients_too(
    organization: Organization, tmp_path: Path
) -> None:
    await organization.publish(PUBLISHED["rsa"])
    async with organization.hub(current=held(HUB1, "rsa", kind="rsa2048")) as hub1:
        output = await s_client(
            hub1.endpoint, "-tls1_2", "-cipher", "AES256-SHA", "-cert", written(PUBLISHED["rsa"], tmp_path)
        )

    assert "250 2.0.0 queued as" in output


async def needs_swaks_with_tls() -> None:
    """It is in Perl, and its TLS in a package that comes with it only where recommendations are followed."""
    _, support = await said_by("swaks", "--support")
    if "=== TLS supported" in support:
        return
    reason = "swaks has no TLS here (package libnet-ssleay-perl)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


async def swaks(target: Endpoint, *options: str) -> tuple[int, str]:
    return await said_by(
        "swaks", "--server", target.host, "--port", str(target.port), "--helo", "peer.example.test",
        "--from", "a@peer.example.test", "--to", BOX, *options,
    )  # fmt: skip


@needs("swaks")
async def test_swaks_with_a_published_key_may_send(organization: Organization, tmp_path: Path) -> None:
    await needs_swaks_with_tls()
    peer = PUBLISHED["rsa"]
    await organization.publish(peer)
    file = written(peer, tmp_path)
    async with organization.hub() as hub1:
        code, output = await swaks(hub1.endpoint, "--tls", "--tls-cert", file, "--tls-key", file)
        assert code == 0
        await hub1.mails_come(BOX)

    assert re.search(r"^<~  250 2\.0\.0 queued as ", output, re.MULTILINE)


@needs("swaks")
@pytest.mark.parametrize("options", [("--tls",), ()])
async def test_swaks_without_a_certificate_is_deferred(
    organization: Organization, options: tuple[str, ...]
) -> None:
    if options:
        await needs_swaks_with_tls()
    async with organization.hub() as hub1:
        code, output = await swaks(hub1.endpoint, *options)

    # swaks' own number for "the server did not take the sender".
    assert code == 23
    assert "454 4.7.1 1036 " in output


@needs("smtp-source")
async def test_postfix_smtp_source_gets_all_its_mail_through(organization: Organization) -> None:
    """It speaks no TLS, so here anybody may send to us."""
    async with organization.hub(accept_local_from_anybody=True) as hub1:
        code, output = await said_by(
            "smtp-source", "-s", "10", "-m", "500", "-l", "4096", "-f", "a@peer.example.test", "-t", BOX,
            f"inet:{hub1.endpoint}",
        )  # fmt: skip
        await hub1.mails_come(BOX, 500)

    assert (code, output) == (0, "")
    assert hub1.hub.counters.accepted == 500


async def finger(target: Endpoint, folder: Path, *options: str) -> str:
    """posttls-finger with its own configuration; at level fingerprint it believes exactly one."""
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    _, output = await said_by(
        "posttls-finger", "-c", "-l", "fingerprint", "-d", "sha256", "-t", "10", *options[:-1],
        f"[{target.host}]:{target.port}", options[-1], folder=folder,
    )  # fmt: skip
    return output


def colons(one: Held) -> str:
    """A fingerprint as Postfix writes it."""
    return bytes.fromhex(one.certificate.fingerprint).hex(":").upper()


@needs("posttls-finger")
async def test_postfix_believes_the_certificate_that_we_present(
    organization: Organization, tmp_path: Path
) -> None:
    async with organization.hub() as hub1:
        ours = await finger(hub1.endpoint, tmp_path, colons(held(HUB1)))
        other = await finger(hub1.endpoint, tmp_path, colons(held(HUB2)))

    assert "Verified TLS connection established" in ours
    assert "Verified" not in other
    assert "TLS connection established" in other


@needs("posttls-finger")
async def test_postfix_presents_its_certificate_to_us(organization: Organization, tmp_path: Path) -> None:
    """A hub that does not ask for it can never know a peer."""
    file = written(UNPUBLISHED, tmp_path)
    async with organization.hub() as hub1:
        output = await finger(
            hub1.endpoint,
            tmp_path,
            "-L",
            "routine,certmatch,ssl-debug",
            "-k",
            file,
            "-K",
            file,
            colons(held(HUB1)),
        )

    assert "Verified TLS connection established" in output
    assert "read server certificate request" in output
    assert re.search("write client certificate$", output, re.MULTILINE)
