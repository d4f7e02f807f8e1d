"""One notice: what opened, became worse or closed, as it is handed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailtrust.errors import NotDelivered

NOTICE_SCHEMA = "mailtrust.notice/1"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice by its fields; docs/logs.md lists them."""

    fields: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Notice:
        """The notice that `text` wrote."""
        return cls(json.loads(text))

    @property
    def text(self) -> str:
        """As JSON in one line."""
        return json.dumps(dict(self.fields), ensure_ascii=False)

    def __getitem__(self, name: str) -> str:
        return str(self.fields[name] or "")


def secret(file: Path) -> str:
    """The first line of a file.  Raises: NotDelivered."""
    try:
        found = file.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotDelivered(f"the file {file} cannot be read") from error
    if not found or not found.isprintable():
        raise NotDelivered(f"the first line of {file} is no secret")
    return found
