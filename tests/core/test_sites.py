"""How long replication may take, computed from a forest's sites and links."""

from __future__ import annotations

from datetime import timedelta

from mailtrust.core.sites import (
    MARGIN,
    Controller,
    Forest,
    Latency,
    SiteLink,
    latencies,
    latency,
    longest_closed,
)
from tests.make import minutes


def controllers(*sites: str) -> tuple[Controller, ...]:
    return tuple(
        Controller(f"dc{number}.corp.example", site, f"CN=NTDS Settings,CN=DC{number}", f"db{number}")
        for number, site in enumerate(sites, 1)
    )


def known(found: Latency | None) -> Latency:
    assert found is not None
    return found


HUB_TO_BRANCH = SiteLink("HUB-BRANCH", frozenset({"Hub", "Branch"}))


def test_within_a_site_a_write_takes_seconds() -> None:
    two = known(latency(Forest(controllers("Hub", "Hub")), "Hub", "Hub"))
    many = known(latency(Forest(controllers(*["Hub"] * 9)), "Hub", "Hub"))

    assert two.longest == MARGIN + timedelta(seconds=15)
    assert many.longest == MARGIN + timedelta(seconds=63)
    assert [said.phrase for said in two.steps] == ["latency.within-site", "latency.margin"]


def test_a_site_with_one_controller_waits_for_nobody() -> None:
    assert known(latency(Forest(controllers("Hub")), "Hub", "Hub")).longest == MARGIN


def test_a_site_link_adds_its_interval() -> None:
    forest = Forest(controllers("Hub", "Hub", "Branch"), (HUB_TO_BRANCH,))

    found = known(latency(forest, "Hub", "Branch"))

    assert found.longest == MARGIN + minutes(180) + timedelta(seconds=15)
    assert [said.phrase for said in found.steps] == [
        "latency.within-site", "latency.link", "latency.within-site", "latency.margin",
    ]  # fmt: skip


def test_a_link_that_notifies_is_as_quick_as_a_site() -> None:
    link = SiteLink("FAST", frozenset({"Hub", "Branch"}), notifies=True)

    assert known(latency(Forest((), (link,)), "Hub", "Branch")).longest == MARGIN + timedelta(seconds=15)


def test_a_schedule_that_shuts_a_link_at_night_adds_the_night() -> None:
    link = SiteLink("NIGHT", frozenset({"Hub", "Branch"}), longest_closed=timedelta(hours=10))

    assert known(latency(Forest((), (link,)), "Hub", "Branch")).longest == MARGIN + timedelta(hours=13)


def test_the_cheapest_path_is_taken_however_slow_it_is() -> None:
    """The directory goes by cost, not by time."""
    links = (
        SiteLink("DIRECT", frozenset({"A", "C"}), cost=500, interval=minutes(15)),
        SiteLink("AB", frozenset({"A", "B"}), cost=100, interval=minutes(60)),
        SiteLink("BC", frozenset({"B", "C"}), cost=100, interval=minutes(30)),
        SiteLink("DETOUR", frozenset({"A", "B", "D"}), cost=150),
    )

    found = known(latency(Forest((), links), "A", "C"))

    assert found.longest == MARGIN + minutes(90)
    assert [said.values["link"] for said in found.steps if "link" in said.values] == ["AB", "BC"]


def test_sites_that_nothing_connects_have_no_latency() -> None:
    assert latency(Forest((), (HUB_TO_BRANCH,)), "Hub", "Island") is None


def test_each_writer_has_its_own_latency() -> None:
    """What a neighbour wrote is late long before what the branch wrote is."""
    forest = Forest(controllers("Hub", "Hub", "Branch", "Island"), (HUB_TO_BRANCH,))

    assert latencies(forest, forest.controllers[0]) == {
        "db1": MARGIN + timedelta(seconds=15), "db2": MARGIN + timedelta(seconds=15),
        "db3": MARGIN + minutes(180) + timedelta(seconds=15),
    }  # fmt: skip


def test_a_controller_is_found_by_its_name_in_any_case() -> None:
    forest = Forest(controllers("Hub"))

    assert forest.at("DC1.corp.example") is forest.controllers[0]
    assert forest.at("dc9.corp.example") is None


def test_the_longest_closed_time_goes_around_the_week() -> None:
    week = [False] * 8 + [True] * 600 + [False] * 64

    assert longest_closed(week) == minutes(15 * 72)
    assert longest_closed([True] * 672) == timedelta(0)
    assert longest_closed([False] * 672) == timedelta(0)
