"""
What was seen of an Exchange organization: the input of the audit.

Nothing here judges.  An Exchange server publishes its internal transport certificate in one attribute of one
value, ``msExchServerInternalTLSCert`` on its own object in the configuration partition, which every domain
controller of the forest holds.  So there is one `ReplicaSighting` per controller, and one `WireSighting` per
endpoint and verb.  "Could not look" is None with a reason; "not asked" is a value of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag, StrEnum

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said
from mailtrust.core.model.replication import Seen, Stamp
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting, WireSighting

STARTTLS, X_ANONYMOUSTLS = "STARTTLS", "X-ANONYMOUSTLS"


class Role(IntFlag):
    """``msExchCurrentServerRoles``; bits that are not here do not matter to us."""

    UNKNOWN = 0
    CAFE = 1
    MAILBOX = 2
    CLIENT_ACCESS = 4
    UNIFIED_MESSAGING = 16
    HUB_TRANSPORT = 32
    EDGE = 64
    PROVISIONED = 4096
    """An object that waits for a setup to come: there is no server yet."""
    FRONT_END_TRANSPORT = 16384


_RELEASES = {(8, None): "2007", (14, None): "2010", (15, 0): "2013", (15, 1): "2016"}
_FIRST_SE_BUILD = 2562
_TRANSPORT = Role.HUB_TRANSPORT | Role.EDGE | Role.FRONT_END_TRANSPORT


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A build of Exchange, as ``15.2.1118.7``."""

    major: int
    minor: int
    build: int
    revision: int = 0

    @property
    def release(self) -> str:
        """What people call it: ``2019``; the number where it has no such name."""
        if (self.major, self.minor) == (15, 2):
            return "SE" if self.build >= _FIRST_SE_BUILD else "2019"
        return _RELEASES.get((self.major, self.minor), _RELEASES.get((self.major, None), f"{self.major}"))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}.{self.revision}"


@dataclass(frozen=True, slots=True)
class Controller:
    """One domain controller.  It is readable unless *why* says what stopped us."""

    name: str
    """Its host name, as ``-DomainController`` takes it."""
    url: str
    """As the sightings that were made there have it in *place*."""
    site: str = ""
    """Its Active Directory site; empty where that is unknown."""
    read_only: bool = False
    in_site: bool = True
    """It stands in a site with Exchange servers, so that one of them may read it."""
    asked: bool = True
    """False where it was not to be read: nothing is known of it, and nothing is wrong."""
    why: str = ""
    writer: str = ""
    """How its own writes are signed in stamps: its invocationId."""
    seen: Seen = field(default_factory=dict)
    """How far it has seen of each writer."""

    @property
    def readable(self) -> bool:
        """True if it was asked, and answered."""
        return self.asked and not self.why


class Direction(StrEnum):
    """What a connector is for."""

    RECEIVE = "receive"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Connector:
    """A Receive or Send connector.  None is unknown, which is not "none"."""

    direction: Direction
    name: str
    """As Exchange's cmdlets show and take it: ``MBX1\\Default Frontend MBX1``, or ``To the Internet``."""
    servers: tuple[str, ...]
    """The names of the servers that it belongs to, or that send by it."""
    dn: str = ""
    fqdn: str = ""
    """What it announces; empty: the server's own."""
    tls_certificate_name: str = ""
    """As it stands there: ``<I>issuer<S>subject``; empty: the certificate is chosen by name."""
    bindings: tuple[str, ...] | None = None
    """``0.0.0.0:25``, ``[::]:25``; of a Receive connector."""
    remote_ranges: tuple[str, ...] | None = None
    """``10.0.0.0-10.0.255.255``, ``10.0.0.0/16`` or one address; of a Receive connector."""
    auth: frozenset[str] | None = None
    """``Tls``, ``ExchangeServer`` and so on, as Exchange names them."""
    enabled: bool | None = None
    smart_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreCertificate:
    """A certificate in a server's own store, as the collector saw it there."""

    thumbprint: str
    """40 lower-case hex digits."""
    certificate: Certificate | None
    """None where its bytes were not given or cannot be read."""
    services: frozenset[str] = frozenset()
    """``SMTP``, ``IIS`` and so on.  SMTP says that the key may be used, not that it is the internal one."""
    has_key: bool | None = None
    network_service_reads: bool | None = None
    """Whether the account of the transport may read the private key."""
    status: str = ""

    @property
    def is_bound(self) -> bool:
        """True if a service uses it; Exchange writes ``None`` where none does."""
        return bool(self.services - {"None"})


