"""The grid of copies, as it stands on a screen of 80 columns without colours."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from mailtrust.cli.grid import grid, grids
from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import Slot, View
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    days,
    garbage,
    installed,
)

GOLDEN = Path(__file__).parent / "golden"


def drawn(part: RenderableType) -> str:
    paper = io.StringIO()
    Console(file=paper, width=80, color_system=None).print(part)
    return "".join(f"{line.rstrip()}\n" for line in paper.getvalue().splitlines())


def named(digit: str, *, pin: str | None = None, life_days: float = 1825) -> Certificate:
    """A certificate whose names do not change from run to run."""
    leaf = a_certificate(life=days(life_days))
    return replace(leaf, fingerprint=Fingerprint(digit * 64), pin=Pin((pin or digit) * 64))


CURRENT, RENEWAL, OLD, STRANGER = named("a"), named("b", pin="a"), named("c", life_days=10), named("d")


def troubled() -> View:
    """Everything that a grid can show, at one server."""
    return a_view(
        a_store(
            installed(OLD, Slot.PREVIOUS), installed(CURRENT, Slot.CURRENT), installed(RENEWAL, has_key=False)
        ),
        a_wire(CURRENT),
        a_replica(DC1, CURRENT, OLD, STRANGER, unparsable=(garbage(),)),
        a_replica(DC2, CURRENT, withdrawn={OLD.fingerprint: NOON}),
        an_unread_replica(DC3),
    )


def a_fleet(count: int) -> tuple[View, list[ServerName]]:
    servers = [ServerName(f"hub{number}.example.test") for number in range(1, count + 1)]
    looks = [a_replica(url, CURRENT, server=one) for one in servers for url in (DC1, DC2)]
    lagging = a_replica(DC2, server=servers[2])
    return a_view(*looks, *(a_wire(CURRENT, server=one) for one in servers), lagging), servers


@pytest.mark.parametrize("name", ["troubled", "two-servers", "blind", "fleet"])
def test_a_grid_looks_as_it_was_approved(name: str) -> None:
    """A change of the screen is a change that somebody looked at; the file is what they saw."""
    fleet, servers = a_fleet(12)
    screens = {
        "troubled": lambda: grids(troubled(), [HUB1], NOON),
        "two-servers": lambda: grids(
            troubled().see([a_replica(DC1, CURRENT, server=HUB2), a_dead_wire(server=HUB2)]),
            [HUB1, HUB2],
            NOON,
        ),
        "blind": lambda: grid(a_view(an_unread_store(), a_dead_wire(), an_unread_replica(DC1)), HUB1),
        "fleet": lambda: grids(fleet, servers, NOON),
    }

    shown = drawn(screens[name]())

    assert shown == (GOLDEN / f"grid-{name}.txt").read_text("utf-8")


def test_many_places_still_fit_into_80_columns() -> None:
    """The longest titles become letters, with what each stands for below."""
    looks = [a_replica(f"sqlite:///srv/domain-controller-{number}.db", CURRENT) for number in range(1, 13)]
    wires = [a_wire(CURRENT, endpoint=Endpoint("127.0.0.1", port)) for port in (25, 587)]

    lines = drawn(grid(a_view(a_store(installed(CURRENT, Slot.CURRENT)), *wires, *looks), HUB1)).splitlines()

    assert lines[2].count("●") == 15
    assert "sqlite:///srv/domain-controller-12.db" in "\n".join(lines)


def with_replicas(*urls: str) -> str:
    view = a_view(
        a_store(installed(CURRENT, Slot.CURRENT)),
        a_wire(CURRENT),
        *(a_replica(url, CURRENT, home=url == urls[0]) for url in urls),
    )
    return drawn(grid(view, HUB1))


def test_directory_servers_are_called_by_the_names_that_people_use() -> None:
    """Those of a lab are all on this machine, where ports tell them apart."""
    fleet = with_replicas(*(f"ldaps://ldap{number}.example.org" for number in (1, 2, 3)))
    lab = with_replicas(*(f"ldaps://127.0.0.1:389{number}" for number in (1, 2, 3)))

    assert fleet.splitlines()[1].split()[-5:] == ["installed", "presented", "ldap1*", "ldap2", "ldap3"]
    assert lab.splitlines()[1].split()[-5:] == ["installed", "presented", ":3891*", ":3892", ":3893"]


def test_letters_stand_for_long_names_and_short_ones_stay() -> None:
    shown = with_replicas(*(f"ldaps://directory-{city}.example.org" for city in ("oslo", "bergen")), DC1)

    assert shown.splitlines()[1].split()[-5:] == ["installed", "presented", "c*", "d", "dc1+"]
    assert "  c*  ldaps://directory-oslo.example.org\n" in shown


def test_an_address_that_the_reason_begins_with_is_not_said_twice() -> None:
    url = "ldaps://ldap1.example.org"
    look = replace(an_unread_replica(url), why=f"{url} cannot be reached: Connection refused")

    assert f"  ? {url} cannot be reached: Connection refused\n" in drawn(grid(a_view(a_store(), look), HUB1))


def test_several_endpoints_are_told_apart_by_their_ports() -> None:
    wires = [a_wire(CURRENT, endpoint=Endpoint("127.0.0.1", 25)), a_wire(endpoint=Endpoint("127.0.0.1", 587))]

    shown = drawn(grid(a_view(a_store(), *wires, a_replica(DC1)), HUB1))

    assert ":25" in shown.splitlines()[1]
    assert ":587  127.0.0.1:587" in shown


def test_what_could_not_be_looked_at_is_never_drawn_as_empty() -> None:
    shown = drawn(grid(a_view(a_store(installed(CURRENT)), an_unread_replica(DC1)), HUB1))

    row = next(line for line in shown.splitlines() if line.startswith("none"))
    assert row.split()[-2:] == ["●", "?"]
    assert "no answer in 10 s" in shown


def test_two_replicas_with_one_short_name_are_told_apart() -> None:
    looks = (a_replica("sqlite:///a/dc.db", CURRENT), a_replica("sqlite:///b/dc.db"))

    heading = drawn(grid(a_view(a_store(), *looks), HUB1)).splitlines()[1]

    assert heading.split()[-2:] == ["dc#1", "dc#2"]


def test_a_server_without_listeners_says_why_nothing_is_presented() -> None:
    """A column that is missing must not read as one that is empty."""
    view = a_view(a_store(installed(CURRENT, Slot.CURRENT)), a_replica(DC1, CURRENT))

    assert "presented: no listener is known to look at (server.listeners)" in drawn(grid(view, HUB1))
