"""systemd's own journal and its reader, privately: in mounts that nobody else sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import PATIENCE
from tests.programs import needs, program

JOURNALD = "/lib/systemd/systemd-journald"
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
CATALOGS = "/var/lib/systemd/catalog"

needs_journald = [needs(JOURNALD, "journalctl", "unshare"), pytest.mark.timeout(120)]


@cache
def own_mounts() -> tuple[str, ...]:
    """What begins a command with mounts of its own: as root, or as root in there alone."""
    for how in ("-m", "-Urm"):
        words = (program("unshare") or "unshare", how, "--propagation", "private")
        tried = [*words, "mount", "--bind", "/usr", "/usr"]
        if subprocess.run(tried, check=False, capture_output=True).returncode == 0:
            return words
    if os.environ.get("CI") == "true":
        pytest.fail("no mounts of one's own here, and under CI no test is left out", pytrace=False)
    pytest.skip("needs mounts of its own: root, or accounts that may have namespaces")


@dataclass(frozen=True)
class Journal:
    """A running journal."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> Path:
        return self.folder / "systemd" / "journal" / "socket"

    @property
    def syslog(self) -> Path:
        return self.folder / "systemd" / "journal" / "dev-log"

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """What it holds of ours."""
        folder = self.folder / "log" / "journal"
        ran = journalctl("-D", folder, "-o", "json", "--all", "-t", "mailtrust", *matches)
        return [json.loads(line) for line in ran.splitlines()]

    def comes_to(self, count: int, *matches: str) -> list[dict[str, Any]]:
        """The same, once there are so many."""
        end = time.monotonic() + PATIENCE
        while len(found := self.entries(*matches)) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} came"
            time.sleep(0.05)
        return found


@contextmanager
def a_journal() -> Iterator[Journal]:
    """systemd-journald, in a folder with a short name: that of a socket has 108 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="jd"))
    (folder / "log" / "journal").mkdir(parents=True)
    inside = 'mount --bind "$1" /run && exec "$2"'
    process = subprocess.Popen(
        [*own_mounts(), "sh", "-euc", inside, "sh", folder, JOURNALD],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = Journal(folder, process)
    try:
        end = time.monotonic() + PATIENCE
        while not (journal.socket.exists() and journal.syslog.exists()):
            assert process.poll() is None, "journald ended"
            assert time.monotonic() < end
            time.sleep(0.02)
        yield journal
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder)


def journalctl(*words: object, environment: Mapping[str, str] | None = None) -> str:
    """What it writes."""
    return _ran([program("journalctl") or "journalctl", "--no-pager", *map(str, words)], environment)


def with_catalogs(database: Path, *words: object, environment: Mapping[str, str] | None = None) -> str:
    """The same where the machine's catalogs are those of *database*'s folder."""
    inside = f'mount --bind "$1" {CATALOGS} && shift && exec "$@"'
    command = ["sh", "-euc", inside, "sh", str(database), program("journalctl") or "journalctl", "--no-pager"]
    return _ran([*own_mounts(), *command, *map(str, words)], environment)


def _ran(command: Sequence[str], environment: Mapping[str, str] | None) -> str:
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
