"""`/metrics`, asked by HTTP as Prometheus asks."""

from __future__ import annotations

import gzip
import http.client
import subprocess
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from mailtrust.core.metrics.facts import Local
from mailtrust.core.metrics.table import METRICS
from mailtrust.errors import DirectoryUnavailable
from mailtrust.web.security import Access
from tests.loopback import LOOPBACK, PATIENCE
from tests.make import DC1, DC2, DC3, HUB1, HUB2, a_view, an_unread_replica
from tests.programs import needs
from tests.web.conftest import Show
from tests.web.scene import Scene, Up, a_corner, a_healthy, a_missing, half_unread

TOKEN = "a token that nobody guesses"


def value(text: str, name: str, **labels: str) -> list[float]:
    """The samples of that name that have these labels."""
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def after_the_next_look(up: Up) -> None:
    """Returns when a look is over that began after now."""
    with up.listening() as lines:
        # What is known already, the look that may be on its way, and one that begins after it.
        for _ in range(3):
            next(line for line in lines if line.startswith("data: "))


@needs("promtool")
def test_it_is_what_prometheus_reads(dashboard: Up) -> None:
    answer = dashboard.ask("/metrics")
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=answer.text, capture_output=True, text=True, check=False
    )

    assert (answer.status, answer.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    assert (ran.stdout, ran.stderr) == ("", "")
    assert {family.name for family in text_string_to_metric_families(answer.text)} == {
        metric.name.removesuffix("_total") for metric in METRICS
    }


def test_it_tells_what_the_pages_tell(dashboard: Up) -> None:
    text = dashboard.ask("/metrics").text

    agreement = "mailtrust_agreement_installed_published_home"
    assert (value(text, agreement, server=HUB1), value(text, agreement, server=HUB2)) == ([0], [1])
    assert value(text, "mailtrust_finding", event="12012", server=HUB1) == [1]
    assert value(text, "mailtrust_last_look_succeeded") == [1]


def test_prometheus_gets_it_packed(dashboard: Up) -> None:
    plain = dashboard.ask("/metrics").text
    connection = http.client.HTTPConnection(LOOPBACK, dashboard.port, timeout=PATIENCE)
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    packed = answer.read()
    connection.close()

    assert answer.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed).decode().splitlines()[0] == plain.splitlines()[0]
    assert len(packed) < len(plain) / 5


def test_a_scrape_brings_looks_about_and_follows_them(show: Show) -> None:
    scene = Scene()
    scene.show(a_healthy(HUB1))
    up = show(scene)
    before = value(up.ask("/metrics").text, "mailtrust_finding", event="12012")

    scene.show(a_missing(HUB1, "a"))
    after_the_next_look(up)

    assert before == []
    assert value(up.ask("/metrics").text, "mailtrust_finding", event="12012") == [1]


def test_what_nobody_could_look_at_is_neither(show: Show) -> None:
    scene = Scene()
    scene.show(half_unread(HUB1))

    text = show(scene).ask("/metrics").text

    assert value(text, "mailtrust_agreement_installed_published_home") == [-1]
    assert value(text, "mailtrust_verdict", verdict="unknown") == [1]


def test_a_look_that_failed_leaves_what_was_known_and_says_so(show: Show) -> None:
    scene = Scene()
    scene.show(a_healthy(HUB1))
    up = show(scene)
    moment = value(up.ask("/metrics").text, "mailtrust_last_look_timestamp_seconds")

    scene.corners = DirectoryUnavailable("the cable is out")
    after_the_next_look(up)

    text = up.ask("/metrics").text
    assert value(text, "mailtrust_last_look_succeeded") == [0]
    assert value(text, "mailtrust_last_look_timestamp_seconds") == moment


def test_before_anybody_could_look_it_answers_all_the_same(show: Show) -> None:
    text = show(Scene(DirectoryUnavailable("the cable is out"))).ask("/metrics").text

    assert value(text, "mailtrust_last_look_succeeded") == [0]
    assert value(text, "mailtrust_build_info") == [1]


def test_two_corners_that_see_one_server_give_each_series_once(show: Show) -> None:
    outside = a_corner(a_healthy(HUB1).see([*half_unread(HUB2).latest[HUB2].values()]), viewpoint=HUB1)
    own = replace(a_corner(a_healthy(HUB2)), local=Local(has_queue=True))
    text = show(Scene((outside, own))).ask("/metrics").text

    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert value(text, "mailtrust_queue_readable", server=HUB2) == [1]


def test_a_fleet_is_not_forgotten_while_no_replica_can_be_read(show: Show) -> None:
    fleet = a_healthy(HUB1).see([*a_healthy(HUB2).latest[HUB2].values()])
    blind = a_view(*(an_unread_replica(url, home=url == DC1) for url in (DC1, DC2, DC3)))
    scene = Scene((a_corner(fleet, viewpoint=HUB1),))
    up = show(scene)
    agreement = "mailtrust_agreement_published_replica"
    before = value(up.ask("/metrics").text, agreement, server=HUB2)

    scene.corners = (a_corner(blind, viewpoint=HUB1),)
    after_the_next_look(up)

    assert before == [1, 1, 1]
    assert value(up.ask("/metrics").text, agreement, server=HUB2) == [-1, -1, -1]


def test_it_asks_for_the_token_as_every_page_does(show: Show) -> None:
    up = show(access=Access(token=TOKEN))

    assert up.ask("/metrics").status == 401
    assert up.ask("/metrics", Authorization=f"Bearer {TOKEN}").status == 200


def test_it_only_reads(dashboard: Up) -> None:
    assert dashboard.ask("/metrics", "HEAD").text == ""
    assert dashboard.ask("/metrics", "POST").status == 405
