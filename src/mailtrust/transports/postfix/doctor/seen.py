"""
Everything that the doctor judges by, as one value: what was looked at, and what could not be.

``rows`` and the like are None where we could not look, with why; then nothing is said about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.transports.postfix.configuration import Configuration, Program, pieces
from mailtrust.transports.postfix.doctor.restrictions import PINNED, mentions
from mailtrust.transports.postfix.ours import HUB, Places

_NEXT_HOP = re.compile(r"\[?(?P<host>[^\[\]]+?)\]?(?::(?P<port>\w+))?\Z")


@dataclass(frozen=True, slots=True)
class Table:
    """One lookup table."""

    name: str
    """As Postfix names it: ``lmdb:/var/lib/mailtrust/postfix/tls_policy``."""
    rows: Mapping[str, str] | None = None
    """None: we could not look."""
    why: str = ""
    missing: bool = False
    damaged: bool = False
    """It is there, and Postfix itself cannot open it."""
    loose: tuple[str, ...] = ()
    """Its file, or folders above it, where others than root may write."""

    @property
    def has_lock(self) -> bool:
        """True for the kind that we write."""
        return self.name.startswith("lmdb:")


class ChainFault(StrEnum):
    """What keeps Postfix from presenting a chain file; the codes of 12139's causes."""

    MISSING = "missing"
    NO_KEY = "no-key"
    CERTIFICATE_FIRST = "certificate-first"
    KEY_DIFFERS = "key-differs"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class ChainFile:
    """A file with a key and its certificate, as ``smtpd_tls_chain_files`` names it."""

    path: str
    fault: ChainFault | None = None
    exposed: bool = False
    """Others than its owner can read it."""
    why: str = ""
    """Why we could not look into it; empty where we could."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for a domain goes, by which transport."""

    pattern: str
    transport: str
    next_hop: str
    table: str
    """The table or parameter that says so."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A listener on which certificates are meant to decide."""

    service: Program
    endpoint: str
    """As findings name it."""
    ours: bool
    """True where the configuration names it; else it was found to know a table of certificates."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One instance, its tables and chain files, its routes, and what the directory knows of the pins."""

    server: ServerName
    endpoints: tuple[Endpoint, ...]
    instance: Configuration
    places: Places
    now: datetime
    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What each host of ours, and of our peers, stands for."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    chains: Mapping[str, ChainFile] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    every_route: bool = True
    """False where a transport table cannot be listed."""
    certificates: Mapping[Pin, tuple[tuple[ServerName, Certificate], ...]] = field(default_factory=dict)
    """All that home publishes, by key."""
    current: str = ""
    """The current certificate, by its short fingerprint; empty for none, and where we could not look."""
    wires: tuple[WireSighting, ...] = ()
    """What answered at the listeners of the configuration; empty where nobody was to go there."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, in a sentence each."""

    def receivers(self) -> tuple[Receiver, ...]:
        """The listeners to judge: those of the configuration, and others that decide by certificates."""
        ours = {}
        for endpoint in self.endpoints:
            found = self.instance.at(endpoint, self.addresses.get(endpoint.host, ()))
            if found is not None:
                ours[found.key] = Receiver(found, str(endpoint), ours=True)
        others = (
            Receiver(one, one.name, ours=False)
            for one in self.instance.services
            if one.receives and one.key not in ours and mentions(self.instance, one, *PINNED)
        )
        return (*ours.values(), *others)

    def unheard(self) -> Iterator[Endpoint]:
        """Endpoints of the configuration at which nothing receives."""
        for endpoint in self.endpoints:
            if self.instance.at(endpoint, self.addresses.get(endpoint.host, ())) is None:
                yield endpoint

    def unseen_wires(self) -> Iterator[WireSighting]:
        """Looks at listeners that did not take place, for a reason of our own."""
        return (one for one in self.wires if one.failure is WireFailure.NO_ANSWER)

    def hubs(self) -> tuple[Program, ...]:
        """The transports that are meant for peers: ours, and others that insist on pins."""
        return tuple(
            one
            for one in self.instance.services
            if one.sends
            and (one.name == HUB or self.instance.setting(one, "smtp_tls_security_level") == "fingerprint")
        )

    def table(self, name: str) -> Table:
        """What was seen of that table."""
        return self.tables.get(name, Table(name, why="it was not looked at"))

    def policies(self, service: Program) -> Iterator[Table]:
        """The policy tables of a transport, in the order in which it asks them."""
        for name in pieces(self.instance.setting(service, "smtp_tls_policy_maps")):
            yield self.table(name)


def host_of(next_hop: str) -> str:
    """The host or domain of ``[hub2.example.test]:2525``, without brackets and port."""
    return _parts(next_hop)[0]


def may_mean(key: str, next_hop: str) -> bool:
    """True if a policy entry was meant for that next hop: the same host, and no other port."""
    (host, port), (other, at) = _parts(key), _parts(next_hop)
    return host == other and (port == at or not port or not at)


def _parts(next_hop: str) -> tuple[str, str]:
    found = _NEXT_HOP.match(next_hop.strip().lower())
    return (found["host"], found["port"] or "") if found else (next_hop.lower(), "")


def relevant_tables(instance: Configuration) -> tuple[str, ...]:
    """The tables of certificates and of policy that any service uses, each once."""
    names: dict[str, None] = {}
    for service in instance.services:
        if service.receives:
            names |= dict.fromkeys(pieces(instance.setting(service, "relay_clientcerts")))
        if service.sends:
            names |= dict.fromkeys(pieces(instance.setting(service, "smtp_tls_policy_maps")))
    return tuple(names)
