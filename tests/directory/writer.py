"""
A process that publishes, one value after the other, and says so on its standard output.

    python writer.py URL SERVER [LIMIT_BYTES]

Each line is the digest of a value that was acknowledged.  It ends when its input does, or when a file
would grow beyond LIMIT_BYTES; then its last line is the error.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from datetime import timedelta

from mailtrust import clock
from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.server import server_name
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import MailtrustError


async def main(url: str, server: str, limit_bytes: str = "") -> None:
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), resource.RLIM_INFINITY))
    replica = SqliteReplica(url, timeout=timedelta(seconds=60))
    while True:
        value = os.urandom(700)
        try:
            await replica.publish(server_name(server), value, clock.now())
        except MailtrustError as error:
            print(f"{type(error).__name__}: {error.message}", flush=True)
            return
        print(fingerprint_of(value), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
