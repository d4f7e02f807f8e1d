"""Who and where: a mail server's name, and the addresses at which it presents its certificate."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NewType

from mailtrust.errors import BadInput

ServerName = NewType("ServerName", str)
"""A fully qualified domain name, lower case, without the final dot."""

_ONE_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_LABEL = re.compile(rf"{_ONE_LABEL}\Z")
_LABELS = re.compile(rf"(?:{_ONE_LABEL}\.)+{_ONE_LABEL}\Z")


def server_name(text: str) -> ServerName:
    """
    A server's name as the directory spells it.

    Raises: BadInput for anything that is not a host name of at least two labels (RFC 1123 2.1).
    """
    bare = text.strip().rstrip(".").lower()
    if len(bare) > 253 or not _LABELS.match(bare) or bare.rpartition(".")[2].isdigit():
        raise BadInput(
            f"{text!r} is not a fully qualified server name", hint="write it like hub1.example.test"
        )
    return ServerName(bare)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A host (name or address, IPv6 without brackets) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(text: str) -> Endpoint:
    """
    Read ``HOST:PORT``, an IPv6 address in brackets.

    Raises: BadInput.
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    numeric = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not (colon and host and numeric) or (":" in host) is not bracketed or not _is_host(host):
        raise BadInput(f"{text!r} is not an endpoint", hint="write HOST:PORT, or [IPv6]:PORT")
    return Endpoint(host.lower(), int(port))


def is_address(host: str) -> bool:
    """True for an IPv4 or IPv6 address, which stands without brackets; False for a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_host(host: str) -> bool:
    return is_address(host) or (
        ":" not in host and all(map(_LABEL.match, host.lower().rstrip(".").split(".")))
    )
