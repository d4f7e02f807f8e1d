"""Everything that can be said, in every language: complete, with the same values, and never dead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import mailtrust
from mailtrust.core.events.catalog import BY_CODE, CATALOG, CERTIFICATE_MISSING, EXPIRED, OVERDUE
from mailtrust.core.events.explain import placeholders
from mailtrust.core.model.event import Category, Event, Finding, Said, Severity
from mailtrust.core.model.plan import Phase
from mailtrust.core.model.sighting import Slot
from mailtrust.core.punctuality import Trouble
from mailtrust.core.timeline import Step
from mailtrust.errors import TextMissing
from mailtrust.texts import LANGUAGES, EventText, load
from mailtrust.web.copies import Standing
from mailtrust.web.pages.checklist import Mark
from mailtrust.web.scale import SPANS
from tests.make import HUB1
from tests.texts.sources import literals

SOURCE = Path(mailtrust.__file__).parent
UNKNOWN = Event(99999, "NobodyKnowsMe", Severity.ERROR, Category.DIRECTORY)
FILE_ENDINGS = "(?:jsonl?|toml|lock|db|pem|md|py)"
CJK = "\u4e00-\u9fff"

in_every_language = pytest.mark.parametrize("language", LANGUAGES)
about_every_event = pytest.mark.parametrize("event", CATALOG, ids=lambda event: str(event.code))


def words(language: str, table: str) -> Mapping[str, str]:
    return tomllib.loads((SOURCE / "texts" / language / "phrases.toml").read_text("utf-8"))[table]


def page(language: str, event: Event) -> EventText:
    return load(language, strict=True).page(event.code)


def whole(text: EventText) -> str:
    bullets = (*text.conditions, *text.user_action, *text.see_also)
    return "\n".join((text.title, text.message, text.explanation, *bullets, *text.causes.values()))


@in_every_language
@about_every_event
def test_every_event_has_its_page(event: Event, language: str) -> None:
    """The parser refuses an incomplete one; the causes are the catalog's, in its order."""
    assert tuple(page(language, event).causes) == event.causes


@in_every_language
def test_no_page_is_left_of_an_event_that_is_gone(language: str) -> None:
    pages = {int(file.stem) for file in (SOURCE / "texts" / language).glob("*.md")}

    assert pages == BY_CODE.keys()


@in_every_language
@about_every_event
def test_a_message_wants_only_what_its_event_has(event: Event, language: str) -> None:
    """Else a reader would see a brace; a cause may also name the certificate."""
    text = page(language, event)

    assert placeholders(text.message) <= {"server", *event.parameters}
    for cause in text.causes.values():
        assert placeholders(cause) <= {"server", "fingerprint", *event.parameters}


@about_every_event
def test_the_languages_name_the_same_things(event: Event) -> None:
    """Values, commands, settings and answers on the wire are the same words to every reader."""
    english, chinese = page("en", event), page("zh", event)

    assert placeholders(chinese.message) == placeholders(english.message)
    assert chinese.see_also == english.see_also
    assert len(chinese.conditions) == len(english.conditions)
    assert len(chinese.user_action) == len(english.user_action)
    for cause, text in english.causes.items():
        assert placeholders(chinese.causes[cause]) == placeholders(text)
    assert set(re.findall(r"`[^`]+`", whole(chinese))) == set(re.findall(r"`[^`]+`", whole(english)))


@about_every_event
def test_chinese_is_written_in_chinese(event: Event) -> None:
    """Nothing is left in English, and a wrapped line leaves no space between two characters."""
    text = page("zh", event)

    for part in (text.title, text.message, text.explanation, *text.conditions, *text.causes.values()):
        assert re.search(f"[{CJK}]", part)
    assert not re.search(f"[{CJK}，。；：、！？）”] +[{CJK}（“]", whole(text))


@in_every_language
@about_every_event
def test_see_also_leads_to_another_event(event: Event, language: str) -> None:
    numbers = [int(one) for one in page(language, event).see_also if one.isdigit()]

    assert event.code not in numbers
    assert set(numbers) <= BY_CODE.keys()


@pytest.mark.parametrize("table", ["phrases", "labels"])
@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_language_has_every_phrase_with_the_same_values(table: str, language: str) -> None:
    english, other = words("en", table), words(language, table)

    assert other.keys() == english.keys()
    assert {code: placeholders(text) for code, text in other.items()} == {
        code: placeholders(text) for code, text in english.items()
    }


