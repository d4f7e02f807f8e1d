"""One page for a browser, in a file: no script, nothing loaded from anywhere, readable on paper too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mailtrust.core.exchange.judgement import Step
from mailtrust.texts import TAGS, Texts
from mailtrust.texts.html import templates


def page(template: str, labels: Iterable[str], texts: Texts, **values: Any) -> str:
    """The whole page.  Whatever was read anywhere is escaped, and loses what would turn the text around."""
    made = templates(Path(__file__).parent).get_template(template)
    label = {code: texts.label(code) for code in labels}
    return made.render(language=TAGS[texts.language], label=label, **values)


def step(one: Step, where: str, texts: Texts) -> dict[str, Any]:
    """What to do and where, as the templates take it."""
    return {
        "said": texts.say(one.said),
        "where": where,
        "commands": one.commands,
        "asks": texts.say(one.asks) if one.asks else "",
        "risks": [texts.say(risk) for risk in one.risks],
    }
