"""The grid: what agrees looks alike, what does not jumps to the eye, and what nobody saw is never green."""

from __future__ import annotations

from mailtrust.core.model.sighting import Slot, View
from mailtrust.web.copies import NEXT, PREVIOUS, Cell, Row, Standing, grid
from mailtrust.web.source import Present, present
from tests.make import (
    HUB1,
    HUB2,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    garbage,
    installed,
)
from tests.web.conftest import Show
from tests.web.scene import DC1, DC2, DC3, Scene, a_corner, a_healthy, a_missing, half_unread


def seen(*views: View) -> Present:
    return present([a_corner(one) for one in views])


def the_row(view: View) -> Row:
    [row] = grid(seen(view)).rows
    return row


def marks(cell: Cell) -> str:
    assert cell.chips is not None
    return "".join(one.mark for one in cell.chips)


def test_where_the_copies_agree_every_cell_has_the_same_mark() -> None:
    row = the_row(a_healthy(HUB1))

    assert [marks(one) for one in (row.installed, row.presented, *row.published)] == [
        "0n",
        "0",
        "0n",
        "0n",
        "0n",
    ]
    assert (row.standing, row.trusted.standing) == (Standing.GOOD, Standing.GOOD)


def test_a_certificate_that_nobody_publishes_jumps_to_the_eye() -> None:
    row = the_row(a_missing(HUB1))

    assert [marks(one) for one in (row.installed, row.presented, *row.published)] == [
        "01",
        "1",
        "1",
        "1",
        "1",
    ]
    assert (row.standing, row.findings[0].event.code) == (Standing.BAD, 12012)


def test_a_renewal_with_the_same_key_looks_the_same() -> None:
    old, new = a_certificate(serial=1), a_certificate(serial=2)
    row = the_row(a_view(a_store(installed(new, Slot.CURRENT)), a_wire(old), a_replica(DC1, old)))

    assert [marks(one) for one in (row.installed, row.presented, *row.published)] == ["0", "0", "0"]
    assert row.trusted.standing is Standing.GOOD


def test_what_was_replaced_is_told_from_what_nobody_expects() -> None:
    leaf, old, stranger = (a_certificate(key=one) for one in "abc")
    store = a_store(installed(leaf, Slot.CURRENT), installed(old, Slot.PREVIOUS))
    row = the_row(a_view(store, a_wire(leaf), a_replica(DC1, leaf, old, stranger, unparsable=(garbage(),))))

    assert marks(row.published[0]) == f"01{PREVIOUS}"
    assert row.published[0].unparsable == 1


def test_from_outside_what_every_replica_has_beside_it_does_not_disagree() -> None:
    leaf, following, stranger = (a_certificate(HUB2, key=one) for one in "abc")
    looks = (
        a_replica(DC1, leaf, following, server=HUB2), a_replica(DC2, leaf, following, stranger, server=HUB2)
    )  # fmt: skip
    row = the_row(a_view(a_wire(leaf, server=HUB2), *looks))

    assert row.installed.is_elsewhere
    assert [marks(one) for one in row.published] == [f"0{NEXT}", f"01{NEXT}"]


def test_the_only_key_that_was_seen_of_a_server_does_not_disagree() -> None:
    leaf, other = a_certificate(HUB2), a_certificate(HUB2, key="b")
    on_its_way = a_view(a_replica(DC1, leaf, server=HUB2), a_replica(DC2, server=HUB2))
    parted = a_view(a_replica(DC1, leaf, server=HUB2), a_replica(DC2, other, server=HUB2))

    assert [marks(one) for one in the_row(on_its_way).published] == ["0", ""]
    assert [marks(one) for one in the_row(parted).published] == ["1", "2"]


def test_all_is_well_is_not_said_of_a_server_that_could_not_be_looked_at(show: Show) -> None:
    leaf, scene = a_certificate(), Scene()
    scene.show(a_view(a_store(installed(leaf, Slot.CURRENT)), a_replica(DC1, leaf)), a_healthy(HUB2))
    up = show(scene)

    page, of_the_server = up.ask("/").text, up.ask(f"/servers/{HUB1}").text
    assert "Nothing wrong was seen, but 1 of 2 servers could not be seen in full" in page
    assert "All is well" not in page
    assert "verdict unknown" in page
    for one in (page, of_the_server):
        assert "nobody says where it presents its certificate" in one


def test_what_could_not_be_looked_at_is_never_green() -> None:
    leaf = a_certificate()
    store, wire, read = a_store(installed(leaf, Slot.CURRENT)), a_wire(leaf), a_replica(DC1, leaf)
    unread = an_unread_replica(DC2)
    blind = (
        a_view(store, wire, read, unread),
        a_view(store, a_dead_wire(), read),
        a_view(an_unread_store(), wire, read),
        a_view(store, wire, an_unread_replica(DC1)),
        a_view(store, read),
        half_unread(HUB1),
    )

    for view in blind:
        assert the_row(view).standing is not Standing.GOOD
    assert the_row(blind[0]).published[1] == Cell(None, unread.why)
    assert the_row(blind[0]).trusted.unread == 1
    assert the_row(blind[2]).standing is Standing.UNKNOWN


def test_trusted_is_what_is_presented_among_what_is_published() -> None:
    leaf, other = a_certificate(), a_certificate(key="b")
    store, wire = a_store(installed(leaf, Slot.CURRENT)), a_wire(leaf)
    nowhere = the_row(a_view(store, wire, a_replica(DC1, other), a_replica(DC2, other)))
    partly = the_row(a_view(store, wire, a_replica(DC1, leaf), a_replica(DC2, other)))

    assert (nowhere.trusted.standing, nowhere.trusted.believing) == (Standing.BAD, 0)
    assert (partly.trusted.standing, partly.trusted.believing) == (Standing.WARNING, 1)


def test_replicas_that_are_short_for_the_same_are_told_apart() -> None:
    leaf = a_certificate()
    urls = ("sqlite:///a/dc1.db", "sqlite:///b/dc1.db", DC3)
    found = grid(seen(a_view(a_wire(leaf), *(a_replica(url, leaf, home=url == DC3) for url in urls))))

    assert [one.title for one in found.columns] == ["dc1#1", "dc1#2", "dc3"]


def test_servers_are_counted_by_how_it_is_with_them() -> None:
    found = grid(seen(a_missing(HUB1), a_healthy(HUB2), half_unread("hub3.example.test")))

    assert found.counts == {Standing.BAD: 1, Standing.UNKNOWN: 1, Standing.WARNING: 0, Standing.GOOD: 1}
