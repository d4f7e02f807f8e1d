"""
Controls: small additions to a request, and what comes back with the answer.

A control that is *critical* is refused by a server that does not know it (12); any other is ignored without
a word.  So every control here is critical whose loss would change what an answer means: a write without its
condition, a search without its pages.  `syncrepl.py` has those that follow a directory's changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber, filters, responses
from mailtrust.ldap.responses import Control, Entry, Response

PAGED = "1.2.840.113556.1.4.319"
PRE_READ = "1.3.6.1.1.13.1"
POST_READ = "1.3.6.1.1.13.2"
ASSERTION = "1.3.6.1.1.12"
NOTIFICATION = "1.2.840.113556.1.4.528"
DIR_SYNC = "1.2.840.113556.1.4.841"
DOMAIN_SCOPE = "1.2.840.113556.1.4.1339"
SHOW_DELETED = "1.2.840.113556.1.4.417"
MANAGE_REFERRALS = "2.16.840.1.113730.3.4.2"

_ENTRY_TAGS = frozenset({0x64, ber.SEQUENCE})


class DirSyncFlags(IntFlag):
    """What an Active Directory controller is to tell."""

    NONE = 0
    OBJECT_SECURITY = 1
    """Only what this account may read: works for ordinary accounts."""
    ANCESTORS_FIRST = 0x800
    PUBLIC_DATA_ONLY = 0x2000
    INCREMENTAL_VALUES = 0x80000000


@dataclass(frozen=True, slots=True)
class DirSyncPage:
    """How far a DirSync search has come; hand the cookie to the next one, today or after a restart."""

    cookie: bytes
    more: bool
    """Ask again at once: this was not all."""


def paged(size: int, cookie: bytes = b"") -> Control:
    """Give at most *size* entries (RFC 2696), from where *cookie* left off."""
    return Control(PAGED, ber.sequence(ber.integer(size), ber.octets(cookie)), critical=True)


def page_cookie(response: Response) -> bytes | None:
    """What to ask for the next page with: empty behind the last, None if there are none.  Raises NotLdap."""
    value = _value(response, PAGED)
    if value is None:
        return None
    inside = ber.Reader(value).enter()
    # An estimate of how many entries there are; servers send 0.
    inside.integer()
    return inside.take()


def pre_read(*attributes: str) -> Control:
    """Tell what these attributes held just before this write (RFC 4527)."""
    return _read_entry(PRE_READ, attributes)


def post_read(*attributes: str, critical: bool = True) -> Control:
    """Tell what these attributes hold just after this write (RFC 4527); who can do without reads again."""
    return _read_entry(POST_READ, attributes, critical=critical)


def entry_before(response: Response) -> Entry | None:
    """The entry of `pre_read`; None if it does not tell, or a right is missing.  Raises NotLdap."""
    return _entry(response, PRE_READ)


def entry_after(response: Response) -> Entry | None:
    """The entry of `post_read`; None if it does not tell, or a right is missing.  Raises NotLdap."""
    return _entry(response, POST_READ)


def only_if(condition: filters.Filter) -> Control:
    """Do it only if the entry matches (RFC 4528); otherwise the result is ASSERTION_FAILED."""
    return Control(ASSERTION, filters.encode(condition), critical=True)


def notify() -> Control:
    """
    Send every entry that changes from now on, and no result (Active Directory).

    Takes the filter (objectClass=*) alone, and five searches on a connection.  It is a hint: several changes
    come as one, a deletion may not come at all.
    """
    return Control(NOTIFICATION, critical=True)


def dir_sync(
    cookie: bytes = b"", flags: DirSyncFlags = DirSyncFlags.OBJECT_SECURITY, most_bytes: int = 0
) -> Control:
    """What changed since *cookie* below a naming context's head (Active Directory); 0 bytes: no limit."""
    # The flags are 32 bits with a sign on the wire, and the topmost of them is used.
    signed = int.from_bytes(int(flags).to_bytes(4, "big"), "big", signed=True)
    value = ber.sequence(ber.integer(signed), ber.integer(most_bytes), ber.octets(cookie))
    return Control(DIR_SYNC, value, critical=True)


def dir_sync_page(response: Response) -> DirSyncPage | None:
    """Where to go on; None if the server said nothing about it.  Raises NotLdap."""
    value = _value(response, DIR_SYNC)
    if value is None:
        return None
    inside = ber.Reader(value).enter()
    more = inside.integer() != 0
    inside.integer()
    return DirSyncPage(inside.take(), more)


def domain_scope() -> Control:
    """Give no references to other naming contexts (Active Directory); not critical, for they do no harm."""
    return Control(DOMAIN_SCOPE)


def show_deleted() -> Control:
    """Find deleted entries as well (Active Directory)."""
    return Control(SHOW_DELETED, critical=True)


def manage_referrals() -> Control:
    """Take entries that refer to other servers for entries like any other (RFC 3296)."""
    return Control(MANAGE_REFERRALS, critical=True)


def _read_entry(kind: str, attributes: tuple[str, ...], *, critical: bool = True) -> Control:
    return Control(kind, ber.sequence(*map(ber.octets, attributes)), critical=critical)


def _value(response: Response, kind: str) -> bytes | None:
    control = response.control(kind)
    return control.value if control else None


def _entry(response: Response, kind: str) -> Entry | None:
    value = _value(response, kind)
    if value is None:
        return None
    tag, inside = ber.Reader(value).enter_any()
    # RFC 4527 wants the tag of a search's entry; OpenLDAP sends a plain sequence.
    if tag not in _ENTRY_TAGS:
        raise NotLdap(f"a control with tag 0x{tag:02x} where an entry belongs")
    return responses.entry(inside)
