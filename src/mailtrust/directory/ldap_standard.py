"""
How a server's entry looks in a directory with nothing but the standard schema (OpenLDAP, 389 DS).

    dn: cn=hub1.example.org,ou=mailtrust,dc=example,dc=org
    objectClass: device, pkiUser, labeledURIObject
    userCertificate;binary: one value per certificate
    labeledURI: smtp://192.0.2.1:25

The directory stamps an entry, not a value: so a value counts as published when its entry last changed.
That is the latest moment it can be, and whoever waits for replication waits too long rather than too short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from mailtrust.core.model.certificate import Fingerprint, Pin, certificate, fingerprint_of
from mailtrust.core.model.key_reader import KeyReader
from mailtrust.core.model.replication import Seen, Stamp
from mailtrust.core.model.server import Endpoint, ServerName, endpoint, server_name
from mailtrust.core.model.sighting import Published, ReplicaSighting, Unparsable
from mailtrust.errors import BadInput, NotACertificate
from mailtrust.ldap import names, syncrepl
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Change, How
from mailtrust.ldap.responses import Entry

CERTIFICATE = "userCertificate"
# RFC 4523 section 2.1: it is written with ;binary, whatever the server keeps.
WRITTEN = "userCertificate;binary"
_LISTENER = "labeledURI"
_NUMBER = "entryCSN"
_STAMPS = (_NUMBER, "modifyTimestamp", "createTimestamp")
_CLASS = "objectClass"
_CLASSES = ("device", "pkiUser", "labeledURIObject")
_AUXILIARY = _CLASSES[1:]
_SCHEME = "smtp://"

ATTRIBUTES = (_CLASS, CERTIFICATE, _LISTENER, *_STAMPS)
"""
What to ask for; the stamps are operational, and sent only when they are named.

Certificates are asked for by the plain name alone, which finds them with ;binary and without: 389 DS keeps
the two apart, and sends what is asked for under two names twice.
"""

WITH_AUTHOR = (*ATTRIBUTES, "modifiersName")
"""The same for a few entries: who wrote to them last, too (RFC 4512 section 3.4.2)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A certificate's bytes, under the attribute's name as the server writes it."""

    attribute: str
    der: bytes


def server_of(entry: Entry) -> ServerName | None:
    """Whose entry it is; None if it is no server's."""
    try:
        return server_name(names.parse(entry.name).leaf)
    except BadInput:
        return None


def by_server(entries: Iterable[Entry], base: str) -> dict[ServerName, Entry]:
    """The entries that are a server's, directly below *base*."""
    pairs = ((server_below(one, base), one) for one in entries)
    return {server: one for server, one in pairs if server is not None}


def server_below(entry: Entry, base: str) -> ServerName | None:
    """Whose entry it is, if it stands right below *base* and is named by nothing but the server's name."""
    leaf, _, above = entry.name.partition(",")
    kind, _, name = leaf.partition("=")
    # Nearly all are written plainly, and all alike.
    if "\\" in leaf or kind.lower() != "cn" or (above != base and not _is_same(above, base)):
        server = server_of(entry)
        at = names.parse(base).child("cn", server) if server is not None else None
        return server if at is not None and names.parse(entry.name).is_same(at) else None
    try:
        server = server_name(name)
    except BadInput:
        return None
    return server if server == name.lower() else None


def pins(entry: Entry, server: ServerName, reader: KeyReader) -> Iterator[Pin]:
    """The keys of every published certificate that is no authority."""
    for attribute, held in entry.attributes.items():
        for der in held if _is_certificate(attribute) else ():
            if (pin := reader.believable_pin(der, server)) is not None:
                yield pin


def values(entry: Entry | None) -> tuple[Value, ...]:
    """Every published value, parsable or not."""
    attributes = entry.attributes if entry else {}
    return tuple(
        Value(attribute, der)
        for attribute, held in attributes.items()
        if _is_certificate(attribute)
        for der in held
    )


def changed_at(entry: Entry) -> datetime | None:
    """When the entry last changed, anywhere; None if the directory does not tell."""
    stamps = (entry.values(attribute) for attribute in _STAMPS)
    return next((moment for held in stamps for one in held if (moment := _moment(one))), None)


def holds(entry: Entry | None, der: bytes) -> bool:
    """True if the entry has that value."""
    return der in {one.der for one in values(entry)}


def stamp(entry: Entry) -> Stamp | None:
    """The entry's last change, where the directory numbers its changes (OpenLDAP)."""
    number, moment = next(iter(entry.values(_NUMBER)), None), changed_at(entry)
    if number is None or moment is None or not syncrepl.order(number):
        return None
    return Stamp(syncrepl.writer(number), syncrepl.order(number), moment)


