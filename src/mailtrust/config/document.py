"""One configuration file: its values read by the table of keys, and the line on which each stands."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailtrust.config.keys import KEYS, TABLES, Key
from mailtrust.errors import BadConfiguration, BadInput

_BY_PATH = {key.path: key for key in KEYS}
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\"-]+)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"-]+)\s*=")


@dataclass(frozen=True, slots=True)
class Document:
    """What the file says, typed; and what its keys default to."""

    file: Path | None
    values: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Document:
        """A file that says nothing."""
        return cls(None)

    @classmethod
    def read(cls, file: Path) -> Document:
        """
        The file's values, each read by its key.

        Raises: BadConfiguration for a file that cannot be read or is not TOML, for a key that nobody
        knows, and for a value that its key does not take.
        """
        return cls.parse(_text(file), file)

    @classmethod
    def parse(cls, text: str, file: Path) -> Document:
        """The same for a text that is not written yet.  Raises: BadConfiguration."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _syntax(file, str(error)) from error
        document = cls(file, {}, dict(_lines(text)))
        return cls(file, dict(document._typed(tables)), document.lines)

    def says(self, path: str) -> bool:
        """True if the file itself has that key."""
        return path in self.values

    def get(self, path: str) -> Any:
        """The key's value, typed by its reader; else its default; else, where that is in words, None."""
        if path in self.values:
            return self.values[path]
        key = _BY_PATH[path]
        if key.example:
            return None
        return key.read(tomllib.loads(f"it = {key.default}")["it"])

    def unfit(self, path: str, problem: str, *, hint: str) -> BadConfiguration:
        """The error that says where the key stands and what is wrong with it."""
        line = self.lines.get(path) or self.lines.get(path.partition(".")[0])
        where = f"{self.file}, line {line}" if line else str(self.file or "the configuration")
        return BadConfiguration(f"{where}: {problem}", hint=hint)

    def _typed(self, tables: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        for table, keys in tables.items():
            if table not in TABLES:
                raise self._unknown(table, TABLES, "table")
            if not isinstance(keys, dict):
                raise self.unfit(table, f"{table} is a table of keys", hint=f"write [{table}] above its keys")
            for name, value in keys.items():
                yield f"{table}.{name}", self._value(f"{table}.{name}", value)

    def _value(self, path: str, value: object) -> object:
        key = _BY_PATH.get(path)
        if key is None:
            raise self._unknown(path, tuple(_BY_PATH), "key")
        try:
            return key.read(value)
        except BadInput as error:
            raise self._misfit(key, value, error) from (error if isinstance(value, list | dict) else None)

    def _misfit(self, key: Key, value: object, error: BadInput) -> BadConfiguration:
        return self.unfit(
            key.path, f"{key.path} is {_shown(value)}; expected {key.expected}", hint=error.hint
        )

    def _unknown(self, path: str, known: tuple[str, ...], what: str) -> BadConfiguration:
        name = path.rpartition(".")[2]
        elsewhere = next((one for one in known if one.rpartition(".")[2] == name), None)
        near = elsewhere or next(iter(difflib.get_close_matches(path, known, 1, 0.7)), None)
        hint = f"did you mean {near}?" if near else "the documentation lists every key"
        return self.unfit(path, f"there is no {what} {path}", hint=hint)


def _text(file: Path) -> str:
    try:
        # Editors on Windows begin a file with a byte-order mark.
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadConfiguration(
            f"there is no configuration file {file}", hint="`mailtrust init` writes one"
        ) from error
    except UnicodeDecodeError as error:
        raise BadConfiguration(f"{file} is not a text in UTF-8") from error
    except OSError as error:
        raise BadConfiguration(
            f"the configuration {file} cannot be read", hint="check that this account may read it"
        ) from error


def _syntax(file: Path, complaint: str) -> BadConfiguration:
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column \d+|end of document)\)", complaint)
    what, line = (found[1], found[2]) if found else (complaint, None)
    where = f"{file}, line {line}" if line else f"{file}, at its end"
    return BadConfiguration(f"{where}: this is not TOML: {what}", hint='keys are written name = "value"')


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Each table and key with its line; good enough to point at, not to parse by."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1].replace('"', "")
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            yield f"{table}.{assignment[1]}".replace('"', "").lstrip("."), number


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