def test_every_phrase_that_the_sources_say_exists() -> None:
    """A phrase is known by its group (`wire.shows`), wherever the sources name it; none is left over."""
    groups = {code.partition(".")[0] for code in words("en", "phrases")}
    a_phrase = re.compile(rf"({'|'.join(groups)})\.(?!{FILE_ENDINGS}$)[a-z]+(-[a-z]+)*")

    assert {one for one in literals(SOURCE) if a_phrase.fullmatch(one)} == words("en", "phrases").keys()


def test_every_label_that_the_sources_show_exists() -> None:
    """And none is left over: what no screen shows need not be translated."""
    shown = literals(SOURCE, call="label") | {f"severity-{one.value}" for one in Severity}
    shown |= {f"web-state-{one.value}" for one in Standing} | {
        f"web-error-{code}" for code in (404, 405, 500)
    }
    shown |= set(parts_of_a_server())

    assert shown - {""} <= words("en", "labels").keys()
    assert words("en", "labels").keys() <= literals(SOURCE) | shown


def parts_of_a_server() -> Iterator[str]:
    """What templates put together of values."""
    yield from (f"web-slot-{one}" for one in Slot)
    yield from (f"web-step-{one}" for one in Step)
    yield from (f"web-mark-{one}" for one in Mark)
    yield from (f"web-spell-{one}" for one in Trouble)
    yield from (f"web-span-{span}" for span, _ in SPANS)
    yield from (f"web-phase-{one}{what}" for one in Phase if one is not Phase.DONE for what in ("", "-is"))
    # `Course.why`.
    reasons = ("start", "now", "undo", "due", "compromised", "enable", "finish", "successor")
    yield from (f"web-why-{why}" for why in reasons)


@in_every_language
def test_a_finding_is_said_with_its_values(language: str) -> None:
    values = {"replica": "ldaps://dc2", "fingerprint": "3f9a2c71e5b0"}
    finding = Finding(CERTIFICATE_MISSING, HUB1, cause=OVERDUE, values=values)
    texts = load(language, strict=True)

    assert HUB1 in texts.message(finding)
    assert "ldaps://dc2" in texts.message(finding)
    assert "`mailtrust enable 3f9a2c71e5b0 --replica ldaps://dc2`" in texts.cause(finding)


def test_a_finding_without_a_cause_says_nothing_of_causes() -> None:
    assert load("en", strict=True).cause(Finding(EXPIRED, HUB1)) == ""


def test_a_reader_sees_what_there_is() -> None:
    """A text of ours that is missing must not hide a finding."""
    texts = load("zh")

    assert texts.message(Finding(UNKNOWN, HUB1)) == "NobodyKnowsMe"
    assert texts.cause(Finding(UNKNOWN, HUB1, cause="overdue")) == ""
    assert texts.cause(Finding(CERTIFICATE_MISSING, HUB1, cause="bad-luck")) == ""
    assert "{not_after}" in texts.message(Finding(EXPIRED, HUB1, values={"fingerprint": "3f9a2c71e5b0"}))
    assert texts.say(Said("wire.unheard-of", {"at": "noon"})) == "wire.unheard-of, at noon"
    assert texts.phrase("wire.unheard-of") == "wire.unheard-of"
    assert texts.label("no-such-label") == "no-such-label"


def test_a_test_does_not() -> None:
    """Strict is how we find it first."""
    texts = load("en", strict=True)

    with pytest.raises(TextMissing, match=r"en/99999\.md cannot be read"):
        texts.message(Finding(UNKNOWN, HUB1))
    with pytest.raises(TextMissing, match="12012 in en: no text for 'bad-luck'"):
        texts.cause(Finding(CERTIFICATE_MISSING, HUB1, cause="bad-luck"))
    with pytest.raises(TextMissing, match="wants not_after"):
        texts.message(Finding(EXPIRED, HUB1, values={"fingerprint": "3f9a2c71e5b0"}))
    with pytest.raises(TextMissing, match=r"has no 'wire\.unheard-of' in \[phrases\]"):
        texts.say(Said("wire.unheard-of"))


def test_a_phrase_can_be_read_with_its_values_still_open() -> None:
    assert load("en").phrase("store.key-readable") == "{file} can be read by others than its owner"


@pytest.mark.parametrize(("language", "label"), [("en", "EHLO in TLS"), ("zh", "TLS 内 EHLO")])
def test_a_sentence_calls_a_stage_as_the_screen_beside_it_does(language: str, label: str) -> None:
    values = {"stage": "ehlo-again", "peer": HUB1, "endpoint": "192.0.2.1:25", "why": "silence"}

    assert label in load(language).say(Said("flow.broke", values))