def sighting(
    server: ServerName, entry: Entry | None, place: str, now: datetime, seen: Seen | None = None
) -> ReplicaSighting:
    """
    What the entry shows; without one, or one that shows nothing, an empty sighting.

    *seen* is how far the server had seen of each writer before the entry was read.
    """
    published: list[Published] = []
    unparsable: list[Unparsable] = []
    moment = (changed_at(entry) if entry else None) or now
    changed = stamp(entry) if entry else None
    held = {fingerprint_of(one.der): one.der for one in values(entry)}
    for digest, der in sorted(held.items()):
        try:
            published.append(Published(certificate(der), moment, changed))
        except NotACertificate:
            unparsable.append(Unparsable(digest, len(der), moment))
    # Who publishes nothing presents nothing either: nobody is to be sent there.
    listeners = _listeners(entry) if entry and held else ()
    return ReplicaSighting(
        server, place, tuple(published), now, unparsable=tuple(unparsable), listeners=listeners,
        seen=seen or {}, changed=changed, author=_author(entry) if entry and held else "",
    )  # fmt: skip


def bare_entry(server: ServerName) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The attributes of an entry that publishes nothing yet."""
    yield _CLASS, tuple(one.encode() for one in _CLASSES)
    yield "cn", (server.encode(),)


def ldif(name: Name, server: ServerName) -> str:
    """The same as text, for `ldapadd` (RFC 2849)."""
    pairs = ((attribute, value.decode()) for attribute, held in bare_entry(server) for value in held)
    return "\n".join((f"dn: {name}", *(f"{attribute}: {value}" for attribute, value in pairs), ""))


def new_entry(
    server: ServerName, der: bytes, listeners: Sequence[Endpoint]
) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The attributes of an entry that is not there yet."""
    yield from bare_entry(server)
    yield WRITTEN, (der,)
    if listeners:
        yield _LISTENER, _urls(listeners)


def publication(entry: Entry, der: bytes, listeners: Sequence[Endpoint] | None) -> tuple[Change, ...]:
    """What to change so that the entry holds the value, and these listeners if any are given."""
    return tuple(_publication(entry, der, listeners))


def withdrawal(entry: Entry | None, fingerprint: Fingerprint) -> tuple[Change, ...]:
    """What to change so that the entry does not hold the value."""
    return _without(one for one in values(entry) if fingerprint_of(one.der) == fingerprint)


def withdrawal_of_key(entry: Entry | None, pin: Pin) -> tuple[Change, ...]:
    """What to change so that the entry holds no certificate with that key."""
    return _without(one for one in values(entry) if _pin(one.der) == pin)


def _publication(entry: Entry, der: bytes, listeners: Sequence[Endpoint] | None) -> Iterator[Change]:
    if der not in {one.der for one in values(entry)}:
        held = {one.lower() for one in entry.values(_CLASS)}
        missing = tuple(one.encode() for one in _AUXILIARY if one.lower().encode() not in held)
        # Nothing held means nothing seen: every entry has a class.
        if held and missing:
            yield Change(How.ADD, _CLASS, missing)
        yield Change(How.ADD, WRITTEN, (der,))
    if listeners is not None and set(listeners) != set(_listeners(entry)):
        others = tuple(one for one in entry.values(_LISTENER) if _listener(one) is None)
        yield Change(How.REPLACE, _LISTENER, (*others, *_urls(listeners)))


def _without(held: Iterable[Value]) -> tuple[Change, ...]:
    return tuple(Change(How.DELETE, one.attribute, (one.der,)) for one in held)


def _is_certificate(attribute: str) -> bool:
    return attribute == WRITTEN or attribute.lower().partition(";")[0] == CERTIFICATE.lower()


@lru_cache(maxsize=64)
def _is_same(one: str, other: str) -> bool:
    try:
        return names.parse(one).is_same(names.parse(other))
    except BadInput:
        return False


def _pin(der: bytes) -> Pin | None:
    try:
        return certificate(der).pin
    except NotACertificate:
        return None


def _urls(listeners: Iterable[Endpoint]) -> tuple[bytes, ...]:
    return tuple(f"{_SCHEME}{one}".encode() for one in dict.fromkeys(listeners))


def _listeners(entry: Entry) -> tuple[Endpoint, ...]:
    """In alphabetical order: a directory keeps values in none, and every replica is to show them alike."""
    found = (_listener(one) for one in entry.values(_LISTENER))
    return tuple(sorted({one for one in found if one is not None}))


def _listener(value: bytes) -> Endpoint | None:
    # RFC 2079: a label may follow the address, behind a blank.
    url = value.decode("utf-8", "replace").partition(" ")[0]
    if not url.lower().startswith(_SCHEME):
        return None
    try:
        return endpoint(url[len(_SCHEME) :].rstrip("/"))
    except BadInput:
        return None


def _author(entry: Entry) -> str:
    return next(iter(entry.values("modifiersName")), b"").decode("utf-8", "replace")


def _moment(stamp: bytes) -> datetime | None:
    """The time in ``20261124235128.123456Z#000000#001#000000`` and in ``20261124235128Z``."""
    text = stamp.partition(b"#")[0].decode("ascii", "replace")
    for form in ("%Y%m%d%H%M%S.%fZ", "%Y%m%d%H%M%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
