"""The documentation as a site: whole by itself, without a dead link, and searched without a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.programs import needs
from tools.make_site import names, stage, without_ways_out

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make site` builds it: a warning would be an error, and this fixture's end."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "tools.make_site", str(folder)], capture_output=True, text=True, cwd=ROOT
    )
    assert built.returncode == 0, built.stderr
    return folder


class Page(HTMLParser):
    """What a page links to, what it loads, and where it can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.language = ""
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.anchors |= {has[one] for one in ("id", "name") if one in has}
        if tag == "html":
            self.language = has.get("lang", "")
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        elif tag == "link" and has.get("rel") not in ("canonical", "alternate", "prev", "next"):
            self.loads.append(has["href"])
        elif "src" in has:
            self.loads.append(has["src"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html")) if file.name != "404.html"}


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs all tests")
def test_one_worker_alone_builds_it(request: pytest.FixtureRequest) -> None:
    """Where workers share the tests, a group's go to one; a release of pytest once undid that unseen."""
    assert request.node.nodeid.endswith("@site")


def test_no_link_within_the_site_is_dead(site: Path, pages: dict[Path, Page]) -> None:
    there_are = {str(file) for file in site.rglob("*")}
    dead = set()
    for file, page in pages.items():
        for link in page.links:
            there = urlsplit(link)
            if there.scheme:
                continue
            path = normpath(file.parent / unquote(there.path)) if there.path else str(file)
            target = path if path.endswith((".html", ".svg", ".json", ".yml")) else f"{path}/index.html"
            anchor = unquote(there.fragment)
            anchors = pages[Path(target)].anchors if Path(target) in pages else {anchor}
            if target not in there_are or (anchor and anchor not in anchors):
                dead.add(f"{file.relative_to(site)}: {link}")

    assert len(pages) > 150
    assert dead == set()


def test_links_out_are_well_formed(pages: dict[Path, Page]) -> None:
    """They are not fetched: a page elsewhere must not make a build red."""
    out = {link for page in pages.values() for link in page.links if urlsplit(link).scheme}

    assert [link for link in out if urlsplit(link).scheme not in ("https", "mailto")] == []
    assert [link for link in out if not urlsplit(link).netloc and not link.startswith("mailto:")] == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """No font, no script, no picture: the site is read on hosts that reach nothing."""
    loaded = {one for page in pages.values() for one in page.loads}
    styles = "".join(file.read_text("utf-8") for file in site.rglob("*.css"))

    assert [one for one in loaded if urlsplit(one).scheme or one.startswith("//")] == []
    assert [one for one in re.findall(r"url\(([^)]*)\)", styles) if "//" in one and "data:" not in one] == []


@pytest.mark.parametrize("page", ["index", "start", "how-it-works", "guides/emergency", "events/12012"])
def test_a_page_that_is_translated_is_chinese_below_zh(site: Path, page: str) -> None:
    chinese = site / "zh" / f"{page}.html"

    assert Page(chinese).language == "zh"
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese.read_text("utf-8"))) > 300


def test_a_link_out_of_the_pages_becomes_its_words() -> None:
    text = "[fragments](../changes/README.md), [how](how-it-works.md), [up](../index.md)"

    assert without_ways_out(text, Path("contributing.md")) == "fragments, [how](how-it-works.md), up"
    assert without_ways_out("[up](../index.md)", Path("guides/one.md")) == "[up](../index.md)"


def test_a_chinese_event_stands_beside_the_english_one(tmp_path: Path) -> None:
    stage(ROOT / "docs", tmp_path)

    assert "](../how-it-works.md)" in (tmp_path / "events" / "12012.zh.md").read_text("utf-8")
    assert not (tmp_path / "events" / "zh").exists()


def test_the_navigation_names_a_page_once() -> None:
    nav = ["index.md", {"Events": ["events/*"]}, {"Guides": [{"One": "guides/one.md"}, "guides/two.md"]}]

    assert list(names(nav)) == ["index.md", "guides/one.md", "guides/two.md"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *told: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@needs("chromium")
@pytest.mark.parametrize("by", ["disk", "server"])
def test_it_is_searched_in_both_languages(site: Path, served: str, by: str) -> None:
    """A browser says why it starts no worker and fetches no map of the site from a disk; nothing else."""
    from tests.web.browser import chromium

    root = served if by == "server" else site.as_uri()
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for start, asked, found in (
            ("index.html", "InternalTransportCertificateMissingInAD", "12012"),
            ("zh/index.html", "传输证书", "传\u200b?输\u200b?证\u200b?书"),
        ):
            page.goto(f"{root}/{start}")
            page.locator(".md-search__input").click()
            page.keyboard.type(asked)
            # Chinese is put in, not typed key by key; the field looks when a key is let go.
            page.keyboard.press("End")
            # It answers after each letter; wait for the answer to the whole word.
            page.locator(".md-search-result__item", has_text=re.compile(found)).first.wait_for()

    if by == "server":
        assert complaints == []
    else:
        assert [one for one in complaints if "sitemap" not in one and "ERR_FAILED" not in one] == []
