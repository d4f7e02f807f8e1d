"""Replicas come to agree: whatever is united with whatever, in any order and however often."""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.certificate import Fingerprint, fingerprint_of
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.directory.contents import Added, Contents, Listens
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate

# Few of each, so that two replicas often speak of the same.
LEAVES = (a_certificate(key="a"), a_certificate(key="a"), a_certificate(key="b"))
VALUES = (*(leaf.der for leaf in LEAVES), b"junk")
PINS = {leaf.der: leaf.pin for leaf in LEAVES}

servers = st.sampled_from((HUB1, HUB2))
moments = st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
digests = st.sampled_from([fingerprint_of(value) for value in VALUES])
said = st.lists(st.sampled_from((ENDPOINT, Endpoint("::1", 25))), max_size=2).map(tuple)


@st.composite
def values(draw: st.DrawFn) -> dict[tuple[ServerName, Fingerprint], Added]:
    drawn = draw(st.lists(st.tuples(servers, st.sampled_from(VALUES), moments), max_size=6))
    return {(server, fingerprint_of(value)): Added(at, value) for server, value, at in drawn}


contents = st.builds(
    Contents,
    values=values(),
    withdrawn=st.dictionaries(st.tuples(servers, digests), moments, max_size=2),
    withdrawn_keys=st.dictionaries(
        st.tuples(servers, st.sampled_from(sorted(set(PINS.values())))), moments, max_size=1
    ),
    listeners=st.dictionaries(servers, st.builds(Listens, moments, said), max_size=2),
).map(Contents.pruned)


@given(contents, contents)
def test_the_order_does_not_matter(one: Contents, other: Contents) -> None:
    assert one.united(other) == other.united(one)


@given(contents, contents, contents)
def test_the_way_does_not_matter(first: Contents, second: Contents, third: Contents) -> None:
    """Through one replica or through another: replication has no tree."""
    assert first.united(second).united(third) == first.united(second.united(third))


@given(contents, contents)
def test_what_is_there_already_changes_nothing(one: Contents, other: Contents) -> None:
    both = one.united(other)

    assert one.united(one) == one
    assert both.united(one) == both
    assert one.united(Contents()) == Contents().united(one) == one


@given(st.lists(contents, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_gossip_in_any_order_ends_in_agreement(replicas: list[Contents], chance: Random) -> None:
    """Every replica hears of every other, one at a time, and many things twice."""
    everything = reduce(Contents.united, replicas)
    order = [(to, of) for to in range(len(replicas)) for of in range(len(replicas))]
    # In each round everybody hears everybody once, in whatever order; after the second all know all.
    for _ in range(2):
        chance.shuffle(order)
        for to, of in order:
            replicas[to] = replicas[to].united(replicas[of])

    assert all(one == everything for one in replicas)


@given(contents, contents)
def test_a_withdrawal_wins_whenever_it_was_made(one: Contents, other: Contents) -> None:
    both = one.united(other)

    assert not both.values.keys() & (one.withdrawn.keys() | other.withdrawn.keys())
    assert both.withdrawn.keys() == one.withdrawn.keys() | other.withdrawn.keys()
    for (server, _), added in both.values.items():
        pin = PINS.get(added.value)
        assert (server, pin) not in one.withdrawn_keys.keys() | other.withdrawn_keys.keys()


@given(contents, contents)
def test_nothing_else_is_lost(one: Contents, other: Contents) -> None:
    both = one.united(other)

    for key, added in (*one.values.items(), *other.values.items()):
        assert key in both.values or both.withdrawal(*key, added.value) is not None


@given(contents, contents)
def test_the_earliest_publication_and_withdrawal_stand(one: Contents, other: Contents) -> None:
    """Latency is measured from the first moment, wherever that was."""
    both = one.united(other)

    for key, added in both.values.items():
        assert added.added_at == min(held.values[key].added_at for held in (one, other) if key in held.values)
    for key, at in both.withdrawn.items():
        assert at == min(held.withdrawn[key] for held in (one, other) if key in held.withdrawn)


@given(contents, contents)
def test_the_latest_word_about_listeners_stands(one: Contents, other: Contents) -> None:
    both = one.united(other)

    for server, word in both.listeners.items():
        assert word.set_at == max(
            held.listeners[server].set_at for held in (one, other) if server in held.listeners
        )


def test_a_compromised_key_is_one_servers() -> None:
    """Who else publishes that key has to be told, and decides by itself; nobody believes it meanwhile."""
    leaf = a_certificate(key="a")
    held = Contents(
        values={(server, leaf.fingerprint): Added(NOON, leaf.der) for server in (HUB1, HUB2)},
        withdrawn_keys={(HUB1, leaf.pin): NOON},
    )

    assert list(held.pruned().values) == [(HUB2, leaf.fingerprint)]
    assert held.pruned().servers() == (HUB1, HUB2)
