"""The dashboard as its readers meet it: clicks, keys, live changes, languages, screens."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from mailtrust.errors import DirectoryUnavailable
from mailtrust.web.security import Access
from tests.make import HUB1, HUB2
from tests.programs import needs
from tests.web.browser import Reader
from tests.web.conftest import Show
from tests.web.scene import Scene, Up, a_healthy, a_missing, half_unread

HUB3 = "hub3.example.test"
NARROW = {"width": 360, "height": 740}
pytestmark = needs("chromium")


def headline(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def test_the_first_sentence_says_what_is_wrong_and_the_line_below_what_to_type(
    dashboard: Up, reader: Reader
) -> None:
    page = reader.opens(dashboard.address)

    assert headline(page) == f"{HUB1}: The internal transport certificate is not in the directory"
    command = page.locator(".command code").inner_text()
    assert re.fullmatch(r"mailtrust --config /srv/it\.toml enable [0-9a-f]{12}", command)


def test_a_click_leads_to_the_proof_and_another_to_the_explanation(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    page.get_by_role("link", name="Proof and details").click()

    assert headline(page).startswith(HUB1)
    expect(page.get_by_text("not-enabled", exact=True).first).to_be_visible()
    expect(page.get_by_text("the journal knows of no")).to_be_visible()
    page.get_by_role("link", name="12012").first.click()
    assert headline(page).startswith("12012 The internal transport certificate")
    page.get_by_role("link", name="12101").click()
    assert headline(page).startswith("12101")
    page.get_by_role("link", name="Fleet").click()
    assert headline(page).startswith(HUB1)


def test_the_command_can_be_copied(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".command code").inner_text()


@pytest.mark.parametrize("below", [300, 400, 500, 580])
def test_a_change_is_shown_without_loading_anew(dashboard: Up, reader: Reader, below: int) -> None:
    """The filter, the focus and the place on the page stay as they are, wherever one has scrolled to."""
    page = reader.opens(dashboard.address, viewport={"width": 900, "height": 320})
    page.evaluate("window.isTheSame = true")
    box = page.get_by_role("searchbox")
    box.fill("hub")
    page.evaluate(f"scrollTo(0, {below})")
    before = box.evaluate("one => one.getBoundingClientRect().top")
    dashboard.scene.show(a_missing(HUB1), half_unread(HUB2), a_healthy(HUB3))

    expect(page.get_by_role("row", name=HUB3)).to_be_visible()
    expect(page.get_by_role("row", name=HUB2)).to_contain_text("could not look")
    expect(page.get_by_text("servers shown: 3 of 3")).to_be_visible()
    assert page.evaluate("window.isTheSame")
    assert box.input_value() == "hub"
    assert page.evaluate("document.activeElement.id") == "q"
    assert abs(box.evaluate("one => one.getBoundingClientRect().top") - before) < 5


def test_what_is_mended_becomes_good_before_ones_eyes(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    dashboard.scene.show(a_healthy(HUB1), a_healthy(HUB2))

    expect(page.get_by_role("heading", level=1)).to_contain_text("All is well")
    expect(page.locator("#said")).to_contain_text("All is well")
    expect(page.locator(".verdict.good")).to_be_visible()


def test_a_page_that_lost_its_server_says_so_and_comes_back_by_itself(show: Show, reader: Reader) -> None:
    reader.loses_its_server = True
    scene = Scene()
    scene.show(a_healthy(HUB1))
    up = Up(scene)
    with up:
        page = reader.opens(up.address)
        expect(page.locator("#live-state")).to_have_text("live")
    expect(page.locator("#live-state")).to_have_text("connection lost; trying again")
    scene.show(a_missing(HUB1))
    with up:
        expect(page.get_by_role("heading", level=1)).to_contain_text("not in the directory")
        expect(page.locator("#live-state")).to_have_text("live")


def test_what_is_old_is_not_green(show: Show, reader: Reader) -> None:
    reader.loses_its_server = True
    scene = Scene()
    scene.show(a_healthy(HUB1))
    with Up(scene) as up:
        page = reader.opens(up.address)
        expect(page.locator("#live-state")).to_have_text("live")
    expect(page.locator("#live-state")).to_contain_text("lost")
    green = page.locator(".verdict").evaluate("one => getComputedStyle(one).backgroundColor")
    page.clock.install()
    page.clock.fast_forward("02:00")

    expect(page.locator("body")).to_have_class(re.compile("is-old"))
    expect(page.locator("#live-state")).to_contain_text("old")
    with page.expect_event("requestfailed", lambda one: one.url.endswith("/live")):
        pass
    expect(page.locator("#live-state")).to_contain_text("old")
    assert page.locator(".verdict").evaluate("one => getComputedStyle(one).backgroundColor") != green


def test_a_look_that_failed_is_said_on_top(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    dashboard.scene.corners = DirectoryUnavailable("no replica answers", hint="look at the cable")

    expect(page.get_by_text("no replica answers (look at the cable)")).to_be_visible()


def test_what_nobody_could_look_at_is_not_called_well(show: Show, reader: Reader) -> None:
    scene = Scene()
    scene.show(half_unread(HUB1), a_healthy(HUB2))
    page = reader.opens(show(scene).address)

    assert page.locator(".verdict.good").count() == 0
    expect(page.get_by_role("row", name=HUB1)).to_contain_text("not seen")
    expect(page.get_by_role("row", name=HUB2)).to_contain_text("in order")


def test_the_filter_and_the_states_narrow_the_grid_and_the_address_remembers(
    dashboard: Up, reader: Reader
) -> None:
    page = reader.opens(dashboard.address)
    rows = page.locator("#grid tbody tr:visible")
    page.get_by_role("searchbox").fill("hub2")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").fill("12012 hub")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(HUB1)
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name=re.compile("in order 1")).click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(HUB2)
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name=re.compile("all 2")).click()
    expect(rows).to_have_count(2)


def test_a_column_sorts_both_ways(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    names = page.locator("#grid tbody th")
    head = page.get_by_role("columnheader", name="Server", exact=True)
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(names).to_have_text([HUB1, HUB2])
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(names).to_have_text([HUB2, HUB1])


def test_without_a_script_everything_is_there(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address, java_script_enabled=False)
    page.get_by_role("searchbox").fill("hub2")
    page.get_by_role("button", name="Apply").click()

    assert urlsplit(page.url).query == "q=hub2"
    assert page.locator("#grid tbody tr:visible").count() == 1
    assert page.locator(".command code").is_visible()


def test_the_keyboard_reaches_everything(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    met = []
    for _ in range(30):
        page.keyboard.press("Tab")
        met.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2 or page.evaluate("document.activeElement === document.body")
    for wanted in (HUB1, HUB2, "Copy", "q", "Proof and details", "Installed"):
        assert wanted in met


def test_a_screen_reader_finds_landmarks_headings_and_a_table(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address)
    tree = page.locator("body").aria_snapshot()

    for wanted in (
        "- banner:", '- navigation "Pages":', "- main:", "- contentinfo:", "- search:", "- status:",
        "[level=1]", "[level=2]", '- searchbox "Filter"',
        'table "One row per server', "- columnheader", f'- rowheader "{HUB1}"',
    ):  # fmt: skip
        assert wanted in tree, wanted
    # A mark's shape is for eyes: what is read out is its name.
    assert not re.search("[●◆▲■✓✕]", tree)
    assert page.locator("[aria-current=page]").count() == 1
    names = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(names) == len({*names})


@pytest.mark.parametrize("path", ["", "servers/hub1.example.test", "events", "events/12012"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_told_from_its_ground(
    dashboard: Up, reader: Reader, path: str, scheme: str
) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, on either palette."""
    page = reader.opens(dashboard.address + path, color_scheme=scheme)

    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("path", ["", "servers/hub1.example.test", "events", "events/12012"])
