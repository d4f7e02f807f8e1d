"""
What `benchmarks/ldap/run.py` measures of mailtrust, each in a process of its own.

    python -m benchmarks.ldap.ours WORK URL BASE ACCOUNT CA_FILE PASSWORD_FILE SNAPSHOT_FILE

    start    the program and its connection
    stream   reads every certificate and keeps none
    trust    what a hub does first: its trust snapshot is on disk in the end
    watch    says when it saw which certificate, until it is ended
    keep     keeps a trust snapshot, says whenever it changed, and its CPU time for every line that it is sent
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import uvloop

from mailtrust.clock import now
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Snapshot
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_session import Session
from mailtrust.ldap import names
from mailtrust.ldap.filters import Present
from mailtrust.ldap.requests import Scope, Search
from mailtrust.transports.hub.trust import Trust

PATIENCE = timedelta(seconds=120)
POLL = timedelta(seconds=1)
ME = ServerName("hub000000.example.test")


async def start(url: str, settings: LdapSettings, _: Path) -> None:
    session = Session(url, settings, PATIENCE)
    await session.wire()
    await session.leave()
    print("read 0")


async def stream(url: str, settings: LdapSettings, _: Path) -> None:
    session = Session(url, settings, PATIENCE)
    wire = await session.wire()
    search = Search(
        str(settings.base), Scope.ONE_LEVEL, Present(standard.CERTIFICATE), (standard.CERTIFICATE,)
    )
    async with aclosing(wire.stream(search, timeout=PATIENCE)) as entries:
        count = 0
        async for entry in entries:
            count += len(entry.values(standard.WRITTEN))
    await session.leave()
    print("read", count)


async def trust(url: str, settings: LdapSettings, file: Path) -> None:
    replica = LdapReplica(url, settings, timeout=PATIENCE)
    kept = Trust(ME, replica, file, lambda _: None, look_timeout=PATIENCE)
    await kept.start()
    await replica.close()
    print("read", len(kept.snapshot.servers))


async def watch(url: str, settings: LdapSettings, _: Path) -> None:
    replica = LdapReplica(url, settings, timeout=PATIENCE)
    await replica.column(now())
    print("ready", flush=True)
    async for changed in replica.watch(POLL):
        for look in await replica.look(changed, now()):
            for one in look.found or ():
                print(one.certificate.fingerprint, time.monotonic(), flush=True)


class Told(Trust):
    """Says whenever its snapshot has other keys, once it is started."""

    _held = Snapshot()
    started = False

    @property
    def snapshot(self) -> Snapshot:
        return self._held

    @snapshot.setter
    def snapshot(self, new: Snapshot) -> None:
        changed = new.servers is not self._held.servers
        self._held = new
        if changed and self.started:
            print("changed", flush=True)


async def keep(url: str, settings: LdapSettings, file: Path) -> None:
    replica = LdapReplica(url, settings, timeout=PATIENCE)
    kept = Told(ME, replica, file, lambda _: None, look_timeout=PATIENCE)
    await kept.start()
    kept.started = True
    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: print("cpu", time.process_time(), flush=bool(sys.stdin.readline())))
    print("ready", flush=True)
    await kept.keep()


WORKS = {"start": start, "stream": stream, "trust": trust, "watch": watch, "keep": keep}


def main() -> None:
    work, url, base, account, ca_file, password_file, file = sys.argv[1:]
    settings = LdapSettings(names.parse(base), Password(account, Path(password_file)), Path(ca_file))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(WORKS[work](url, settings, Path(file)))


if __name__ == "__main__":
    main()
