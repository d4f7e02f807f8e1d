"""Who believes whom, and a snapshot through one look after the other: what is kept, and what goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.replication import Seen
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.spread import Spread
from mailtrust.core.model.trust import Anonymous, Column, Snapshot, Stranger, Trusted
from tests.make import (
    AUTHORITY,
    DC1,
    DC2,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    an_unread_replica,
    minutes,
)

FIRST = a_certificate(HUB1, key="first")
SECOND = a_certificate(HUB2, key="second")
LATER = NOON + minutes(1)


def a_snapshot(*published: tuple[ServerName, Certificate]) -> Snapshot:
    return Snapshot({leaf.pin: server for server, leaf in published}, NOON, DC1)


BOTH = a_snapshot((HUB1, FIRST), (HUB2, SECOND))
NUMBERED = replace(BOTH, seen={"001": 5, "002": 7})
"""As a directory has it that numbers its writes."""


def told(seen: Seen, *looks: ReplicaSighting) -> Column:
    """A look at everybody at a replica that has seen so much."""
    column = Column.of(looks)
    column.seen = seen
    return column


def test_a_published_key_is_believed_to_be_its_server() -> None:
    assert BOTH.judge(SECOND) == Trusted(HUB2)


def test_a_key_that_nobody_publishes_is_a_stranger() -> None:
    """Whatever names it carries: anyone can write a name into a certificate."""
    impostor = a_certificate(HUB1, key="impostor")

    assert BOTH.judge(impostor) == Stranger(impostor)


def test_who_shows_nothing_is_anonymous() -> None:
    assert BOTH.judge(None) == Anonymous()


def test_a_renewal_with_the_same_key_is_still_believed() -> None:
    """Peers compare keys, not certificates."""
    assert BOTH.judge(a_certificate(HUB1, key="first", life=timedelta(days=60))) == Trusted(HUB1)


def test_expiry_names_and_issuer_never_break_direct_trust() -> None:
    """The directory vouches, not a CA and not the calendar."""
    odd = a_certificate(
        "printer.example.test", key="first", issuer="Somebody else",
        not_before=NOON - timedelta(days=400), life=timedelta(days=30),
    )  # fmt: skip

    assert odd.expired(NOON)
    assert BOTH.judge(odd) == Trusted(HUB1)


def test_a_server_can_be_held_to_its_key_once_it_publishes_one() -> None:
    only_the_first = a_snapshot((HUB1, FIRST))

    assert only_the_first.publishes(HUB1)
    assert not only_the_first.publishes(HUB2)


@pytest.mark.parametrize(("age", "stale"), [(0, False), (30, False), (31, True)])
def test_a_snapshot_grows_stale(age: float, stale: bool) -> None:
    """Up to the limit it is good, and past it not."""
    assert BOTH.is_stale(NOON + minutes(age), minutes(30)) is stale


def test_what_was_never_taken_is_stale() -> None:
    assert Snapshot().is_stale(NOON, minutes(30))


def test_the_first_look_fills_the_snapshot() -> None:
    looks = [a_replica(DC1, FIRST), a_replica(DC1, SECOND, server=HUB2)]

    assert Snapshot().renewed(Column.of(looks), DC1, NOON) == BOTH


def test_a_look_brings_what_is_new_and_drops_what_is_gone() -> None:
    new = a_certificate(HUB1, key="new")
    later = {"001": 6, "002": 7}
    looks = [a_replica(DC2, new), a_replica(DC2, SECOND, server=HUB2)]

    assert NUMBERED.renewed(told(later, *looks), DC2, LATER) == Snapshot(
        {new.pin: HUB1, SECOND.pin: HUB2}, LATER, DC2, seen=later
    )


def test_a_server_whose_entry_is_gone_is_believed_no_longer() -> None:
    """Asked for all, a replica does not name a server whose last certificate was withdrawn."""
    later = NUMBERED.renewed(told(NUMBERED.seen, a_replica(DC1, FIRST)), DC1, LATER)

    assert later.judge(FIRST) == Trusted(HUB1)
    assert later.judge(SECOND) == Stranger(SECOND)


def test_one_server_may_stand_empty_beside_a_full_one() -> None:
    """That is news, and the directory is evidently well."""
    looks = [a_replica(DC1), a_replica(DC1, SECOND, server=HUB2)]

    later = NUMBERED.renewed(told(NUMBERED.seen, *looks), DC1, LATER)

    assert later == Snapshot({SECOND.pin: HUB2}, LATER, DC1, seen=NUMBERED.seen)


def test_an_empty_answer_where_there_was_a_full_one_is_damage() -> None:
    """A replica that lost its entries must not cost the trust in everybody; the old date tells of it."""
    emptied = [a_replica(DC1), a_replica(DC1, server=HUB2)]

    assert BOTH.renewed(Column.of([]), DC1, LATER) is BOTH
    assert BOTH.renewed(Column.of(emptied), DC1, LATER) is BOTH


def test_an_empty_directory_is_news_where_nothing_was_known() -> None:
    """The first server of an organization begins with it."""
    assert Snapshot().renewed(Column.of([]), DC1, NOON) == Snapshot({}, NOON, DC1)
    assert Snapshot().renewed(Column.of([a_replica(DC1)]), DC1, NOON) == Snapshot({}, NOON, DC1)


def test_a_shared_key_belongs_to_the_first_in_the_alphabet() -> None:
    """In whatever order they were looked at, as 12107 says."""
    looks = [a_replica(DC1, FIRST, server=HUB2), a_replica(DC1, FIRST)]

    assert Snapshot().renewed(Column.of(looks), DC1, NOON).judge(FIRST) == Trusted(HUB1)


def test_a_compromised_key_is_believed_of_nobody() -> None:
    """Its withdrawal stands on one entry, and the thief may have put it on another."""
    looks = [
        a_replica(DC1, withdrawn_pins=frozenset({FIRST.pin})),
        a_replica(DC1, FIRST, SECOND, server=HUB2),
    ]

    assert Snapshot().renewed(Column.of(looks), DC1, NOON).servers == {SECOND.pin: HUB2}


def test_a_compromised_key_is_not_even_kept() -> None:
    """Not for a server that was not looked at either."""
    shared = a_snapshot((HUB2, FIRST))
    looks = [a_replica(DC1, SECOND, withdrawn_pins=frozenset({FIRST.pin}))]

    assert shared.updated(looks, DC1, LATER).judge(FIRST) == Stranger(FIRST)


def test_a_published_authority_is_believed_by_nobody() -> None:
    """Nor is what it issued: only published keys count."""
    authority = a_certificate(HUB1, key="authority", extensions=AUTHORITY)

    snapshot = Snapshot().renewed(Column.of([a_replica(DC1, authority, FIRST)]), DC1, NOON)

    assert snapshot.judge(authority) == Stranger(authority)
    assert snapshot.judge(FIRST) == Trusted(HUB1)


def test_a_look_at_one_server_leaves_the_others_as_they_are() -> None:
    """So a change costs what one entry costs, however many there are."""
    newer = a_certificate(HUB1, key="newer")

    updated = BOTH.updated([a_replica(DC1, newer)], DC1, LATER)

    assert (updated.judge(newer), updated.judge(SECOND)) == (Trusted(HUB1), Trusted(HUB2))
    assert updated.judge(FIRST) == Stranger(FIRST)
    assert updated.taken_at == LATER


SERVERS = [ServerName(f"hub{number}.example.test") for number in range(4)]
LEAVES = [a_certificate(key=f"leaf {number}") for number in range(5)]
LOOKS = st.tuples(
    st.sampled_from(SERVERS), st.sets(st.sampled_from(LEAVES)), st.sets(st.sampled_from(LEAVES), max_size=1)
)


@given(st.lists(st.lists(LOOKS, min_size=1, max_size=3, unique_by=lambda look: look[0]), max_size=8))
def test_many_small_looks_say_what_large_ones_would(steps: list[list[Any]]) -> None:
    """Only what changed is touched, so that what is not touched must be right already."""
    snapshot, held = BOTH, dict(BOTH.servers)
    for step in steps:
        looks = [
            a_replica(
                DC1,
                *sorted(leaves, key=lambda leaf: leaf.pin),
                server=server,
                withdrawn_pins=frozenset(leaf.pin for leaf in gone),
            )
            for server, leaves, gone in step
        ]
        seen = {look.server for look in looks}
        withdrawn = {pin for look in looks for pin in look.withdrawn_pins}
        kept = {pin: server for pin, server in held.items() if server not in seen}
        joined = {**Column.of(looks).servers, **kept}
        expected = {pin: server for pin, server in joined.items() if pin not in withdrawn}
        held = expected or held

        snapshot = snapshot.updated(looks, DC1, LATER)

        assert dict(snapshot.servers) == held
        of_servers: dict[ServerName, set[Pin]] = {}
        for pin, server in held.items():
            of_servers.setdefault(server, set()).add(pin)
        assert snapshot.pins_of is None or of_servers == {
            server: set(pins) for server, pins in snapshot.pins_of.items()
        }


def test_what_a_small_look_does_not_touch_is_shared() -> None:
    """A change in a large directory costs what changed."""
    many = {Pin(f"{number:064x}"): ServerName(f"hub{number}.example.test") for number in range(20_000)}
    first = Snapshot(many, NOON, DC1).updated([a_replica(DC1, FIRST)], DC1, NOON)

    second = first.updated([a_replica(DC1, FIRST, SECOND)], DC1, LATER)

    assert isinstance(first.servers, Spread)
    assert isinstance(second.servers, Spread)
    assert second.servers.since(first.servers) == ({SECOND.pin: HUB1}, set())
    assert second.servers.shares(first.servers) > 0.99


def test_a_server_that_withdrew_everything_is_believed_no_more() -> None:
    updated = BOTH.updated([a_replica(DC1)], DC1, LATER)

    assert updated.judge(FIRST) == Stranger(FIRST)


def test_no_answer_about_one_server_is_no_news() -> None:
    assert BOTH.updated([an_unread_replica(DC1)], DC1, LATER) is BOTH


def test_nobody_left_is_damage_also_server_by_server() -> None:
    alone = a_snapshot((HUB1, FIRST))

    assert alone.updated([a_replica(DC1)], DC1, LATER) is alone


def test_a_stand_in_vouches_for_more_and_never_for_fewer() -> None:
    """What it lacks may not have arrived there; the snapshot is as old as home's last word."""
    newer = a_certificate(HUB1, key="newer")

    extended = BOTH.extended(Column.of([a_replica(DC2, newer, home=False)]))

    assert {extended.judge(leaf) for leaf in (newer, FIRST)} == {Trusted(HUB1)}
    assert (extended.taken_at, extended.replica) == (NOON, DC1)
    assert BOTH.extended(Column.of([a_replica(DC2, FIRST)])) is BOTH


def test_a_compromised_key_is_not_kept_on_a_stand_ins_word_either() -> None:
    stolen = Column.of([a_replica(DC2, withdrawn_pins=frozenset({FIRST.pin}))])

    assert BOTH.extended(stolen).servers == {SECOND.pin: HUB2}


def test_an_answer_that_nothing_changed_makes_the_snapshot_younger_and_nothing_else() -> None:
    confirmed = BOTH.confirmed(LATER)

    assert confirmed == Snapshot(BOTH.servers, LATER, DC1)
    assert confirmed.servers is BOTH.servers
