"""The audit's page, on a terminal and in a browser, as somebody looked at it."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.agent.audit_report import audit_report
from mailtrust.agent.last_run import Changes, changes, run_of
from mailtrust.cli.audit_html import audit_html
from mailtrust.cli.audit_page import show_page
from mailtrust.cli.prose import wide
from mailtrust.core.exchange.facts import Controller, ExchangeServer
from mailtrust.core.exchange.judge import judge
from mailtrust.core.exchange.judgement import Audit
from mailtrust.core.policy import Policy
from mailtrust.texts import LANGUAGES, load
from tests.forest import (
    DC1,
    a_look,
    a_receive_connector,
    a_server,
    a_stamp,
    an_organization,
    everywhere,
    its_own,
    nine_servers,
    nowhere_written,
    public,
)
from tests.make import NOON
from tests.powershell import commands, faults
from tests.programs import needs, program

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "</code><script>alert(1)</script>'\u2019;\x1b[31m\u202e$(calc)"
COMMAND = re.compile(r"^ {11}(?=\S)")


def judged(*servers: ExchangeServer, **rest: object) -> Audit:
    return judge(an_organization(*servers, **rest), NOON, Policy())


def nine() -> Audit:
    return judge(nine_servers(), NOON, Policy())


def missing(name: str = "MBX1", **rest: object) -> ExchangeServer:
    return a_server(name, at=everywhere(None), stamps=nowhere_written(), presents=None, **rest)


def shown(
    audit: Audit,
    capsys: pytest.CaptureFixture[str],
    language: str = "en",
    since: Changes | None = None,
) -> str:
    capsys.readouterr()
    show_page(audit, load(language, strict=True), since)
    return "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_looks_as_it_was_approved(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nine servers, one of each condition."""
    page = shown(nine(), capsys, language)

    assert page == (GOLDEN / f"audit-nine.{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_for_a_browser_looks_as_it_was_approved(language: str) -> None:
    page = audit_html(judged(missing(), a_server("MBX2")), load(language, strict=True), None)

    assert page == (GOLDEN / f"audit-two.{language}.html").read_text("utf-8")


def test_nothing_but_commands_is_wider_than_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for language in LANGUAGES:
        lines = shown(nine(), capsys, language).splitlines()
        prose = [line for line in lines if not COMMAND.match(line)]
        heads = [line for line in prose if line[:2] in ("E ", "W ")]
        assert [line for line in prose if wide(line) > 80 and line not in heads] == []


def test_a_command_is_one_line_with_blanks_before_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """It is copied from the screen as it stands."""
    typed = {command for one in nine().judgements for step in one.steps for command in step.commands}

    lines = {line.strip() for line in shown(nine(), capsys).splitlines() if COMMAND.match(line)}

    assert typed <= lines


def test_fifty_servers_still_fit(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"EXCHANGE-MBX-{number:02}" for number in range(1, 50)]
    servers = [a_server(name, site="FRANKFURT-AM-MAIN") for name in names]

    page = shown(judged(*servers, missing("EXCHANGE-MBX-50")), capsys)

    grid = [line for line in page.splitlines() if line.startswith("EXCHANGE-MBX")]
    assert len(grid) == 50
    assert max(map(wide, grid)) <= 80
    assert "EXCHANGE-MBX-05 (+44) → EXCHANGE-MBX-50" in " ".join(page.split())


def test_many_controllers_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    them = tuple(
        Controller(f"dc{number}.corp.example", f"ldaps://dc{number}", "HQ", writer=f"w{number}")
        for number in range(1, 13)
    )
    server = a_server(controllers=them, at={them[0].url: None}, stamps={them[0].url: None}, published=None)
    server = replace(
        server,
        published=tuple(
            a_look("MBX1", one, None if one is them[0] else its_own("MBX1"), a_stamp()) for one in them[:11]
        ),
    )

    page = shown(judged(server, controllers=them), capsys)

    assert "●10 ·1 ?1" in page
    assert "Marks are counted over 12 domain controllers" in page


def test_what_ended_and_what_ends_is_told_with_the_day(capsys: pytest.CaptureFixture[str]) -> None:
    ending = public(key="ending", age=timedelta(days=340))

    page = shown(judged(a_server(starttls=ending)), capsys)

    assert "2026-07-28 (+57 d), mbx1.corp.example, STARTTLS" in page
    assert "before any cumulative update" in page


def test_what_is_new_since_the_last_run_stands_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    texts = load("en", strict=True)
    before = run_of(audit_report(judged(missing(), a_server("MBX2")), texts))
    now = judged(a_server(), a_server("MBX2", presents=its_own("MBX2", key="new")))

    since = changes(before, run_of(audit_report(now, texts)))
    page = shown(now, capsys, since=since).partition("Since the run of 2026-06-01 12:00:00Z")[2]

    assert "new: 12023 mbx2.corp.example" in page
    assert "closed: 12012 mbx1.corp.example" in page
    assert "MBX2, X-ANONYMOUSTLS: was " in page
    nothing = changes(before, before)
    assert "Nothing has changed." in shown(now, capsys, since=nothing)


def hostile(name: str) -> Audit:
    """An organization where every name is a stranger's."""
    wanted = f"<I>CN={name}<S>CN={name}"
    connector = replace(
        a_receive_connector(fqdn=name, tls_certificate_name=wanted), name=name, servers=(name,)
    )
    controllers = (replace(DC1, name=name, site=name, why=name), DC1)
    server = replace(missing(), name=name, fqdn=name, site=name, dn=f"CN={name}")
    other = replace(a_server("MBX2", presents=its_own("MBX2", key="new")), name=name, site=name)
    return judge(
        an_organization(server, other, connectors=(connector,), controllers=controllers, forest=name),
        NOON,
        Policy(),
    )


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_name_breaks_out_of_a_command(name: str) -> None:
    audit = hostile(name)

    for one in audit.judgements:
        for step in one.steps:
            for command in step.commands:
                assert command.isprintable()
                if not command.startswith(("repadmin", "samba-tool")):
                    assert faults(command) == []
                    assert all(re.fullmatch("[A-Za-z]+-[A-Za-z0-9]+", each) for each in commands(command))


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_name_breaks_out_of_the_page_for_a_browser(name: str) -> None:
    elements = set(Elements.of(audit_html(hostile(name), load("en"), None)))

    assert elements <= ELEMENTS


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_writes_on_the_screen(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(hostile(HOSTILE), capsys, language)

    assert "\x1b" not in page
    assert "\u202e" not in page


class Elements(HTMLParser):
    """The elements of a page, in their order; fails where one is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    @classmethod
    def of(cls, page: str) -> list[str]:
        parser = cls()
        parser.feed(page)
        parser.close()
        assert parser.open == []
        return parser.seen

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "div", "table",
    "thead", "tbody", "tr", "th", "td", "article", "ul", "ol", "li", "pre", "code", "span", "details",
    "summary",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_for_a_browser_is_whole_and_loads_nothing(language: str) -> None:
    page = audit_html(nine(), load(language, strict=True), None)

    assert set(Elements.of(page)) <= ELEMENTS
    assert "default-src 'none'" in page
    assert re.search(r"https?://|@import|url\(", page) is None


@needs("chromium")
def test_a_browser_shows_strange_names_as_text(tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    file.write_text(audit_html(hostile(HOSTILE), load("en", strict=True), None), "utf-8")

    dom = opened(file, tmp_path / "profile")

    body = dom.partition("<body>")[2]
    assert "<script" not in body
    assert "<script>alert(1)</script>" in html.unescape(body)
    assert body.count("<article") == sum(one.worst != "information" for one in hostile(HOSTILE).judgements)


def opened(file: Path, profile: Path) -> str:
    """The page as chromium understood it."""
    chromium = program("chromium")
    assert chromium is not None
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom")
    try:
        done = subprocess.run(
            [chromium, *quiet, f"--user-data-dir={profile}", file.as_uri()],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    return done.stdout
