"""One request, as a page meets it: what was asked, what is known, and in which language to say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mailtrust.agent.report import moment
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said, said_duration, when
from mailtrust.directory.place_name import place_name
from mailtrust.texts import LANGUAGES, TAGS, Texts, load
from mailtrust.texts.html import templates
from mailtrust.web.source import NOTHING_YET, Present

_HERE = Path(__file__).parent
_OWN_NAMES = {"en": "English", "zh": "中文"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is given."""

    request: Request
    texts: Texts
    present: Present = NOTHING_YET
    navigation: tuple[tuple[str, str], ...] = ()
    """Paths, and the codes of their labels."""
    stale_after_seconds: int = 0
    """What is older than that no longer counts as known."""
    language_asked: str = field(default="")
    """As the address says it; empty where it does not."""

    def link(self, path: str, **query: str) -> str:
        """An address of ours, in the language that the present one asks for."""
        asked = {name: value for name, value in {**query, "lang": self.language_asked}.items() if value}
        return f"{path}?{urlencode(asked)}" if asked else path

    def render(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page by its template."""
        texts, present = self.texts, self.present
        page = _environment().get_template(template).render(
            asked=self,
            present=present,
            language=TAGS[texts.language],
            languages=[(one, TAGS[one], _OWN_NAMES[one], self._in(one)) for one in LANGUAGES],
            here=self.request.url.path,
            navigation=self.navigation,
            label=texts.label,
            say=lambda phrase, **said: texts.say(Said(phrase, said)),
            link=self.link,
            stale_after=self.stale_after_seconds,
            **values,
        )  # fmt: skip
        headers = {"Content-Language": TAGS[texts.language], "Vary": "Accept-Language"}
        return HTMLResponse(page, status, headers=headers)

    def _in(self, language: str) -> str:
        query = {name: value for name, value in self.request.query_params.items() if name != "lang"}
        return f"{self.request.url.path}?{urlencode({**query, 'lang': language})}"


def texts_for(request: Request, otherwise: str) -> tuple[Texts, str]:
    """
    The texts in the language of ``?lang``, else the first of Accept-Language that we have (RFC 9110 12.5.4),
    else *otherwise*; and the language that the address asked for, if it did.
    """
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return load(asked), asked
    return load(_preferred(request.headers.get("accept-language", "")) or otherwise), ""


def _preferred(header: str) -> str:
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, parameters = part.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES and weight > 0:
            wanted.append((-weight, place, language))
    return min(wanted)[2] if wanted else ""


@cache
def _environment() -> Environment:
    made = templates(_HERE / "templates")
    made.filters |= {"short": short, "moment": moment, "when": when, "place": place_name, "span": _span}
    return made


def _span(length: timedelta) -> str:
    """A time as people say it: short ones to the tenth of a second, since replicas are that quick."""
    seconds = length.total_seconds()
    return f"{round(seconds, 1):g}s" if seconds < 60 else said_duration(seconds)
