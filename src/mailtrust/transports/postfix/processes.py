"""
Which of Postfix's processes read the chain file before it changed, as far as this machine's /proc tells.

A process reads it once.  After a reload master(8) lets each finish what it is at and then end; one that
hangs stays, and goes on presenting the old certificate in whatever session it opens or has open.  What is
seen is how old a process is, and not what it presents; those of another machine, or of a container that we
are not in, are not seen at all.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PRESENTING = frozenset({"smtpd", "smtp", "lmtp", "tlsproxy", "postscreen"})
"""The daemons that hold a key."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """One process of an instance."""

    pid: int
    name: str
    started_seconds: float
    """Since the machine started, suspensions included, as `boot_clock` counts."""

    def still_runs(self) -> bool:
        """
        True while this very process does; another one may have its number by now.

        Where /proc shows only one's own, it is enough that there is one of that number.
        """
        if _stat(self.pid):
            return _daemon(self.pid) == self
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


@dataclass(frozen=True, slots=True)
class Processes:
    """A look at the presenting processes of an instance."""

    found: tuple[Daemon, ...] | None
    """None: we could not look."""
    why: str = ""

    def older_than(self, moment_seconds: float) -> tuple[Daemon, ...] | None:
        """Those that were there before that moment of `boot_clock`; None: we could not look."""
        if self.found is None:
            return None
        return tuple(one for one in self.found if one.started_seconds < moment_seconds)


def boot_clock() -> float:
    """Seconds since the machine started: what the kernel notes when a process starts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def look(queue_directory: Path) -> Processes:
    """The presenting processes of the instance with that queue; only root may ask which one is its master."""
    file = queue_directory / "pid" / "master.pid"
    try:
        master = int(file.read_text())
        listed = [one.name for one in Path("/proc").iterdir()]
    except (OSError, ValueError) as error:
        return Processes(None, f"{file}: {getattr(error, 'strerror', None) or 'it holds no process number'}")
    children = [_child(int(one), master) for one in listed if one.isdigit()]
    return Processes(tuple(one for one in children if one is not None and one.name in PRESENTING))


def _child(pid: int, master: int) -> Daemon | None:
    fields = _stat(pid)
    return _daemon(pid) if fields and int(fields[1]) == master else None


def _daemon(pid: int) -> Daemon | None:
    fields = _stat(pid)
    if not fields:
        return None
    # proc(5): the 22nd field; the first two are before those that `_stat` splits.
    ticks = int(fields[19])
    return Daemon(pid, _name(pid), ticks / os.sysconf("SC_CLK_TCK"))


def _stat(pid: int) -> list[str]:
    try:
        # The name in parentheses may hold blanks and parentheses itself.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