@dataclass(frozen=True, slots=True)
class EdgeSubscription:
    """An Edge server that was subscribed, and the site that it was subscribed to."""

    name: str
    site: str


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the server's own event log."""

    at: datetime
    source: str
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What the offline collector wrote on one Exchange server."""

    server: str
    """Its name, as cmdlets take it."""
    fqdn: str
    collected_at: datetime
    place: str
    """The file that we read it from."""
    certificates: tuple[StoreCertificate, ...] | None
    """None where the store could not be read."""
    internal_thumbprint: str | None
    """What that server itself reads from the directory; empty: nothing; None: it could not say."""
    roles: Role = Role.UNKNOWN
    version: Version | None = None
    site: str = ""
    organization: str = ""
    connectors: tuple[Connector, ...] | None = None
    edge_subscriptions: tuple[EdgeSubscription, ...] | None = None
    logged: tuple[Logged, ...] | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    """By part (``certificates``, ``connectors`` …), what the shell said where it gave none."""


@dataclass(frozen=True, slots=True)
class ExchangeServer:
    """One ``msExchExchangeServer`` object, and what its endpoints showed."""

    name: str
    """Its CN, which is its NetBIOS name, as cmdlets take it."""
    fqdn: str
    """From ``networkAddress``; empty where it does not tell."""
    dn: str
    roles: Role = Role.UNKNOWN
    version: Version | None = None
    site: str = ""
    """Its Active Directory site.  Of an Edge server: the site that it is subscribed to."""
    published: tuple[ReplicaSighting, ...] = ()
    """One per controller that was asked: found is empty, or one certificate; or one unparsable value."""
    written: Mapping[str, Stamp | None] = field(default_factory=dict)
    """
    By place, the last write of the attribute there: None proves that it was never written.  A place that is
    missing could not tell.  A stamp beside an empty sighting: it was written, and taken out again.
    """
    takes_part_in_edgesync: bool | None = None
    """Whether it holds credentials of EdgeSync, which its certificate's key encrypts."""
    wires: tuple[WireSighting, ...] = ()
    """One per endpoint and verb; *verb* is the one that was asked for, also where the look failed."""
    collected: Collected | None = None

    @property
    def server(self) -> ServerName:
        """The name that findings, replica sightings and wire sightings have."""
        return ServerName((self.fqdn or self.name).rstrip(".").lower())

    @property
    def is_edge(self) -> bool:
        """True for an Edge Transport server: it stands outside, and is believed by direct trust alone."""
        return Role.EDGE in self.roles

    @property
    def is_there(self) -> bool:
        """False for an object that waits for a setup to come."""
        return Role.PROVISIONED not in self.roles

    @property
    def has_transport(self) -> bool:
        """False for what carries no mail: a mailbox or client access server of 2007 or 2010, or none yet."""
        return self.is_there and (not self.roles or bool(self.roles & _TRANSPORT))


@dataclass(frozen=True, slots=True)
class Organization:
    """Everything that was seen, from one place, in one run."""

    name: str
    dn: str = ""
    """Of the organization's container; empty where no directory was read."""
    forest: str = ""
    seen_from: str = ""
    """The host that looked."""
    account: str = ""
    """As whom the directory was read; empty where that is unknown."""
    controllers: tuple[Controller, ...] = ()
    servers: tuple[ExchangeServer, ...] = ()
    connectors: tuple[Connector, ...] = ()
    sources: Mapping[Endpoint, str] = field(default_factory=dict)
    """By endpoint, the address of ours that we came from: it chooses the Receive connector."""
    notes: tuple[Said, ...] = ()
    """What the reader has to say beside: it saw less than there is, or assumed something."""


def version_of(number: int | None, text: str = "") -> Version | None:
    """
    The version in ``versionNumber``, its revision from ``serialNumber``; None where there is neither.

    The number has 15 bits of build, 6 of minor and 6 of major.  The text, ``Version 15.2 (Build 31118.7)``,
    counts builds of Exchange 2013 and later from 30000.
    """
    words = text.replace("(", " ").replace(")", " ").split()
    said = words[3].split(".") if len(words) == 4 and words[0] == "Version" and words[2] == "Build" else []
    revision = int(said[1]) if len(said) == 2 and said[1].isascii() and said[1].isdigit() else 0
    if number is None or number < 1 << 22:
        return _version_in(words[1], said, revision) if said else None
    return Version((number >> 22) & 0x3F, (number >> 16) & 0x3F, number & 0x7FFF, revision)


def _version_in(release: str, said: list[str], revision: int) -> Version | None:
    parts = [*release.split("."), said[0]]
    if len(parts) != 3 or not all(one.isascii() and one.isdigit() and len(one) < 8 for one in parts):
        return None
    major, minor, build = map(int, parts)
    return Version(major, minor, build - 30000 if build >= 30000 else build, revision)
