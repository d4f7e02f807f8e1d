"""`explain`: the page of an event, in the reader's language."""

from __future__ import annotations

import pytest

from mailtrust.core.events import catalog
from tests.cli.desk import Desk


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Event ID", "Symbolic name", "User action"]),
        ("zh", ["12012", "InternalTransportCertificateMissingInAD"]),
    ],
)
def test_a_page_has_its_fields_in_the_language_asked_for(desk: Desk, language: str, words: list[str]) -> None:
    said = desk.must("explain", "12012", "--lang", language).out

    assert all(word in said for word in words)
    assert "InternalTransportCertificateMissingInAD" in said
    assert any("\u4e00" <= one <= "\u9fff" for one in said) is (language == "zh")


@pytest.mark.parametrize(
    ("locale", "chinese"), [("zh_CN.UTF-8", True), ("en_GB.UTF-8", False), ("fr_FR", False)]
)
def test_the_environment_says_which_language(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, locale: str, *, chinese: bool
) -> None:
    monkeypatch.setenv("LANG", locale)

    said = desk.must("explain", "12012").out

    assert any("\u4e00" <= one <= "\u9fff" for one in said) is chinese


def test_an_event_is_found_by_its_name_too(desk: Desk) -> None:
    by_name = desk.must("explain", "internaltransportcertificatemissinginad").out

    assert by_name == desk.must("explain", "12012").out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_alone_it_lists_every_event(desk: Desk, language: str) -> None:
    lines = desk.must("explain", "--lang", language).out.splitlines()

    assert [int(line.split()[0]) for line in lines] == [event.code for event in catalog.CATALOG]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_event_has_a_page(desk: Desk, language: str) -> None:
    for event in catalog.CATALOG:
        page = desk.must("explain", event.code, "--lang", language, "--json").json
        assert (page["event"], page["name"]) == (event.code, event.name)


def test_an_unknown_event_is_answered_with_the_nearest(desk: Desk) -> None:
    ran = desk.type("explain", "12013x")

    assert ran.code == 1
    assert "there is no event '12013x'" in ran.err
    assert "did you mean 12013? `mailtrust explain` lists them all" in ran.err


def test_an_unknown_language_is_answered_with_those_there_are(desk: Desk) -> None:
    ran = desk.type("explain", "12012", "--lang", "tlh")

    assert ran.code == 1
    assert "there are no texts in 'tlh'" in ran.err
    assert "the languages are en and zh" in ran.err


def test_it_needs_no_configuration(desk: Desk) -> None:
    """A page helps most where nothing works."""
    (desk.folder / "mailtrust.toml").write_text("nonsense")

    desk.must("explain", "12012")
