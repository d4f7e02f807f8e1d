"""Who can reach whom in the browser: never green where nobody looked, and each pair stage by stage."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View, WireFailure
from tests.make import HUB1, HUB2, a_certificate, a_dead_wire, a_replica, a_view, a_wire
from tests.programs import needs
from tests.web.browser import Reader
from tests.web.conftest import Show
from tests.web.scene import DC1, DC2, DC3, Scene, Up, a_healthy, half_unread

HUB3 = ServerName("hub3.example.test")


def opened(show: Show, *views: View) -> Up:
    scene = Scene()
    scene.show(*views)
    return show(scene)


def impostor(name: ServerName) -> View:
    """A server that presents a key that it never published."""
    leaf, odd = a_certificate(name, key="c"), a_certificate(name, key="odd")
    looks = (a_replica(url, leaf, server=name, home=url == DC1) for url in (DC1, DC2, DC3))
    return a_view(a_wire(odd, server=name), *looks)


def silent(name: ServerName) -> View:
    leaf = a_certificate(name, key="c")
    looks = (a_replica(url, leaf, server=name, home=url == DC1) for url in (DC1, DC2, DC3))
    return a_view(a_dead_wire(WireFailure.NOT_OFFERED, server=name), *looks)


def test_pairs_are_counted_and_those_in_trouble_are_named(show: Show) -> None:
    dashboard = opened(show, a_healthy(HUB1), a_healthy(HUB2, "b"), impostor(HUB3))
    answer = dashboard.ask("/flow")

    assert answer.status == 200
    assert "2 pairs flow, 0 slowly; 0 prove nothing, 4 do not flow, 0 cannot be told" in answer.text
    assert f'href="/flow?from={HUB1}&amp;to={HUB3}"' in answer.text
    assert 'href="/events/12104"' in answer.text


def test_where_nobody_could_look_nothing_is_green(show: Show) -> None:
    dashboard = opened(show, a_healthy(HUB1), half_unread(HUB2))

    assert (
        "0 pairs flow, 0 slowly; 0 prove nothing, 0 do not flow, 2 cannot be told"
        in dashboard.ask("/flow").text
    )


def test_a_pair_is_drawn_stage_by_stage_with_what_shows_the_session(show: Show) -> None:
    dashboard = opened(show, a_healthy(HUB1), silent(HUB2))
    text = dashboard.ask(f"/flow?from={HUB1}&to={HUB2}").text

    assert "it would stop at TLS offered (12117)" in text
    assert f"mailtrust flow {HUB1} {HUB2}" in text
    assert text.count("not reached") == 6


@pytest.mark.parametrize("query", ["?from=x&to=y", f"?from={HUB1}&to={HUB1}", f"?from={HUB1}", "?lang=zh"])
def test_what_is_no_pair_shows_the_matrix_alone(show: Show, query: str) -> None:
    answer = opened(show, a_healthy(HUB1), a_healthy(HUB2, "b")).ask(f"/flow{query}")

    assert (answer.status, 'id="pair"' in answer.text, 'id="matrix"' in answer.text) == (200, False, True)


def test_before_the_first_look_the_page_says_so(show: Show) -> None:
    assert show().ask("/flow").status == 200


@needs("chromium")
def test_a_reader_goes_from_the_matrix_to_a_pair_by_a_click(show: Show, reader: Reader) -> None:
    dashboard = opened(show, a_healthy(HUB1), a_healthy(HUB2, "b"), impostor(HUB3))
    page = reader.opens(dashboard.address)
    page.get_by_role("link", name="Reach").click()
    row = page.get_by_role("row", name=HUB1)
    row.get_by_role("link", name="wrong").click()

    expect(page.get_by_role("heading", name=f"{HUB1} → {HUB3}")).to_be_visible()
    expect(page.get_by_role("row", name="server certificate")).to_contain_text("wrong")
    expect(page.get_by_text(f"mailtrust flow {HUB1} {HUB3}")).to_be_visible()
