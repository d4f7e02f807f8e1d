"""
Both tables in one folder, written by whatever is here: the module lmdb, else Postfix's own postmap.

Either way a table is changed in place in one step, and open sessions see it at their next lookup.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from mailtrust import durable
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.compile import Difference, Differences, Rows, Tables, difference

SUFFIX = ".lmdb"
_PATIENCE_SECONDS = 60


class Table(Protocol):
    """One table; `LmdbTable` says what its methods promise."""

    def replace(self, rows: Rows) -> Difference:
        """Let it have *rows* and nothing else; what that changed."""

    def change(self, difference: Difference) -> None:
        """Put and remove those rows."""

    def close(self) -> None:
        """Let go of the file."""


class TableFiles:
    """The tables of one folder, each made when it is first written.  Not for two threads at once."""

    def __init__(self, folder: Path, opened: Callable[[Path], Table]) -> None:
        self._folder = folder
        self._opened = opened
        self._tables: dict[str, Table] = {}

    def write(self, tables: Tables) -> Differences:
        """
        Let each have its rows and nothing else; what that changed.

        Raises: TransportUnavailable; then some of them are written, and each is whole.
        """
        changed = {name: self._table(name).replace(rows) for name, rows in tables.items()}
        return {name: one for name, one in changed.items() if one}

    def change(self, differences: Differences) -> None:
        """Put and remove those rows.  It may be repeated.  Raises: TransportUnavailable, as `write`."""
        for name, one in differences.items():
            self._table(name).change(one)

    def close(self) -> None:
        """Let go of the files."""
        for one in self._tables.values():
            one.close()
        self._tables.clear()

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = self._opened(self._folder / f"{name}{SUFFIX}")
        return self._tables[name]


class PostmapTable:
    """
    A table written by ``postmap``, whole each time, from a text file beside it.

    *config* is the configuration directory of the instance.
    """

    def __init__(self, path: Path, config: Path) -> None:
        self._path = path
        self._source = path.with_suffix("")
        self._config = config

    def rows(self) -> dict[str, str]:
        """What readers see, and not the text, which a power cut may have left ahead of the table."""
        if not self._path.exists():
            return {}
        lines = self._postmap("-s", f"lmdb:{self._source}").splitlines()
        return {key: value for key, _, value in (line.partition("\t") for line in lines)}

    def replace(self, rows: Rows) -> Difference:
        """As `LmdbTable.replace`."""
        changed = difference(self.rows(), rows)
        if changed or not self._path.exists():
            self._write(rows)
        return changed

    def change(self, difference: Difference) -> None:
        """As `LmdbTable.change`."""
        rows = {key: value for key, value in self.rows().items() if key not in difference.gone}
        self._write({**rows, **difference.put})

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, rows: Rows) -> None:
        try:
            lines = (f"{key} {value}\n".encode() for key, value in rows.items())
            durable.write(self._source, lines, durable.PUBLIC)
        except OSError as error:
            hint = "check that the disk has room, and that this account may write to the folder"
            raise TransportUnavailable(f"the table {self._source} cannot be written", hint=hint) from error
        self._postmap(f"lmdb:{self._source}")

    def _postmap(self, *words: str) -> str:
        environment = {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
        line = ("postmap", "-c", str(self._config), *words)
        try:
            done = subprocess.run(
                line, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, env=environment, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            hint = "install Postfix's postmap, or mailtrust[postfix], which writes the tables itself"
            raise TransportUnavailable("postmap cannot be run", hint=hint) from error
        if done.returncode or "fatal:" in done.stderr:
            said = done.stderr.strip().splitlines()
            hint = "Debian's package postfix-lmdb is what lets Postfix read these tables"
            raise TransportUnavailable(
                f"postmap refused: {said[-1] if said else 'without a word'}", hint=hint
            )
        return done.stdout


def held(folder: Path, config: Path, names: Iterable[str]) -> Tables:
    """
    What the tables in *folder* say now; one that is not there says nothing.

    Not in a process that writes them.  Raises: TransportUnavailable.
    """
    return {name: _rows(folder / f"{name}{SUFFIX}", config) for name in names}


def _rows(path: Path, config: Path) -> Rows:
    if importlib.util.find_spec("lmdb") is None:
        return PostmapTable(path, config).rows()
    from mailtrust.transports.postfix.lmdb_table import read

    try:
        return read(path)
    except FileNotFoundError:
        return {}


def table_files(folder: Path, config: Path) -> TableFiles:
    """The tables in *folder* of the instance configured in *config*, by lmdb where it is installed."""
    if importlib.util.find_spec("lmdb") is None:
        return TableFiles(folder, lambda path: PostmapTable(path, config))
    from mailtrust.transports.postfix.lmdb_table import LmdbTable

    return TableFiles(folder, LmdbTable)
