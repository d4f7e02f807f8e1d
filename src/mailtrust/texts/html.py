"""Pages for a browser: whatever was read anywhere is escaped, and loses what would turn the text around."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from mailtrust.core.clean import clean

# Within a line: a backtick that a server said must not reach for the next one, somewhere below.
_CODE = re.compile(r"`([^`\n]+)`")


def templates(folder: Path) -> Environment:
    """Those of that folder; they have the filter `prose`, and must be given every value that they name."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    return made


def prose(text: str) -> Markup:
    """A text of ours, also with values from outside, in which code stands between backticks."""
    pieces = _CODE.split(clean(text))
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def _plain(value: object) -> object:
    # What is markup is the template's own, put together of what was cleaned before.
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
