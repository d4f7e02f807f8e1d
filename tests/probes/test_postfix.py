"""
The probe against a real Postfix: its certificate is seen, and its log tells of no lost connection.

The instance is ours alone: its own configuration, queue and port, below one temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import WireFailure
from tests.loopback import free_port
from tests.probes.listeners import leaf_of, look_once, pair
from tests.programs import needs, program

pytestmark = [
    needs("postconf"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master starts as root only"),
]

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = hub1.example.test
mydestination =
mynetworks =
alias_maps =
alias_database =
smtpd_tls_security_level = {security}
smtpd_tls_chain_files = {folder}/chain.pem
smtpd_tls_ask_ccert = yes
smtpd_tls_loglevel = 1
"""
MASTER = """\
127.0.0.1:{port} inet n - n - 1 smtpd
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: every run of pytest closes that to Postfix's accounts, also beside this one."""
    with tempfile.TemporaryDirectory(prefix="mailtrust-postfix-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@asynccontextmanager
async def postfix(folder: Path, security: str = "may") -> AsyncIterator[Endpoint]:
    """One that presents `pair("rsa2048")`; its log is the folder's ``log``."""
    port = free_port()
    config = folder / "etc"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    owner = pwd.getpwnam("postfix")
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    (config / "main.cf").write_text(MAIN.format(folder=folder, security=security))
    (config / "master.cf").write_text(MASTER.format(port=port))
    (folder / "chain.pem").write_text(pair("rsa2048")[0])
    (folder / "chain.pem").chmod(0o600)
    await _run("postfix", "-c", str(config), "check")
    master = await asyncio.create_subprocess_exec(
        f"{await _run('postconf', '-hd', 'daemon_directory')}/master",
        "-c",
        str(config),
        "-d",
        # It ends its children by their group.
        start_new_session=True,
    )
    try:
        await _until_it_answers(port)
        yield Endpoint("127.0.0.1", port)
    finally:
        if master.returncode is None:
            master.terminate()
        await asyncio.wait_for(master.wait(), 10)


async def _run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        program(words[0]) or words[0], *words[1:], stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, words
    return said.decode().strip()


async def _until_it_answers(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def _log_of_the_last_session(folder: Path) -> str:
    """The lines of the session that QUIT ended; Postfix writes them by another process, soon."""
    async with asyncio.timeout(10):
        while True:
            text = (folder / "log").read_text() if (folder / "log").exists() else ""
            sessions = text.split(": connect from ")
            if "disconnect from" in sessions[-1] and "ehlo=" in sessions[-1]:
                return sessions[-1]
            await asyncio.sleep(0.05)


async def test_postfix_is_seen_and_notices_nothing_but_a_polite_guest(folder: Path) -> None:
    async with postfix(folder) as place:
        sighting = await look_once(place, seconds=20)
        log = await _log_of_the_last_session(folder)

    assert leaf_of(sighting) == pair("rsa2048")[1]
    assert (sighting.verb, sighting.protocol, sighting.asks_client_certificate) == (
        "STARTTLS",
        "TLSv1.3",
        True,
    )
    assert "ehlo=1 starttls=1 quit=1 commands=3" in log
    assert "lost connection" not in log
    assert "SSL_accept error" not in log
    assert "warning" not in log


async def test_a_postfix_without_tls_offers_none(folder: Path) -> None:
    async with postfix(folder, security="none") as place:
        sighting = await look_once(place, seconds=20)
        log = await _log_of_the_last_session(folder)

    assert sighting.failure is WireFailure.NOT_OFFERED
    assert "ehlo=1 quit=1 commands=2" in log
