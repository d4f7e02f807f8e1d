"""A replica's contents as sightings: one entry per server, each value parsed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from mailtrust.core.model.certificate import Fingerprint, certificate
from mailtrust.core.model.key_reader import KeyReader
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Published, ReplicaSighting, Unparsable
from mailtrust.core.model.trust import Column
from mailtrust.directory.contents import Added, Contents
from mailtrust.errors import NotACertificate

_Name = TypeVar("_Name")
_Fact = TypeVar("_Fact")


def sightings(
    contents: Contents, servers: Iterable[ServerName] | None, place: str, now: datetime
) -> list[ReplicaSighting]:
    """One per server asked for, in their order; None: every server with an entry, by name."""
    values = _by_server(contents.values)
    withdrawn = _by_server(contents.withdrawn)
    withdrawn_keys = _by_server(contents.withdrawn_keys)

    def sighting(server: ServerName) -> ReplicaSighting:
        published, unparsable = _parsed(values.get(server, {}))
        # Who publishes nothing presents nothing either: nobody is to be sent there.
        said = contents.listeners.get(server) if server in values else None
        return ReplicaSighting(
            server, place, published, now,
            unparsable=unparsable,
            withdrawn=withdrawn.get(server, {}),
            withdrawn_pins=frozenset(withdrawn_keys.get(server, ())),
            listeners=said.listeners if said else (),
        )  # fmt: skip

    return [sighting(server) for server in (contents.servers() if servers is None else servers)]


def column(contents: Contents) -> Column:
    """The keys that every server publishes, and every certificate that was withdrawn."""
    gathered, reader = Column(remembered=frozenset(digest for _, digest in contents.withdrawn)), KeyReader()
    for (server, digest), one in contents.values.items():
        pin = reader.believable_pin(one.value, server)
        if pin is not None:
            gathered.add(server, (pin,))
            gathered.certificates[pin] = (*gathered.certificates.get(pin, ()), digest)
    gathered.withdrawn.update(pin for _, pin in contents.withdrawn_keys)
    return gathered


def _by_server(
    facts: Mapping[tuple[ServerName, _Name], _Fact],
) -> Mapping[ServerName, Mapping[_Name, _Fact]]:
    found: dict[ServerName, dict[_Name, _Fact]] = {}
    for (server, name), fact in facts.items():
        found.setdefault(server, {})[name] = fact
    return found


def _parsed(
    values: Mapping[Fingerprint, Added],
) -> tuple[tuple[Published, ...], tuple[Unparsable, ...]]:
    """Oldest first, so that everybody sees them in one order."""
    published: list[Published] = []
    unparsable: list[Unparsable] = []
    for digest, one in sorted(values.items(), key=lambda item: (item[1].added_at, item[0])):
        try:
            published.append(Published(certificate(one.value), one.added_at))
        except NotACertificate:
            unparsable.append(Unparsable(digest, len(one.value), one.added_at))
    return tuple(published), tuple(unparsable)
