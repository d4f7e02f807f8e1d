"""
What `benchmarks/ldap/run.py` measures of mailtrust, each in a process of its own.

    python -m benchmarks.ldap.ours start|stream|trust URL BASE ACCOUNT CA_FILE PASSWORD_FILE SNAPSHOT_FILE

*start* is the program and its connection; *stream* reads every entry and keeps none; *trust* is what a hub
does first: it looks at everybody, and its trust snapshot is on disk in the end.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import uvloop

from mailtrust.core.model.server import ServerName
from mailtrust.directory import ldap_standard as standard
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_session import Session
from mailtrust.ldap import names
from mailtrust.ldap.filters import Present
from mailtrust.ldap.requests import Scope, Search
from mailtrust.transports.hub.trust import Trust

PATIENCE = timedelta(seconds=60)
ME = ServerName("hub000000.example.test")


async def start(url: str, settings: LdapSettings, _: Path) -> int:
    session = Session(url, settings, PATIENCE)
    await session.wire()
    await session.leave()
    return 0


async def stream(url: str, settings: LdapSettings, _: Path) -> int:
    """How many certificates were read."""
    session = Session(url, settings, PATIENCE)
    wire = await session.wire()
    search = Search(str(settings.base), Scope.ONE_LEVEL, Present(standard.CERTIFICATE), standard.VALUES)
    async with aclosing(wire.stream(search, timeout=PATIENCE)) as entries:
        count = 0
        async for entry in entries:
            count += len(entry.values(standard.WRITTEN))
    await session.leave()
    return count


async def trust(url: str, settings: LdapSettings, file: Path) -> int:
    """How many keys are believed."""
    replica = LdapReplica(url, settings, timeout=PATIENCE)
    kept = Trust(ME, replica, file, lambda _: None, look_timeout=PATIENCE)
    await kept.start()
    await replica.close()
    return len(kept.snapshot.servers)


WORKS = {"start": start, "stream": stream, "trust": trust}


def main() -> None:
    work, url, base, account, ca_file, password_file, file = sys.argv[1:]
    settings = LdapSettings(names.parse(base), Password(account, Path(password_file)), Path(ca_file))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print("read", runner.run(WORKS[work](url, settings, Path(file))))


if __name__ == "__main__":
    main()
