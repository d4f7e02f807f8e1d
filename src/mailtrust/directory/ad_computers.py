"""
How a server's certificates stand in Active Directory: below its own computer account.

    dn: CN=mailtrust-3dbf4f8c…,CN=HUB1,OU=Mail Servers,DC=corp,DC=example
    objectClass: serviceConnectionPoint
    serviceClassName: mailtrust
    serviceDNSName: hub1.corp.example
    serviceBindingInformation: smtp://hub1.corp.example:25
    serviceBindingInformation: cert:MIIB…

One such *point* for each certificate, because Active Directory replicates an attribute as a whole: of two
additions at two controllers at once it would keep one.

A point proves nothing by itself.  Whose it is, says the account above it: the directory checks an account's
``dNSHostName``, and only the account itself (and administrators) can put a point below it.  And only the
accounts that administrators listed as mail servers count, for on Windows anybody may join a computer.
"""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailtrust.core.model.certificate import Fingerprint, certificate, fingerprint_of
from mailtrust.core.model.replication import Seen, Stamp
from mailtrust.core.model.server import Endpoint, ServerName, endpoint, server_name
from mailtrust.core.model.sighting import Impostor, Published, ReplicaSighting, Unparsable
from mailtrust.errors import BadInput, NotACertificate
from mailtrust.ldap import metadata, names
from mailtrust.ldap.filters import And, Equal, Filter
from mailtrust.ldap.names import Name, Step
from mailtrust.ldap.requests import Change, How
from mailtrust.ldap.responses import Entry

POINT_ATTRIBUTES = (
    "serviceDNSName", "serviceBindingInformation", "replPropertyMetaData", "whenCreated", "uSNChanged",
    "objectGUID",
)  # fmt: skip
MARK_ATTRIBUTES = ("objectGUID", "serviceDNSName", "uSNChanged")
"""What tells that a point changed."""
COMPUTER_ATTRIBUTES = ("dNSHostName", "userAccountControl")
ARE_POINTS: Filter = And(
    (Equal("objectClass", b"serviceConnectionPoint"), Equal("serviceClassName", b"mailtrust"))
)
BINDING = "serviceBindingInformation"
# Of 1.2.840.113556.1.4.510, by the prefixes that every forest begins with (MS-DRSR 5.16.4).
_BINDING_KEY = 0x000901FE
_CERTIFICATE, _LISTENER = b"cert:", "smtp://"
_DISABLED = 0x2
_DIGITS_IN_NAME = 40
"""A name may have 64 characters."""


@dataclass(frozen=True, slots=True)
class Computer:
    """A computer account."""

    name: Name
    server: ServerName | None
    """By its ``dNSHostName``; None where that is no server's name."""
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Point:
    """One service connection point, as it stands there."""

    name: Name
    claims: str
    """Whose it says that it is."""
    values: tuple[bytes, ...]
    """What it says to be a certificate, decoded."""
    spoilt: tuple[bytes, ...]
    """What it says to be a certificate, and cannot be decoded."""
    listeners: tuple[Endpoint, ...]
    published_at: datetime | None
    stamp: Stamp | None

    @property
    def parent(self) -> tuple[Step, ...]:
        """The account that it stands below, to compare."""
        return self.name.parent.key


def computer(entry: Entry) -> Computer:
    """An account as it was read."""
    flags = next(iter(entry.values("userAccountControl")), b"0")
    is_enabled = not (int(flags) & _DISABLED) if flags.lstrip(b"-").isdigit() else True
    return Computer(names.parse(entry.name), _server(_text(entry, "dNSHostName")), is_enabled)


