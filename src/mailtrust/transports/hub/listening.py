"""Taking the addresses that the hub listens on, or saying plainly why they cannot be had."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

from mailtrust.core.model.server import Endpoint
from mailtrust.errors import TransportUnavailable

BACKLOG = 4096
"""
How many may wait to be accepted; the kernel's own limit is the lower one.

Whom a full backlog drops believes that he is connected and waits for a banner: for minutes, here where the
server speaks first.  Whoever serves these sockets must say it again: asyncio listens anew, with 100.
"""
_REASONS = {
    errno.EADDRINUSE: ("another program listens there", "stop it, or give the hub another port"),
    errno.EACCES: (
        "this account may not bind a port below 1024",
        "give it CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities), or choose a higher port",
    ),
    errno.EADDRNOTAVAIL: ("this host has no such address", "look at transport.bind or server.listeners"),
}


async def listen(binds: Sequence[Endpoint]) -> list[socket.socket]:
    """
    Listening sockets for every address of every bind, all or none; peers wait until somebody accepts.

    Raises: TransportUnavailable.
    """
    sockets: list[socket.socket] = []
    for bind in binds:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, _, _, _, address in dict.fromkeys(found):
                sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            for opened in sockets:
                opened.close()
            raise _refused(bind, error) from error
    return sockets


def bound(sockets: Sequence[socket.socket]) -> tuple[Endpoint, ...]:
    """Where they really listen, in the order of the configuration."""
    names = [one.getsockname() for one in sockets]
    return tuple(Endpoint(str(name[0]), int(name[1])) for name in names)


def _refused(bind: Endpoint, error: OSError) -> TransportUnavailable:
    if isinstance(error, socket.gaierror):
        return TransportUnavailable(
            f"the hub cannot listen on {bind}: the name has no address here",
            hint="write an address of this host",
        )
    why, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    return TransportUnavailable(f"the hub cannot listen on {bind}: {why}", hint=hint)
