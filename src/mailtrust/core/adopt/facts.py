"""
What one host says of its mail server, as it was collected there.

Of tables with passwords it has the keys alone, of chain files the certificates alone: the file may be mailed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailtrust.core.model.certificate import Certificate

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table, or a file of names that a parameter points at."""

    rows: tuple[Row, ...] | None
    """Key and value; None: it could not be listed."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """A file with a certificate that is presented."""

    certificate: Certificate | None
    """Its first one, which is the server's own."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class MasterEntry:
    """One line of master.cf that receives or sends by SMTP."""

    name: str
    """As master.cf has it: ``smtp``, ``127.0.0.1:2525``, ``hub``."""
    receives: bool
    options: Mapping[str, str] = field(default_factory=dict)
    """Its ``-o``."""

    @property
    def port(self) -> str:
        """Where it listens, by number where that is usual knowledge."""
        port = self.name.rpartition(":")[2]
        return _PORTS.get(port, port)


_PORTS = {"smtp": "25", "smtps": "465", "submissions": "465", "submission": "587"}


@dataclass(frozen=True, slots=True)
class Instance:
    """One Postfix."""

    folder: str
    version: str
    parameters: Mapping[str, str]
    services: tuple[MasterEntry, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    """By what a parameter calls it: ``lmdb:/etc/postfix/relay_clientcerts``."""
    chains: Mapping[str, Chain] = field(default_factory=dict)
    """By file."""

    def setting(self, service: MasterEntry | None, name: str) -> str:
        """What holds for that service; for None what main.cf says."""
        if service is not None and name in service.options:
            return service.options[name]
        return self.parameters.get(name, "")

    def yes(self, service: MasterEntry | None, name: str) -> bool:
        """The same of a setting that is yes or no."""
        return self.setting(service, name).strip().lower() == "yes"

    def rows(self, names: str) -> Iterator[tuple[str, Row]]:
        """The rows of each table that a parameter lists, with the table's name."""
        for name in listed(names):
            for row in self.table(name).rows or ():
                yield name, row

    def table(self, name: str) -> Table:
        """The table of that name; one that nobody collected could not be listed."""
        return self.tables.get(name) or Table(None, "it was not collected")


@dataclass(frozen=True, slots=True)
class Host:
    """One host, as it was at one moment."""

    name: str
    collected_at: datetime
    addresses: tuple[str, ...] | None
    """Where it calls from; None: it could not be told."""
    instances: tuple[Instance, ...]
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The addresses that names in its tables have there."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a parameter that is a list: between commas and blanks, and what braces hold together."""
    words, word, depth = [], "", 0
    for one in text:
        depth += (one == "{") - (one == "}")
        if depth <= 0 and (one.isspace() or one == ","):
            words.append(word)
            word = ""
        else:
            word += one
    return tuple(filter(None, (*words, word)))