def point(entry: Entry) -> Point:
    """A point as it was read."""
    bindings = entry.values(BINDING)
    values, spoilt = [], []
    for one in bindings:
        if one[: len(_CERTIFICATE)].lower() == _CERTIFICATE:
            try:
                values.append(base64.b64decode(one[len(_CERTIFICATE) :], validate=True))
            except binascii.Error:
                spoilt.append(one)
    listeners = {found for one in bindings if (found := _listener(one)) is not None}
    stamp = _stamp(entry)
    return Point(
        names.parse(entry.name), _text(entry, "serviceDNSName"), tuple(values), tuple(spoilt),
        tuple(sorted(listeners)), stamp.written_at if stamp else _created(entry), stamp,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Marks:
    """How the points stood at one moment, to compare with another."""

    points: Mapping[bytes, tuple[ServerName | None, bytes]]
    """By GUID, whose a point says that it is, and the number of its last change here."""
    number: int = field(compare=False)
    """The controller's latest write at that moment."""


def marks(entries: Iterable[Entry], number: int) -> Marks:
    """The marks of points as they were read."""
    return Marks(
        {_first(one, "objectGUID"): (claimed(one), _first(one, "uSNChanged")) for one in entries}, number
    )


def whose(before: Marks | str, after: Marks | str) -> frozenset[ServerName] | None:
    """Whose points came, changed or went; None where that cannot be told.  A text says why there are none."""
    if isinstance(before, str) or isinstance(after, str):
        return None
    old, new = before.points, after.points
    differing = {guid for guid in old.keys() | new.keys() if old.get(guid) != new.get(guid)}
    servers = {points[guid][0] for points in (old, new) for guid in differing if guid in points}
    known = frozenset(one for one in servers if one is not None)
    return known if len(known) == len(servers) else None


def claimed(entry: Entry) -> ServerName | None:
    """Whose a point says that it is."""
    return _server(_text(entry, "serviceDNSName"))


def point_name(account: Name, value: bytes) -> Name:
    """Where the point of a value stands below its account."""
    return account.child("CN", f"mailtrust-{fingerprint_of(value)[:_DIGITS_IN_NAME]}")


def new_point(
    server: ServerName, value: bytes, listeners: Iterable[Endpoint]
) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    """The attributes of a point that is not there yet."""
    return (
        ("objectClass", (b"serviceConnectionPoint",)),
        ("serviceClassName", (b"mailtrust",)),
        ("serviceDNSName", (server.encode(),)),
        ("keywords", (b"mailtrust",)),
        (BINDING, _bindings((value,), (), listeners)),
    )


def trial_point(
    account: Name, name: ServerName, value: bytes
) -> tuple[Name, tuple[tuple[str, tuple[bytes, ...]], ...]]:
    """A point that nobody takes for a mail server's, to see whether it may be made."""
    held = tuple(
        (attribute, (b"mailtrust-check",) if attribute in ("serviceClassName", "keywords") else values)
        for attribute, values in new_point(name, value, ())
    )
    return account.child("CN", name.partition(".")[0]), held


def relistening(held: Point, listeners: Sequence[Endpoint]) -> Change | None:
    """What to change so that a point names these listeners; None where it does."""
    if set(held.listeners) == set(listeners):
        return None
    return Change(How.REPLACE, BINDING, _bindings(held.values, held.spoilt, listeners))


def sightings(
    members: Iterable[Computer],
    others: Iterable[Computer],
    points: Iterable[Point],
    place: str,
    now: datetime,
    seen: Seen,
    writer: str,
) -> Mapping[ServerName, ReplicaSighting]:
    """
    What each server publishes, by name, as far as there is anything to say of it.

    *members* are the accounts that count, *others* the rest of those that points stand below.  A point of
    anybody else, or that claims to be somebody else's, makes an impostor of whom it claims to be.
    """
    accounts = {one.name.key: one for one in others}
    counting = tuple(members)
    names_of: dict[ServerName, int] = defaultdict(int)
    for one in counting:
        if one.server is not None and one.is_enabled:
            names_of[one.server] += 1
    member_at = {one.name.key: one for one in counting}
    own: dict[ServerName, list[Point]] = defaultdict(list)
    false: dict[ServerName, list[Impostor]] = defaultdict(list)
    for held in points:
        account, claimed = member_at.get(held.parent), _server(held.claims)
        why = _doubt(account, claimed, names_of)
        if claimed is not None and not why:
            own[claimed].append(held)
            continue
        elsewhere = account or accounts.get(held.parent)
        server = claimed or (elsewhere.server if elsewhere else None)
        if server is not None:
            false[server] += _impostors(held, why, now)
    return {
        server: _sighting(server, own[server], tuple(false[server]), place, now, seen, writer)
        for server in sorted({*own, *false})
    }


def _doubt(account: Computer | None, claimed: ServerName | None, names_of: Mapping[ServerName, int]) -> str:
    """Why a point below that account is not believed, by the code of a phrase; empty where it is."""
    if account is None:
        return "impostor.no-member"
    if not account.is_enabled:
        return "impostor.disabled"
    if account.server is None or claimed != account.server:
        return "impostor.neighbour"
    return "impostor.twins" if names_of[account.server] > 1 else ""


def _impostors(held: Point, why: str, now: datetime) -> Iterator[Impostor]:
    for value in held.values:
        try:
            yield Impostor(certificate(value), str(held.name), why, held.published_at or now)
        except NotACertificate:
            continue


def _sighting(
    server: ServerName,
    points: Iterable[Point],
    impostors: tuple[Impostor, ...],
    place: str,
    now: datetime,
    seen: Seen,
    writer: str,
) -> ReplicaSighting:
    published: dict[Fingerprint, Published] = {}
    unparsable: dict[Fingerprint, Unparsable] = {}
    listeners: set[Endpoint] = set()
    for held in points:
        moment = held.published_at or now
        listeners.update(held.listeners)
        for value in (*held.values, *held.spoilt):
            digest = fingerprint_of(value)
            try:
                published.setdefault(digest, Published(certificate(value), moment, held.stamp))
            except NotACertificate:
                unparsable.setdefault(digest, Unparsable(digest, len(value), moment))
    return ReplicaSighting(
        server, place, tuple(published[one] for one in sorted(published)), now,
        unparsable=tuple(unparsable[one] for one in sorted(unparsable)),
        listeners=tuple(sorted(listeners)), writer=writer, seen=seen, impostors=impostors,
    )  # fmt: skip


def _bindings(
    values: Iterable[bytes], spoilt: Iterable[bytes], listeners: Iterable[Endpoint]
) -> tuple[bytes, ...]:
    urls = (f"{_LISTENER}{one}".encode() for one in dict.fromkeys(listeners))
    return (*urls, *(_CERTIFICATE + base64.b64encode(one) for one in values), *spoilt)


def _listener(value: bytes) -> Endpoint | None:
    url = value.decode("utf-8", "replace")
    if not url.lower().startswith(_LISTENER):
        return None
    try:
        return endpoint(url[len(_LISTENER) :].rstrip("/"))
    except BadInput:
        return None


def _stamp(entry: Entry) -> Stamp | None:
    blob = next(iter(entry.values("replPropertyMetaData")), None)
    try:
        found = metadata.stamps(blob).get(_BINDING_KEY) if blob is not None else None
    except BadInput:
        return None
    if found is None:
        return None
    return Stamp(str(found.writer), found.writer_number, found.written_at, found.version)


def _created(entry: Entry) -> datetime | None:
    """``20261124235128.0Z``; it replicates, unlike the time of the last change."""
    text = _text(entry, "whenCreated").partition(".")[0].rstrip("Z")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _server(text: str) -> ServerName | None:
    try:
        return server_name(text)
    except BadInput:
        return None


def _text(entry: Entry, attribute: str) -> str:
    return _first(entry, attribute).decode("utf-8", "replace")


def _first(entry: Entry, attribute: str) -> bytes:
    return next(iter(entry.values(attribute)), b"")
