"""What the lab asks of a directory, whatever it is made of: replicas of its own, and ways to break them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from mailtrust.core.model.server import ServerName


class Replicas(Protocol):
    """
    The replicas of a lab's directory, which come to agree by themselves until they are kept from it.

    Each is named by its URL.  What is broken may be broken again, and what is whole may be mended: that
    changes nothing.  Raises: DirectoryUnavailable where a server does not do what it is told.
    """

    urls: tuple[str, ...]
    """The first one is the primary."""
    lag: timedelta
    """How long what is written at one replica is under way to the others."""
    kind: str
    """What each of them is, in plural."""
    every_replica_takes_writes: bool
    """Whether one that is late is mended by writing there; else its link has to heal."""
    damaged: str
    """What `damage` does, behind "a server is stopped, and"."""
    repaired: str
    """What `repair` does, as the beginning of a sentence."""

    def name(self, url: str) -> str:
        """What a hand in another terminal calls it."""

    def delay(self, url: str, lag: timedelta) -> None:
        """Let what is under way to one replica, and from it, be under way so long instead of `lag`."""

    def settings(self, server: ServerName) -> Mapping[str, str]:
        """More of that server's table ``directory``: how it signs in."""

    async def cut(self, url: str) -> None:
        """Cut the replication link of one replica: it neither gives nor takes."""

    async def heal(self, url: str) -> None:
        """Mend its link; it is offered everything again."""

    async def damage(self, url: str) -> None:
        """Make a replica unreadable."""

    async def repair(self, url: str) -> None:
        """Make it readable again, as it was."""

    def restored_afterwards(self, url: str) -> AbstractAsyncContextManager[None]:
        """Take a backup of a replica now, and bring it back at the end, over what was written since."""

    def garbage(self, server: ServerName) -> bytes:
        """A value that this directory takes, and that is no certificate that anybody can read."""
