"""
A hub as a process of its own, to be killed: ``loaded_hub.py FOLDER PORT``.

It takes mail from anybody for hub1.example.test.  Prints a line once it listens, and what it says to a
peer is all that counts afterwards.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.transports.hub import Hub, HubSettings


async def serve(folder: Path, port: int) -> None:
    name = ServerName("hub1.example.test")
    settings = HubSettings(
        name,
        (Endpoint("127.0.0.1", port),),
        folder,
        folder / "mail",
        (name,),
        accept_local_from_anybody=True,
    )
    hub = Hub(
        settings,
        home=SqliteReplica(f"sqlite://{folder}/dc1.db", timeout=timedelta(seconds=5)),
        credential=lambda: None,
        stamp=lambda: 0,
        report=lambda raised: None,
    )
    await hub.start()
    print("listening", flush=True)
    await hub.wait()


if __name__ == "__main__":
    if sys.platform == "win32":
        asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
    else:
        import uvloop

        uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
