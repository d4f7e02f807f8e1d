"""The report of advice as a browser shows it, and as a screen reader reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from mailtrust.agent.analysis_report import Analysis, analysis_of
from mailtrust.cli.analyze_html import analysis_html
from mailtrust.core.advice import Profile, advise
from mailtrust.core.advice.compare import Compared, Line
from mailtrust.core.model.event import Severity
from mailtrust.texts import LANGUAGES, load
from tests.cli.desk import Desk
from tests.core.advice.given import exchange
from tests.forest import nine_servers
from tests.make import NOON
from tests.programs import needs
from tests.web.browser import chromium

LINE = Line("A101/hub1/", "A101", "hub1", "warning", "said")


def analysis() -> Analysis:
    nine = nine_servers()
    facts = exchange(*nine.servers, connectors=nine.connectors)
    return analysis_of(facts, advise(facts, Profile.EXCHANGE), Profile.EXCHANGE, (), essential=True)


def written(folder: Path, language: str) -> Path:
    file = folder / f"{language}.html"
    compared = Compared(NOON, (LINE,), (LINE,), (LINE,), (LINE,))
    file.write_text(analysis_html(analysis(), load(language, strict=True), compared, str), "utf-8")
    return file


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser without a network, that says whatever it would load or complain of."""
    with chromium() as browser:
        yield browser.new_page(offline=True)


@needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_offline_and_complains_of_nothing(page: Page, tmp_path: Path, language: str) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    file = written(tmp_path, language)

    page.goto(file.as_uri())

    assert (said, asked) == ([], [file.as_uri()])
    assert page.locator("article").count() == len(analysis().advice)
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_in_a_sentence_is_code_and_no_backtick(tmp_path: Path, language: str) -> None:
    page = written(tmp_path, language).read_text("utf-8")

    assert "`" not in page
    assert "<code>mailtrust check</code>" in page


@needs("chromium")
def test_a_line_of_the_contents_leads_to_its_piece_by_keyboard(page: Page, tmp_path: Path) -> None:
    page.goto(written(tmp_path, "en").as_uri())

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # The browser goes there in its own time.
    page.wait_for_url("**#advice-1")

    assert page.url.endswith("#advice-1")
    first = analysis().advice[0]
    assert first.severity is Severity.ERROR
    assert first.code in page.locator("#advice-1 h3").inner_text()


@needs("chromium")
def test_a_screen_reader_is_told_of_contents_headings_and_tables(page: Page, tmp_path: Path) -> None:
    page.goto(written(tmp_path, "en").as_uri())

    assert page.get_by_role("navigation", name="Contents").count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("status").inner_text().startswith("ERROR - ")
    assert page.get_by_role("columnheader").count() == 4
    assert page.get_by_role("heading", level=2).count() >= 4


@needs("chromium")
def test_it_is_dark_where_the_reader_wants_it_and_narrow_where_there_is_no_room(
    page: Page, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 700})

    page.goto(written(tmp_path, "en").as_uri())

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_alone_goes_to_standard_output_where_that_is_asked_for(desk: Desk) -> None:
    desk.enabled()

    ran = desk.must("analyze", "--html", "-")
    both = desk.type("analyze", "--html", "-", "--json")

    assert ran.out.startswith("<!DOCTYPE html>")
    assert ran.out.rstrip().endswith("</html>")
    assert not (desk.folder / "-").exists()
    assert (both.code, "would write to the same place" in both.said) == (2, True)
