"""One page for a browser, in a file: no script, nothing loaded from anywhere, readable on paper too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from mailtrust.cli.output import clean
from mailtrust.core.exchange.judgement import Step
from mailtrust.texts import TAGS, Texts

_CODE = re.compile(r"`([^`\n]+)`")


def page(template: str, labels: Iterable[str], texts: Texts, **values: Any) -> str:
    """The whole page.  Whatever was read anywhere is escaped, and loses what would turn the text around."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment.get_template(template).render(
        language=TAGS[texts.language], label={code: texts.label(code) for code in labels}, **values
    )


def step(one: Step, where: str, texts: Texts) -> dict[str, Any]:
    """What to do and where, as the templates take it."""
    return {
        "said": texts.say(one.said),
        "where": where,
        "commands": one.commands,
        "asks": texts.say(one.asks) if one.asks else "",
        "risks": [texts.say(risk) for risk in one.risks],
    }


def _prose(text: str) -> Markup:
    """Our sentences, in which code stands between backticks."""
    pieces = _CODE.split(clean(text))
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def _plain(value: object) -> object:
    # What is markup is the template's own, put together of what was cleaned before.
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
