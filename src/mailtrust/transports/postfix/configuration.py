"""
One Postfix instance as its own tool `postconf` tells it: main.cf and master.cf, every variable expanded.

What holds for a service is what its ``-o`` in master.cf says, and only else what main.cf says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailtrust.core.model.server import Endpoint

INTERNET, LOCAL = "inet", "unix"


@dataclass(frozen=True, slots=True)
class Program:
    """One service of master.cf: a program, where it is asked, and what holds for it."""

    name: str
    """``127.0.0.1:2525``, ``smtp`` or, of a transport, the word that transport tables name."""
    kind: str
    """``inet``, ``unix`` …"""
    command: str
    """The program, such as ``smtpd``."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Its ``-o``, expanded."""
    port: int | None = None
    """Where it listens; None for what does not, or under a name that this machine does not know."""

    @property
    def key(self) -> str:
        """As ``postconf -P`` names it: ``hub/unix``."""
        return f"{self.name}/{self.kind}"

    @property
    def receives(self) -> bool:
        """True for what listens for SMTP."""
        return self.kind == INTERNET and self.command == "smtpd"

    @property
    def sends(self) -> bool:
        """True for a transport that speaks SMTP."""
        return self.kind == LOCAL and self.command == "smtp"

    @property
    def host(self) -> str:
        """Where it listens; empty for every address of the instance."""
        host = self.name.rpartition(":")[0]
        return host.removeprefix("[").removesuffix("]").lower()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one configuration folder says."""

    folder: Path
    parameters: Mapping[str, str]
    """Of main.cf, with defaults: those that were asked for."""
    services: tuple[Program, ...] = ()
    table_types: frozenset[str] = frozenset()
    """Which kinds of lookup tables this Postfix can open."""

    def setting(self, service: Program, name: str) -> str:
        """What holds for that service; empty where nothing does."""
        found = service.options.get(name)
        return self.parameters.get(name, "") if found is None else found

    def holds(self, service: Program, name: str) -> bool:
        """The same of a setting that is yes or no."""
        return self.setting(service, name).strip().lower() == "yes"

    def service(self, key: str) -> Program | None:
        """The service of that name and kind, as ``hub/unix``; the last one, where there are several."""
        return next((one for one in reversed(self.services) if one.key == key), None)

    def at(self, endpoint: Endpoint, addresses: Iterable[str] = ()) -> Program | None:
        """
        What receives at *endpoint*; *addresses* are those that its host stands for.

        A service that names no address has all of the instance's.
        """
        hosts = {endpoint.host, *addresses}
        found = [one for one in self.services if one.receives and one.port == endpoint.port]
        exact = (one for one in found if one.host in hosts)
        return next(exact, next((one for one in found if not one.host), None))


def pieces(text: str) -> tuple[str, ...]:
    """What a list of main.cf lists: divided by blanks and commas, but for those between braces."""
    found, piece, depth = [], "", 0
    for one in text:
        depth += (one == "{") - (one == "}")
        if depth <= 0 and (one.isspace() or one == ","):
            found.append(piece)
            piece = ""
        else:
            piece += one
    return tuple(filter(None, (*found, piece)))
