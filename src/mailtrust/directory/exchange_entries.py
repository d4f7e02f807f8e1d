"""
What Exchange writes into Active Directory about its servers and connectors, read from entries into values.

Everything here was written by somebody else: it may be missing, may not be shown to this account, or may be
nonsense.  So nothing raises, what is not known is None, and no value is longer than it has any reason to be.
A server is told by where its entry stands, never by what another entry says about itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mailtrust.core.exchange.facts import Connector, Direction, Role, Version, version_of
from mailtrust.core.model.server import server_name
from mailtrust.errors import BadInput
from mailtrust.ldap import names
from mailtrust.ldap.filters import Equal, Filter, Or, Present
from mailtrust.ldap.names import Name, Step
from mailtrust.ldap.responses import Entry

CERTIFICATE = "msExchServerInternalTLSCert"
ARE_SERVERS = Equal("objectClass", b"msExchExchangeServer")
SERVER_ATTRIBUTES = (
    CERTIFICATE, "networkAddress", "msExchCurrentServerRoles", "msExchServerSite", "versionNumber",
    "serialNumber", "msExchEdgeSyncCredential", "replPropertyMetaData", "whenChanged",
)  # fmt: skip

_RECEIVES, _SENDS = b"msexchsmtpreceiveconnector", b"msexchroutingsmtpconnector"
_RECEIVE_FQDN, _SEND_FQDN = "msExchSMTPReceiveConnectorFQDN", "msExchSMTPSendConnectorFQDN"
# Both names are in Exchange's schema for a connector's TlsCertificateName.
_TLS_NAMES = ("msExchSmtpTLSCertificate", "msExchSmtpReceiveTlsCertificateName")
_BINDINGS, _RANGES = "msExchSmtpReceiveBindings", "msExchSmtpReceiveRemoteIPRanges"
_AUTH = "msExchSMTPReceiveInboundSecurityFlag"
_SMART_HOST, _SOURCES = "msExchSmtpSmartHost", "msExchSourceBridgeheadServersDN"
_ENABLED = {Direction.RECEIVE: "msExchSmtpReceiveEnabled", Direction.SEND: "msExchSmtpSendEnabled"}

# By their classes, and by what only connectors have: so that a class that we do not know is seen as well.
ARE_CONNECTORS: Filter = Or(
    (
        Equal("objectClass", _RECEIVES), Equal("objectClass", _SENDS),
        *map(Present, (*_TLS_NAMES, _RECEIVE_FQDN, _SEND_FQDN)),
    )
)  # fmt: skip
CONNECTOR_ATTRIBUTES = (
    "objectClass", *_TLS_NAMES, _RECEIVE_FQDN, _SEND_FQDN, _BINDINGS, _RANGES, _AUTH, _SMART_HOST, _SOURCES,
    *_ENABLED.values(),
)  # fmt: skip

# In the order of the documented enumeration ReceiveConnector.AuthMechanisms, a bit each; the numbers
# themselves stand in no public document that was found.
_MECHANISMS = (
    "Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer", "ExternalAuthoritative",
)  # fmt: skip
_MOST_CHARACTERS = 4096
_MOST_VALUES = 2000
_HOST_PROTOCOL = "ncacn_ip_tcp:"

Key = tuple[Step, ...]
"""Of an entry's name: the same on every controller, however it writes the name."""


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """One server's entry, as one controller shows it."""

    dn: Name
    fqdn: str
    roles: Role
    version: Version | None
    site: str
    holds_credentials: bool
    """It has credentials of EdgeSync that this account may see."""
    value: bytes | None
    """Of the attribute with the certificate; None where there is none, or none to be seen."""
    metadata: bytes | None
    """``replPropertyMetaData``."""
    changed_at: datetime | None
    """When the entry as a whole was last changed, on that controller."""

    @property
    def name(self) -> str:
        """As cmdlets take it."""
        return _cut(self.dn.leaf)


def server(entry: Entry) -> ServerEntry:
    """A server's entry as it was read."""
    number = _number(entry, "versionNumber")
    return ServerEntry(
        dn_of(entry.name),
        _host(entry),
        Role((_number(entry, "msExchCurrentServerRoles") or 0) & 0x7FFFFFFF),
        version_of(None if number is None else number & 0xFFFFFFFF, _text(entry, "serialNumber")),
        _cut(dn_of(_text(entry, "msExchServerSite")).leaf),
        bool(entry.values("msExchEdgeSyncCredential")),
        next(iter(entry.values(CERTIFICATE)), None),
        next(iter(entry.values("replPropertyMetaData")), None),
        _moment(_text(entry, "whenChanged")),
    )


