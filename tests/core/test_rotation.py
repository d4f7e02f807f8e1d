"""The checklist."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.core.model.plan import Pace, Phase, Present, Publish, Rotation
from mailtrust.core.model.sighting import Act, Slot, View
from mailtrust.core.rotation import pending, plan
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    an_unread_replica,
    an_unread_store,
    enabled,
    installed,
    minutes,
)

OLD = a_certificate(key="old")
NEW = a_certificate(key="new")
ROTATION = Rotation(HUB1, NEW.fingerprint)
STORE = a_store(installed(OLD, Slot.CURRENT), installed(NEW))


def step(
    view: View, pace: Pace | None = None, rotation: Rotation = ROTATION
) -> tuple[Phase, object, list[str]]:
    found = plan(rotation, view, pace or Pace(), NOON)
    return found.phase, found.action, [obstacle.said.phrase for obstacle in found.obstacles]


def test_the_first_line_is_to_have_it_with_its_key() -> None:
    """What cannot be presented must not be published."""
    keyless = a_store(replace(installed(NEW), has_key=False))

    assert step(a_view(a_store())) == (Phase.INSTALL, None, ["obstacle.not-installed"])
    assert step(a_view(keyless)) == (Phase.INSTALL, None, ["obstacle.no-key"])
    assert step(a_view(an_unread_store())) == (Phase.INSTALL, None, ["obstacle.store-unread"])
    assert step(a_view()) == (Phase.INSTALL, None, ["obstacle.store-unread"])


def test_a_renewal_with_the_same_key_is_published_in_its_own_right_and_waits_for_nobody() -> None:
    """Peers believe its key already; but when the older one is withdrawn, the key must still stand there."""
    renewed = a_certificate(key="old", serial=77)
    store = a_store(installed(OLD, Slot.CURRENT), installed(renewed))
    rotation = Rotation(HUB1, renewed.fingerprint)

    before = step(a_view(store, a_replica(DC1, OLD), a_replica(DC2, OLD)), rotation=rotation)
    after = step(a_view(store, a_replica(DC1, OLD, renewed), a_replica(DC2, OLD)), rotation=rotation)

    assert before[:2] == (Phase.PUBLISH, Publish(HUB1, renewed.fingerprint))
    assert after[:2] == (Phase.PRESENT, Present(HUB1, renewed.fingerprint))


def test_publish_judges_the_primary_alone() -> None:
    """A stopped replica must not keep us from publishing."""
    view = a_view(STORE, a_replica(DC1, OLD), an_unread_replica(DC2))

    assert step(view) == (Phase.PUBLISH, Publish(HUB1, NEW.fingerprint), ["obstacle.not-published"])


def test_an_unread_primary_is_waited_for() -> None:
    """There is nowhere to write."""
    view = a_view(STORE, an_unread_replica(DC1), a_replica(DC2, OLD))

    assert step(view) == (Phase.PUBLISH, None, ["obstacle.replica-unread"])


def test_another_replica_may_be_told_to_take_the_write() -> None:
    """Where every replica takes writes, the stuck link is walked around."""
    rotation = Rotation(HUB1, NEW.fingerprint, DC2)
    view = a_view(STORE, an_unread_replica(DC1), a_replica(DC2, OLD))

    assert step(view, rotation=rotation)[1] == Publish(HUB1, NEW.fingerprint, DC2)


def test_what_was_withdrawn_never_returns() -> None:
    """Its withdrawal may still be on the way to some replica."""
    view = a_view(STORE, a_replica(DC1, OLD), a_replica(DC2, withdrawn={NEW.fingerprint: NOON}))
    key = a_view(STORE, a_replica(DC1, OLD, withdrawn_pins=frozenset({NEW.pin})))

    assert step(view) == (Phase.PUBLISH, None, ["obstacle.withdrawn"])
    assert step(key) == (Phase.PUBLISH, None, ["obstacle.withdrawn"])


def test_it_spreads_before_it_is_presented() -> None:
    """The invariant: what is presented is published where peers read."""
    view = a_view(STORE, a_replica(DC1, OLD, NEW), a_replica(DC2, OLD), a_replica(DC3, NEW))

    assert step(view) == (Phase.SPREAD, None, ["obstacle.not-spread"])


def test_an_unread_replica_holds_the_switch_back_only_where_the_pace_says_so() -> None:
    """`enable` goes by the readable ones; a rotation does not."""
    view = a_view(STORE, a_replica(DC1, NEW), an_unread_replica(DC2))

    assert step(view)[0] is Phase.PRESENT
    assert step(view, Pace(unreadable_blocks=True)) == (Phase.SPREAD, None, ["obstacle.replica-unread"])


def test_a_spread_holds_still_until_snapshots_have_caught_up() -> None:
    """A peer may decide by what it read half an hour ago."""
    view = a_view(STORE, a_replica(DC1, NEW, published_at=NOON - minutes(10)))
    found = plan(ROTATION, view, Pace(spread=minutes(30)), NOON)

    assert (found.phase, found.obstacles[0].until) == (Phase.SPREAD, NOON + minutes(20))
    assert plan(ROTATION, view, Pace(spread=minutes(10)), NOON).phase is Phase.PRESENT


def test_nothing_current_means_nothing_to_lose() -> None:
    """The first certificate is presented at once."""
    view = a_view(a_store(installed(NEW)), a_replica(DC1, NEW), a_replica(DC2))

    assert step(view) == (Phase.PRESENT, Present(HUB1, NEW.fingerprint), ["obstacle.not-current"])


def test_done_is_current_and_published_everywhere() -> None:
    """Nothing is stored about it: the view tells."""
    view = a_view(a_store(installed(NEW, Slot.CURRENT)), a_replica(DC1, NEW), a_replica(DC2, NEW))

    assert step(view) == (Phase.DONE, None, [])


def test_pending_is_the_last_thing_asked_for_and_not_finished() -> None:
    """The journal remembers the intent; everything else is read off the view."""
    acts = (enabled(OLD, at=NOON - minutes(9)), enabled(NEW))

    assert pending(HUB1, a_view(STORE, acts=acts)) == ROTATION
    assert pending(HUB1, a_view(STORE)) is None
    assert pending(HUB1, a_view(STORE, acts=(enabled(OLD),))) is None
    assert pending(HUB1, a_view(a_store(), acts=acts)) is None
    assert pending(HUB1, a_view(an_unread_store(), acts=acts)) is None
    assert pending(HUB2, a_view(STORE, acts=acts)) is None
    gone = a_replica(DC1, withdrawn={NEW.fingerprint: NOON})
    assert pending(HUB1, a_view(STORE, gone, acts=acts)) is None
    other = Act("present", HUB1, NEW.fingerprint, NOON)
    assert pending(HUB1, a_view(STORE, acts=(*acts, other))) == ROTATION
