"""
What this server's account may do in the directory, found out by trying.

A rule that one believes in is worth less than one that was seen to hold.  Every trial leaves the directory as
it was: a value is added and deleted by one request, of which the directory does all or nothing; an entry that
should not have been taken is deleted at once, and its name says what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from mailtrust.core.model.server import ServerName


class Deed(StrEnum):
    """What was tried."""

    OWN = "write-own"
    """Publish on this server's own entry, and withdraw."""
    NEIGHBOUR = "write-neighbour"
    """The same on another server's entry."""
    NEW = "create-entry"
    """Make an entry for a server that does not exist."""
    ANONYMOUS = "read-anonymously"
    """Read the published certificates as nobody."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the directory said to one deed."""

    deed: Deed
    entry: str
    """On what."""
    allowed: bool | None
    """None: it could not be tried."""
    why: str = ""
    """What the directory said, or what stopped us."""


@runtime_checkable
class Guarded(Protocol):
    """A replica that knows who asks."""

    async def rights(self, server: ServerName, neighbour: ServerName | None, value: bytes) -> Sequence[Trial]:
        """
        One trial per deed; a neighbour is tried only where one is named.

        *value* is the certificate to try with, for *server*, of a key that nobody has.
        Raises: DirectoryUnavailable where the replica cannot be asked at all.
        """