def connector(entry: Entry, owners: Mapping[Key, str]) -> Connector | None:
    """
    A connector as it was read; *owners* are the names of servers, by entry.

    None for what is no connector, or belongs to no server that is known.
    """
    dn = dn_of(entry.name)
    direction = _direction(entry, dn, owners)
    if direction is Direction.RECEIVE:
        owner = _owner(dn, owners)
        return None if owner is None else _connector(entry, dn, direction, (owner,))
    if direction is Direction.SEND:
        found = (_owner(dn_of(_decoded(one)), owners) for one in entry.values(_SOURCES)[:_MOST_VALUES])
        return _connector(entry, dn, direction, tuple(dict.fromkeys(one for one in found if one)))
    return None


def dn_of(text: str) -> Name:
    """The name that *text* writes; the root's for what is no name."""
    try:
        return names.parse(text)
    except BadInput:
        return Name()


def _connector(entry: Entry, dn: Name, direction: Direction, servers: tuple[str, ...]) -> Connector:
    receives = direction is Direction.RECEIVE
    name = _cut(dn.leaf)
    return Connector(
        direction,
        f"{servers[0]}\\{name}" if receives else name,
        servers,
        _cut(str(dn)),
        _text(entry, _RECEIVE_FQDN if receives else _SEND_FQDN),
        next((text for one in _TLS_NAMES if (text := _text(entry, one))), ""),
        _texts(entry, _BINDINGS) if receives else None,
        _texts(entry, _RANGES) if receives else None,
        _auth(entry) if receives else None,
        {b"TRUE": True, b"FALSE": False}.get(next(iter(entry.values(_ENABLED[direction])), b"").upper()),
        () if receives else tuple(_smart_hosts(entry)),
    )


def _direction(entry: Entry, dn: Name, owners: Mapping[Key, str]) -> Direction | None:
    classes = {one.lower() for one in entry.values("objectClass")}
    if _RECEIVES in classes or entry.values(_RECEIVE_FQDN):
        return Direction.RECEIVE
    if _SENDS in classes or entry.values(_SEND_FQDN) or entry.values(_SOURCES):
        return Direction.SEND
    return Direction.RECEIVE if dn.key not in owners and _owner(dn, owners) is not None else None


def _owner(dn: Name, owners: Mapping[Key, str]) -> str | None:
    """The server whose entry it is, or below whose entry it stands."""
    key = dn.key
    return next((owners[key[at:]] for at in range(len(key)) if key[at:] in owners), None)


def _host(entry: Entry) -> str:
    for one in map(_decoded, entry.values("networkAddress")[:_MOST_VALUES]):
        if one.lower().startswith(_HOST_PROTOCOL):
            try:
                return server_name(one[len(_HOST_PROTOCOL) :])
            except BadInput:
                continue
    return ""


def _auth(entry: Entry) -> frozenset[str] | None:
    flags = _number(entry, _AUTH)
    if flags is None:
        return None
    return frozenset(name for bit, name in enumerate(_MECHANISMS) if flags >> bit & 1)


def _smart_hosts(entry: Entry) -> Iterator[str]:
    for one in _text(entry, _SMART_HOST).replace(";", ",").split(",")[:_MOST_VALUES]:
        if one.strip():
            yield one.strip()


def _texts(entry: Entry, attribute: str) -> tuple[str, ...] | None:
    """
    All values; None where there are none to be seen, or where the controller gave only some of them.

    Of very many it gives the first alone, under another name (``;range=0-1499``).
    """
    found = entry.values(attribute)
    return tuple(map(_decoded, found)) if 0 < len(found) <= _MOST_VALUES else None


def _text(entry: Entry, attribute: str) -> str:
    return _decoded(next(iter(entry.values(attribute)), b""))


def _decoded(value: bytes) -> str:
    return _cut(value[: 4 * _MOST_CHARACTERS].decode("utf-8", "replace").strip("\0 "))


def _cut(text: str) -> str:
    return text[:_MOST_CHARACTERS]


def _number(entry: Entry, attribute: str) -> int | None:
    text = _text(entry, attribute)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def _moment(text: str) -> datetime | None:
    """``20261124235128.0Z``."""
    try:
        return datetime.strptime(text.partition(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
