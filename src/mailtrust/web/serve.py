"""The dashboard as a server in our own process: a socket that is there before its address is said."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvicorn

from mailtrust.config import Web
from mailtrust.core.model.server import Endpoint
from mailtrust.errors import BadConfiguration, Refused, TransportUnavailable
from mailtrust.web.app import make_app
from mailtrust.web.live import Live
from mailtrust.web.security import Access, is_loopback
from mailtrust.web.source import Source

_SHORTEST_TOKEN = 20
_END_WITHIN_SECONDS = 2
_IDLE_SECONDS = 30
_MOST_CONNECTIONS = 500
_HINTS = {
    errno.EADDRINUSE: "another one may be running there; ",
    errno.EADDRNOTAVAIL: "no network card of this host has that address; ",
    errno.EACCES: "ports below 1024 are for root; ",
}
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # compared with, and not listened on


@dataclass(frozen=True, slots=True)
class Up:
    """A dashboard that is up."""

    address: str
    live: Live


class _Quiet(uvicorn.Server):
    """Whoever starts us hears the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def access_of(web: Web) -> Access:
    """
    Who may read, by the configuration.

    Raises: BadConfiguration where others than this machine could read without being asked who they are;
    Refused for a token that others can read, or that can be guessed.
    """
    token = _token(web.token_file) if web.token_file is not None else ""
    host = web.listen.host
    if not is_loopback(host) and not token and not web.proxy_header:
        raise BadConfiguration(
            f"web.listen is {web.listen}, and anybody there could read the dashboard",
            hint="set web.token_file, or web.proxy_header and web.proxies; or listen on 127.0.0.1",
        )
    names = {one.lower().rstrip(".") for one in web.names}
    if host not in _ANY_ADDRESS:
        names.add(host.lower())
    return Access(frozenset(names), token, web.proxy_header, frozenset(web.proxies))


@asynccontextmanager
async def serving(
    source: Source,
    listen: Endpoint,
    access: Access,
    *,
    every: timedelta,
    language: str = "en",
    or_any_port: bool = False,
) -> AsyncIterator[Up]:
    """
    The dashboard, up.  It is closed at the end, and whoever watches is let go.

    *or_any_port*: where that port is taken, another one will do.
    Raises: TransportUnavailable where nothing can listen there.
    """
    listening = _listening(listen, or_any_port=or_any_port)
    live = Live(source, every)
    server = _Quiet(
        uvicorn.Config(
            make_app(live, access, language=language),
            log_config=None, access_log=False, lifespan="on", server_header=False, http="h11", ws="none",
            proxy_headers=False, timeout_graceful_shutdown=_END_WITHIN_SECONDS,
            timeout_keep_alive=_IDLE_SECONDS, limit_concurrency=_MOST_CONNECTIONS,
        )
    )  # fmt: skip
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not running.done():  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
        host = "127.0.0.1" if listen.host in _ANY_ADDRESS else listen.host
        yield Up(f"http://{Endpoint(host, listening.getsockname()[1])}/", live)
    finally:
        server.should_exit = True
        live.close()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        listening.close()


def _listening(listen: Endpoint, *, or_any_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    ports = (listen.port, 0) if or_any_port else (listen.port,)
    for port in ports:
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((listen.host, port))
            # Two may bind one port at the same moment, and only one of them may listen there.
            made.listen()
        except OSError as error:
            made.close()
            if port == ports[-1]:
                because = _HINTS.get(error.errno or 0, "")
                raise TransportUnavailable(
                    f"the dashboard cannot listen on {listen}",
                    hint=f"{because}choose another address: --listen 127.0.0.1:12013",
                ) from error
        else:
            return made
    raise AssertionError(ports)


def _token(file: Path) -> str:
    hint = f"make one: (umask 077; openssl rand -hex 32 > {file})"
    try:
        mode = file.stat().st_mode
        found = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"the token cannot be read from {file}", hint=hint) from error
    if sys.platform != "win32" and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise Refused(f"everybody on this machine can read the token in {file}", hint=f"chmod o= {file}")
    if len(found) < _SHORTEST_TOKEN:
        raise Refused(
            f"the token in {file} is shorter than {_SHORTEST_TOKEN} characters, and could be guessed",
            hint=hint,
        )
    return found


__all__ = ["access_of", "serving"]
