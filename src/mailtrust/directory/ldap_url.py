"""
Which machine a directory's URL means.

    ldaps://dc1.example.org        TLS from the first byte, port 636
    ldap://dc1.example.org:389     TLS after a few words in the clear (StartTLS)
    ldapi://%2Frun%2Fslapd.sock    a socket on this machine

A replica is *one* server, because what differs between two of them is what we look for.  A name with several
addresses is a different server each time one asks, so it is refused; a machine's IPv4 and IPv6 address count
as one, and so do this machine's own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from mailtrust.core.model.server import is_address
from mailtrust.errors import BadInput, DirectoryUnavailable

Scheme = Literal["ldap", "ldaps", "ldapi"]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses, as the operating system has them."""

_PORTS = {"ldap": 389, "ldaps": 636}
_GREATEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Place:
    """Where a directory server listens."""

    scheme: Scheme
    host: str = ""
    port: int = 0
    path: str = ""
    """Of a socket on this machine."""

    @property
    def name(self) -> str:
        """What the server's certificate has to be for."""
        return self.host or "localhost"

    @property
    def short(self) -> str:
        """
        What people call it: ``dc1`` of dc1.example.org, an address in full, a port that is not the usual one.

        Of this very machine such a port says enough, and of a socket its file's name.
        """
        if self.scheme == "ldapi":
            return PurePosixPath(self.path).name
        port = "" if self.port in _PORTS.values() else f":{self.port}"
        if not is_address(self.host.partition("%")[0]):
            return port if port and self.host == "localhost" else self.host.partition(".")[0] + port
        return port if port and _is_own(self.host) else self._host + port

    def __str__(self) -> str:
        if self.scheme == "ldapi":
            return f"ldapi://{self.path.replace('%', '%25').replace('/', '%2F')}"
        return f"{self.scheme}://{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def place(url: str) -> Place:
    """The place that *url* names.  Raises BadInput; what it says never repeats a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput("this is no directory URL", hint="write ldaps://dc1.example.org") from error
    if parts.username is not None or parts.password is not None:
        raise BadInput("a directory URL holds no name and no password", hint="name a password file")
    if parts.scheme == "ldapi":
        return _socket_on_this_machine(url, parts.netloc, parts.path)
    if parts.scheme not in ("ldap", "ldaps"):
        raise BadInput(f"{url} is no directory URL", hint="it begins with ldaps://, ldap:// or ldapi://")
    if not parts.hostname or port == 0:
        raise BadInput(f"{url} names no server", hint="write ldaps://dc1.example.org")
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise BadInput(f"{parts.hostname!r} cannot be the name of a server") from error
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise BadInput(f"{url} says more than where the server is", hint="leave out what follows the host")
    return Place(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])  # type: ignore[arg-type]


def beside(url: str, host: str) -> str:
    """The server *host*, to be reached in the way in which *url* reaches another one."""
    where = place(url)
    usual = where.port == _PORTS.get(where.scheme)
    return f"{where.scheme}://{host}" + ("" if usual else f":{where.port}")


async def address(where: Place, resolve: Resolve | None = None) -> tuple[str, ...]:
    """
    The address of the one machine at *where*; two if it has one of each kind, IPv4 first.

    Raises BadInput if several machines may stand behind the name, DirectoryUnavailable if it has no address.
    """
    try:
        found = await (resolve or from_the_system)(where.host, where.port)
    except OSError as error:
        raise DirectoryUnavailable(
            f"{where} cannot be reached: {where.host} has no address", hint="check the name, and the resolver"
        ) from error
    addresses = sorted(set(found), key=lambda one: (":" in one, one))
    if not addresses:
        raise DirectoryUnavailable(f"{where} cannot be reached: {where.host} has no address")
    if all(_is_own(one) for one in addresses):
        return tuple(addresses)
    if (
        sum(":" in one for one in addresses) > 1
        or sum("." in one and ":" not in one for one in addresses) > 1
    ):
        raise BadInput(
            f"{where} is not one replica: {where.host} has the addresses {', '.join(addresses)}",
            hint="name each server by a name of its own",
        )
    return tuple(addresses)


async def from_the_system(host: str, port: int) -> Sequence[str]:
    """The addresses that the operating system knows.  Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _socket_on_this_machine(url: str, netloc: str, path: str) -> Place:
    name = unquote(netloc)
    if not name.startswith("/") or path.strip("/"):
        raise BadInput(f"{url} names no socket", hint="write its path with %2F for /: ldapi://%2Frun%2Fldapi")
    return Place("ldapi", path=name)


def _is_own(text: str) -> bool:
    return ip_address(text.partition("%")[0]).is_loopback
