"""
Following a directory's changes (RFC 4533): a search that tells what there is, and then what changes.

First comes the *refresh*, from nothing or from where a cookie left off; with PERSIST the search then stays
and tells every change.  An entry is known by its UUID, for its name may pass to another one.  A refresh may
name what was deleted, or what is *still there*, and then all the rest is gone.

The cookie is the server's own business, except that OpenLDAP with several writers sends, while it persists,
a cookie with the latest number of one writer only: `merged` keeps those of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber
from mailtrust.ldap.responses import Control, Intermediate, Response

SYNC_REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"
SYNC_STATE = "1.3.6.1.4.1.4203.1.9.1.2"
SYNC_DONE = "1.3.6.1.4.1.4203.1.9.1.3"
SYNC_INFO = "1.3.6.1.4.1.4203.1.9.1.4"

_UUID_BYTES = 16
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3


class Mode(IntEnum):
    """Whether the search ends with the refresh."""

    REFRESH = 1
    PERSIST = 3


class Fate(IntEnum):
    """What became of the entry that a message brings."""

    PRESENT = 0
    """Still as it was at the cookie; it comes without attributes."""
    ADD = 1
    MODIFY = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class EntryState:
    """Stands beside every entry."""

    fate: Fate
    uuid: UUID
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewCookie:
    """Everything up to this cookie was told."""

    cookie: bytes


@dataclass(frozen=True, slots=True)
class PhaseEnds:
    """A phase of the refresh is over."""

    deletes: bool
    """True: deletions were named.  False: whatever was not named as present is gone."""
    cookie: bytes | None = None
    refreshed: bool = True
    """The whole refresh is over, and what comes now are changes."""


@dataclass(frozen=True, slots=True)
class Several:
    """Entries named by their UUIDs alone."""

    uuids: tuple[UUID, ...]
    deleted: bool
    """True: these are gone.  False: these are still as they were."""
    cookie: bytes | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Stands beside the result of a search that does not persist."""

    deletes: bool = False
    """True: deletions were named.  False: whatever was not named as present is gone."""
    cookie: bytes | None = None


def sync(mode: Mode = Mode.PERSIST, cookie: bytes | None = None, *, reload: bool = False) -> Control:
    """
    Tell what there is and, with PERSIST, what changes.

    Without a cookie everything is told.  *reload*: where the cookie is too old, send everything anew; without
    it the answer is then E_SYNC_REFRESH_REQUIRED.
    """
    value = ber.sequence(
        ber.integer(mode, ber.ENUMERATED),
        b"" if cookie is None else ber.octets(cookie),
        ber.boolean(reload) if reload else b"",
    )
    return Control(SYNC_REQUEST, value, critical=True)


def state(response: Response) -> EntryState | None:
    """What became of the entry in *response*; None if it does not say.  Raises NotLdap."""
    inside = _inside(response, SYNC_STATE)
    if inside is None:
        return None
    number = inside.integer(ber.ENUMERATED)
    if number not in tuple(Fate):
        raise NotLdap(f"an entry's state of {number}")
    return EntryState(Fate(number), _uuid(inside), _cookie(inside))


def done(response: Response) -> Done | None:
    """How the search in *response* ended; None if it does not say.  Raises NotLdap."""
    inside = _inside(response, SYNC_DONE)
    if inside is None:
        return None
    cookie = _cookie(inside)
    return Done(_flag(inside, default=False), cookie)


def news(message: Intermediate) -> NewCookie | PhaseEnds | Several | None:
    """What a message between the entries says; None if it is about something else.  Raises NotLdap."""
    if message.number != SYNC_INFO:
        return None
    reader = ber.Reader(message.value or b"")
    if reader.next_tag == _NEW_COOKIE:
        return NewCookie(reader.take(_NEW_COOKIE))
    tag, inside = reader.enter_any()
    cookie = _cookie(inside)
    if tag in (_REFRESH_DELETE, _REFRESH_PRESENT):
        return PhaseEnds(tag == _REFRESH_DELETE, cookie, _flag(inside, default=True))
    if tag != _ID_SET:
        raise NotLdap(f"news of an unknown kind, 0x{tag:02x}")
    deleted = _flag(inside, default=False)
    each, uuids = inside.enter(ber.SET), []
    while each.next_tag is not None:
        uuids.append(_uuid(each))
    return Several(tuple(uuids), deleted, cookie)


def merged(old: bytes | None, new: bytes) -> bytes:
    """The cookie to keep when *new* comes and *old* was kept: of each OpenLDAP writer the latest number."""
    latest = _numbers(old or b"")
    after = _numbers(new)
    if not after:
        # OpenLDAP sends cookies that say nothing; those of other servers are theirs to understand.
        return old if old is not None and latest else new
    for writer, number in after.items():
        latest[writer] = max(number, latest.get(writer, b""))
    return cookie_of(tuple(latest.values()))


def cookie_of(context_csn: tuple[bytes, ...]) -> bytes:
    """
    The cookie of what an OpenLDAP server holds, from the values of ``contextCSN`` at its suffix.

    Read them, then search plainly, then `sync` from here: ten times as fast as a refresh from nothing.
    """
    numbers = {_writer(number): number for number in context_csn}
    return b"rid=000,csn=" + b";".join(numbers[writer] for writer in sorted(numbers))


def seen(cookie: bytes) -> dict[str, int]:
    """Of each writer in an OpenLDAP cookie the latest number, as `order` has it."""
    return {writer.decode("ascii", "replace"): order(one) for writer, one in _numbers(cookie).items()}


def order(number: bytes) -> int:
    """
    The place of a change number among all of them, whoever wrote it; 0 for what is none.

    ``20261124235128.123456Z#000000#001#000000`` is the time, a count within it, the writer, and a part.
    """
    time, _, rest = number.partition(b"#")
    digits = time.removesuffix(b"Z").replace(b".", b"").ljust(20, b"0")
    try:
        return int(digits[:20]) * 0x1000000 + int(rest[:6], 16)
    except ValueError:
        return 0


def writer(number: bytes) -> str:
    """Who made a change: ``001`` of ``20261124235128.123456Z#000000#001#000000``."""
    return _writer(number).decode("ascii", "replace")


def _numbers(cookie: bytes) -> dict[bytes, bytes]:
    """OpenLDAP's ``rid=000,sid=001,csn=A;B``: of each writer its latest number."""
    parts = [part for part in cookie.split(b",") if part.startswith(b"csn=")]
    numbers = [number for part in parts for number in part[4:].split(b";") if number.count(b"#") == 3]
    return {_writer(number): number for number in numbers}


def _writer(number: bytes) -> bytes:
    """The third part of ``20261124235128.123456Z#000000#001#000000``."""
    return b"".join(number.split(b"#")[2:3])


def _inside(response: Response, kind: str) -> ber.Reader | None:
    control = response.control(kind)
    return ber.Reader(control.value).enter() if control and control.value is not None else None


def _cookie(inside: ber.Reader) -> bytes | None:
    return inside.take() if inside.next_tag == ber.OCTETS else None


def _flag(inside: ber.Reader, *, default: bool) -> bool:
    return inside.boolean() if inside.next_tag == ber.BOOLEAN else default


def _uuid(inside: ber.Reader) -> UUID:
    raw = inside.take()
    if len(raw) != _UUID_BYTES:
        raise NotLdap(f"a UUID of {len(raw)} bytes")
    return UUID(bytes=raw)