def test_a_narrow_screen_scrolls_no_page_sideways(dashboard: Up, reader: Reader, path: str) -> None:
    page = reader.opens(dashboard.address + path, viewport=NARROW)

    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_a_browser_that_speaks_chinese_is_answered_in_chinese(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(dashboard.address, locale="zh-CN")

    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert headline(page) == f"{HUB1}: 目录中没有内部传输证书"
    page.get_by_role("link", name="English").click()
    assert "not in the directory" in headline(page)
    page.get_by_role("link", name="What 12012 means").click()
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_address_decides_the_language_and_every_link_keeps_it(dashboard: Up, reader: Reader) -> None:
    page = reader.opens(f"{dashboard.address}?lang=zh")
    for address in page.locator("main a, .top nav[aria-label] a:not([hreflang])").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    ):
        assert "lang=zh" in address or address.startswith("#"), address


def test_a_browser_that_was_told_the_token_is_shown_everything(show: Show, reader: Reader) -> None:
    scene = Scene()
    scene.show(a_healthy(HUB1))
    address = show(scene, Access(token="0123456789abcdef")).address
    page = reader.opens(address, http_credentials={"username": "any", "password": "0123456789abcdef"})

    expect(page.locator("#live-state")).to_have_text("live")
    scene.show(a_missing(HUB1))
    expect(page.get_by_role("heading", level=1)).to_contain_text("not in the directory")


def test_a_long_name_stays_in_its_column(show: Show, reader: Reader) -> None:
    """A DNS label may have 63 characters; over the next column nobody could read either."""
    scene, name = Scene(), f"{'mailgateway' * 4}hub.example.test"
    scene.show(a_healthy(name), a_healthy(HUB2))
    page = reader.opens(show(scene).address, viewport={"width": 1280, "height": 800})

    cell = page.locator("#grid tbody th").filter(has_text="mailgateway")
    assert cell.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_browser_asks_nobody_else(dashboard: Up, reader: Reader) -> None:
    for path in ("", "events/12012", "servers/hub1.example.test"):
        reader.opens(dashboard.address + path)

    assert {urlsplit(one).netloc for one in reader.asked} == {urlsplit(dashboard.address).netloc}


CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((one) => one / 255);
  };
  const over = (top, below) => top.slice(0, 3).map((one, i) => one * top[3] + below[i] * (1 - top[3]));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const chain = [];
    for (let one = element; one; one = one.parentElement) chain.unshift(one);
    return chain.reduce((below, one) => over(rgba(getComputedStyle(one).backgroundColor), below), [1, 1, 1]);
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((one) => one.nodeType === 3 && one.textContent.trim());
    if (!text.length || !element.checkVisibility() || element.closest('.vh, .skip')) continue;
    const below = ground(element);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), below)), light(below)].sort().reverse();
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${element.tagName} ${element.className} ${text[0].textContent.trim()}`;
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${what}`);
  }
  return poor;
}"""
