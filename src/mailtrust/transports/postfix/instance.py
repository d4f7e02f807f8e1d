"""
One Postfix instance of this machine, as root changes it: its tables, its chain file, a reload.

What runs as another account asks for the same through `asking`.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix import chain, processes
from mailtrust.transports.postfix.compile import Differences, Tables
from mailtrust.transports.postfix.processes import Daemon
from mailtrust.transports.postfix.tables import table_files

_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A reload that was done."""

    older: tuple[Daemon, ...] | None
    """The processes that were there before it, and read the chain file before; None: we could not look."""
    why: str = ""


class Hands(Protocol):
    """
    Whatever changes an instance.  Each may be repeated.  Not for two threads at once.

    Raises: TransportUnavailable; BadInput for what must not be written.
    """

    def write(self, tables: Tables) -> None:
        """Let each table have its rows and nothing else."""

    def change(self, differences: Differences) -> None:
        """Put and remove those rows of tables that are there."""

    def install(self, pem: bytes) -> None:
        """Put the chain file there; it is presented after a reload."""

    def reload(self) -> Reloaded:
        """Let new processes take over; sessions that are open go on."""

    def close(self) -> None:
        """Let go of what is held."""


class Instance:
    """The instance configured in *config*, whose tables and chain file are in *folder*."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self._tables = table_files(folder, config)

    def write(self, tables: Tables) -> None:
        """As `Hands.write`."""
        self._tables.write(tables)

    def change(self, differences: Differences) -> None:
        """As `Hands.change`."""
        self._tables.change(differences)

    def install(self, pem: bytes) -> None:
        """As `Hands.install`."""
        chain.install(self.folder, pem)

    def reload(self) -> Reloaded:
        """As `Hands.reload`."""
        began = processes.boot_clock()
        queue = Path(_postfix("postconf", "-c", str(self.config), "-hx", "queue_directory").strip())
        _postfix("postfix", "-c", str(self.config), "reload")
        seen = processes.look(queue)
        return Reloaded(seen.older_than(began), seen.why)

    def close(self) -> None:
        """As `Hands.close`."""
        self._tables.close()


def _postfix(*words: str) -> str:
    environment = {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, env=environment, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransportUnavailable(f"`{' '.join(words)}` cannot be run") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise TransportUnavailable(
            f"`{' '.join(words)}` failed{f': {said[-1].strip()}' if said else ''}",
            hint="`postfix check` and Postfix's own log say more",
        )
    return done.stdout
