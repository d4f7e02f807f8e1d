"""
What one may ask a directory (RFC 4511 section 4), as values, and their bytes.

A request says nothing about its number on the connection, nor about controls: those belong to one sending
of it (`connection.py`).  Names of entries are text here, already escaped (`names.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from math import ceil

from mailtrust.errors import BadInput
from mailtrust.ldap import ber, filters

START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"

NO_ATTRIBUTES = "1.1"
"""The one name to ask for when an entry's presence is all one wants (RFC 4511 section 4.5.1.8)."""
USER_ATTRIBUTES = "*"
OPERATIONAL_ATTRIBUTES = "+"

_VERSION = 3


class Scope(IntEnum):
    """How far below the base a search looks."""

    BASE = 0
    ONE_LEVEL = 1
    SUBTREE = 2


class Aliases(IntEnum):
    """Whether aliases are followed."""

    NEVER = 0
    SEARCHING = 1
    FINDING_BASE = 2
    ALWAYS = 3


class How(IntEnum):
    """What a change does to an attribute."""

    ADD = 0
    """Add these values: refused if one is there already."""
    DELETE = 1
    """Delete these values, or all if none are named: refused if one is not there."""
    REPLACE = 2
    """Have exactly these values, or none."""


@dataclass(frozen=True, slots=True)
class SimpleBind:
    """Sign in with a password; without name and password, as nobody."""

    name: str = ""
    password: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        # RFC 4513 section 5.1.2: many servers say yes to it, and mean nobody.
        if self.name and not self.password:
            raise BadInput(f"{self.name} cannot sign in without a password")

    def encode(self) -> bytes:
        """The operation on the wire."""
        return ber.element(
            0x60, ber.integer(_VERSION), ber.octets(self.name), ber.octets(self.password, 0x80)
        )


@dataclass(frozen=True, slots=True)
class SaslBind:
    """One step of signing in by *mechanism*; credentials that are empty are not the same as none."""

    mechanism: str
    credentials: bytes | None = field(default=None, repr=False)
    name: str = ""

    def encode(self) -> bytes:
        """The operation on the wire."""
        credentials = b"" if self.credentials is None else ber.octets(self.credentials)
        return ber.element(
            0x60,
            ber.integer(_VERSION),
            ber.octets(self.name),
            ber.element(0xA3, ber.octets(self.mechanism), credentials),
        )


@dataclass(frozen=True, slots=True)
class Unbind:
    """Say goodbye.  Nothing is answered."""

    def encode(self) -> bytes:
        """The operation on the wire."""
        return ber.element(0x42)


@dataclass(frozen=True, slots=True)
class Search:
    """Entries at or below *base*.  A limit of 0 is the server's own; naming no attributes asks for all."""

    base: str
    scope: Scope = Scope.SUBTREE
    wanted: filters.Filter = filters.EVERYTHING
    attributes: tuple[str, ...] = ()
    size_limit: int = 0
    time_limit: timedelta = timedelta()
    """Rounded up to seconds.  It is the server's promise, and no deadline of ours."""
    types_only: bool = False
    aliases: Aliases = Aliases.NEVER

    def encode(self) -> bytes:
        """The operation on the wire."""
        return ber.element(
            0x63,
            ber.octets(self.base),
            ber.integer(self.scope, ber.ENUMERATED),
            ber.integer(self.aliases, ber.ENUMERATED),
            ber.integer(self.size_limit),
            ber.integer(ceil(self.time_limit.total_seconds())),
            ber.boolean(self.types_only),
            filters.encode(self.wanted),
            ber.sequence(*map(ber.octets, self.attributes)),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one attribute."""

    how: How
    attribute: str
    values: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Modify:
    """All of these changes in this order, or none: deleting the old value and adding the new is a swap."""

    name: str
    changes: tuple[Change, ...]

    def encode(self) -> bytes:
        """The operation on the wire."""
        changes = (
            ber.sequence(ber.integer(one.how, ber.ENUMERATED), _attribute(one.attribute, one.values))
            for one in self.changes
        )
        return ber.element(0x66, ber.octets(self.name), ber.sequence(*changes))


@dataclass(frozen=True, slots=True)
class Add:
    """A new entry with these attributes, each with its values."""

    name: str
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...]

    def encode(self) -> bytes:
        """The operation on the wire."""
        attributes = (_attribute(name, values) for name, values in self.attributes)
        return ber.element(0x68, ber.octets(self.name), ber.sequence(*attributes))


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an entry that has none below it."""

    name: str

    def encode(self) -> bytes:
        """The operation on the wire."""
        return ber.octets(self.name, 0x4A)


@dataclass(frozen=True, slots=True)
class Abandon:
    """Forget another request.  Nothing is answered, and a write may have been done already."""

    message_id: int

    def encode(self) -> bytes:
        """The operation on the wire."""
        return ber.integer(self.message_id, 0x50)


@dataclass(frozen=True, slots=True)
class Extended:
    """An operation that has a number of its own, such as START_TLS."""

    number: str
    value: bytes | None = None

    def encode(self) -> bytes:
        """The operation on the wire."""
        value = b"" if self.value is None else ber.octets(self.value, 0x81)
        return ber.element(0x77, ber.octets(self.number, 0x80), value)


Bind = SimpleBind | SaslBind
Request = Bind | Search | Modify | Add | Delete | Extended
"""What is answered by a result in the end."""


def _attribute(name: str, values: tuple[bytes, ...]) -> bytes:
    return ber.sequence(ber.octets(name), ber.element(ber.SET, *map(ber.octets, values)))
