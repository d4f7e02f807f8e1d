"""The checklist."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.core.model.plan import Gate, Pace, Phase, Present, Publish, Rehearse, Rotation, Withdraw
from mailtrust.core.model.sighting import Act, Dead, History, Slot, View
from mailtrust.core.rotation import checklist, plan
from mailtrust.core.succession import pending
from tests.make import (
    DC1,
    DC2,
    DC3,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_rehearsal,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    enabled,
    installed,
    minutes,
    since,
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


def test_a_spread_holds_still_from_when_it_was_seen_there_until_snapshots_have_caught_up() -> None:
    """
    A peer may decide by what it read half an hour ago, and it may have arrived long after it was published.
    """
    looks = (STORE, a_replica(DC1, OLD, NEW), a_replica(DC2, OLD, NEW))
    pace = Pace(spread=minutes(30))

    unknown = plan(ROTATION, a_view(*looks), pace, NOON)
    half = plan(ROTATION, a_view(*looks, history=since((DC1, NEW, 40), (DC2, NEW, 10))), pace, NOON)
    whole = plan(ROTATION, a_view(*looks, history=since((DC1, NEW, 40), (DC2, NEW, 30))), pace, NOON)

    assert [one.until for one in unknown.obstacles] == [NOON + minutes(30)] * 2
    assert [(one.place, one.until, one.gate) for one in half.obstacles] == [
        (DC2, NOON + minutes(20), Gate.TIME)
    ]
    assert whole.phase is Phase.PRESENT


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
    later = Act("present", HUB1, OLD.fingerprint, NOON)
    assert pending(HUB1, a_view(STORE, acts=(*acts, later))) is None


WHOLE = Rotation(HUB1, NEW.fingerprint, old=frozenset({OLD.fingerprint}))
AFTER = a_store(installed(OLD, Slot.PREVIOUS), installed(NEW, Slot.CURRENT))
PACE = Pace(spread=minutes(30), settle=minutes(60), unreadable_blocks=True, rehearses=True)
LONG_AGO = since((DC1, NEW, 300), (DC2, NEW, 300), ("/srv/hub1", NEW, 200), (str(ENDPOINT), NEW, 200))
BOTH = (a_replica(DC1, OLD, NEW), a_replica(DC2, OLD, NEW))


def whole(*looks: object, history: History = LONG_AGO, rotation: Rotation = WHOLE) -> tuple[object, ...]:
    found = plan(rotation, a_view(*looks, history=history), PACE, NOON)  # type: ignore[arg-type]
    return found.phase, found.action, [(one.said.phrase, one.place) for one in found.obstacles]


def test_every_peer_is_asked_before_the_switch() -> None:
    """One that is cut off from its replica knows nothing new, whatever the replicas hold."""
    asked = whole(STORE, *BOTH)
    refused = whole(STORE, *BOTH, a_rehearsal(NEW, accepted=True), a_rehearsal(NEW, "hub3", accepted=False))
    agreed = whole(STORE, *BOTH, a_rehearsal(NEW, accepted=True), a_rehearsal(NEW, "hub3", accepted=None))
    of_another = whole(STORE, *BOTH, a_rehearsal(OLD, accepted=True))
    long_ago = whole(STORE, *BOTH, a_rehearsal(NEW, accepted=True, seen_at=NOON - minutes(6)))

    assert asked == (Phase.SPREAD, Rehearse(HUB1, NEW.fingerprint), [("obstacle.not-rehearsed", "")])
    assert refused == (Phase.SPREAD, None, [("obstacle.peer-refuses", "hub3")])
    assert agreed[:2] == (Phase.PRESENT, Present(HUB1, NEW.fingerprint))
    assert asked == of_another == long_ago


def test_what_is_replaced_stays_published_until_every_listener_has_settled() -> None:
    """A process may still show the old file, and a session may still run."""
    still_old = whole(AFTER, *BOTH, a_wire(OLD))
    unread = whole(AFTER, *BOTH, a_dead_wire())
    young = whole(AFTER, *BOTH, a_wire(NEW), history=since((DC1, NEW, 300), (DC2, NEW, 300)))
    settled = whole(AFTER, *BOTH, a_wire(NEW))

    assert still_old == (Phase.SETTLE, None, [("obstacle.not-presented", str(ENDPOINT))])
    assert unread == (Phase.SETTLE, None, [("obstacle.wire-unread", str(ENDPOINT))])
    assert young == (Phase.SETTLE, None, [("obstacle.unsettled", str(ENDPOINT))])
    assert settled[:2] == (Phase.WITHDRAW, Withdraw(HUB1, OLD.fingerprint))


def test_what_was_current_again_a_moment_ago_has_not_settled() -> None:
    """
    Undone right after the switch: no look has met what was presented in between, and its processes live on.
    """
    back = since((DC1, NEW, 300), (DC2, NEW, 300), ("/srv/hub1", NEW, 1), (str(ENDPOINT), NEW, 200))

    young = whole(AFTER, *BOTH, a_wire(NEW), history=back)

    assert young == (Phase.SETTLE, None, [("obstacle.unsettled", str(ENDPOINT))])


def test_a_server_without_listeners_settles_since_it_has_the_new_one() -> None:
    young = whole(AFTER, *BOTH, history=since((DC1, NEW, 300), (DC2, NEW, 300)))
    settled = whole(AFTER, *BOTH, history=since((DC1, NEW, 300), (DC2, NEW, 300), ("/srv/hub1", NEW, 61)))

    assert young[::2] == (Phase.SETTLE, [("obstacle.unsettled", "/srv/hub1")])
    assert settled[0] is Phase.WITHDRAW


def test_it_ends_when_the_old_one_is_gone_everywhere() -> None:
    """Until then a peer may read it where the withdrawal has not arrived."""
    fading = whole(AFTER, a_replica(DC1, NEW), a_replica(DC2, OLD, NEW), a_wire(NEW))
    unread = a_view(AFTER, a_replica(DC1, NEW), an_unread_replica(DC2), a_wire(NEW), history=LONG_AGO)
    [*_, fade] = checklist(WHOLE, unread, PACE, NOON)
    done = whole(AFTER, a_replica(DC1, NEW), a_replica(DC2, NEW), a_wire(NEW))

    assert fading == (Phase.FADE, None, [("obstacle.not-faded", DC2)])
    assert [one.said.phrase for one in fade.obstacles] == ["obstacle.replica-unread"]
    assert done == (Phase.DONE, None, [])


def test_without_its_primary_nothing_is_withdrawn() -> None:
    unread = [*checklist(WHOLE, a_view(AFTER, an_unread_replica(DC1), a_wire(NEW)), PACE, NOON)]

    assert [one.said.phrase for line in unread[-2:] for one in line.obstacles] == [
        "obstacle.replica-unread"
    ] * 2


def test_an_old_look_proves_nothing() -> None:
    """Whoever looked may have slept since."""
    later = NOON + minutes(6)
    view = a_view(AFTER, *BOTH, a_wire(NEW), history=LONG_AGO)
    lines = [*checklist(WHOLE, view, PACE, later)]

    assert plan(WHOLE, view, PACE, later).phase is Phase.SPREAD
    told = {(line.phase, one.said.phrase) for line in lines for one in line.obstacles if not one.is_gap}
    assert told == {(phase, "obstacle.look-old") for phase in (Phase.SPREAD, Phase.SETTLE, Phase.FADE)}


def test_a_dead_replica_holds_a_rotation_back_until_somebody_says_so() -> None:
    """And again when that word has run out."""
    looks = (STORE, a_replica(DC1, OLD, NEW), an_unread_replica(DC2), a_rehearsal(NEW, accepted=True))
    word = Dead(DC2, NOON + minutes(1), "the disk is gone", NOON - PACE.spread)

    def phase(*words: Dead) -> object:
        return whole(*looks, history=replace(LONG_AGO, dead=words))[0]

    assert phase() is Phase.SPREAD
    assert phase(word) is Phase.PRESENT
    assert phase(replace(word, until=NOON)) is Phase.SPREAD
    assert phase(replace(word, place=DC3)) is Phase.SPREAD


def test_what_a_replica_said_before_it_died_is_believed_for_a_while() -> None:
    looks = (STORE, a_replica(DC1, OLD, NEW), an_unread_replica(DC2), a_rehearsal(NEW, accepted=True))
    word = Dead(DC2, NOON + minutes(60), "the disk is gone", NOON - minutes(1))
    never_there = replace(since((DC1, NEW, 300), ("/srv/hub1", NEW, 200)), dead=(word,))

    found = plan(WHOLE, a_view(*looks, history=never_there), PACE, NOON)

    assert [(one.said.phrase, one.place, one.until) for one in found.obstacles] == [
        ("obstacle.just-died", DC2, word.declared_at + PACE.spread)
    ]
    # Where it had the new one for long enough its readers know it.
    assert whole(*looks, history=replace(LONG_AGO, dead=(word,)))[0] is Phase.PRESENT


def test_rollback_is_rotation_the_other_way() -> None:
    back = WHOLE.undone(OLD.fingerprint)

    assert back == Rotation(HUB1, OLD.fingerprint, old=frozenset({NEW.fingerprint}))
    assert back.undone(NEW.fingerprint) == WHOLE


def test_the_standing_successor_is_made_known_and_no_more() -> None:
    """So that a rotation to it waits for nothing."""
    standing = Rotation(HUB1, NEW.fingerprint, standing=True)

    assert whole(STORE, a_replica(DC1, OLD), a_replica(DC2, OLD), rotation=standing)[:2] == (
        Phase.PUBLISH, Publish(HUB1, NEW.fingerprint)
    )  # fmt: skip
    assert whole(STORE, *BOTH, rotation=standing) == (Phase.DONE, None, [])


def test_a_stolen_key_waits_for_nothing_and_never_returns() -> None:
    stolen = replace(WHOLE, compromised=True)
    before = a_replica(DC1, OLD, NEW), a_replica(DC2, OLD)

    assert whole(STORE, *before, rotation=stolen)[:2] == (Phase.PRESENT, Present(HUB1, NEW.fingerprint))
    assert whole(AFTER, *before, a_wire(OLD), rotation=stolen)[:2] == (
        Phase.WITHDRAW, Withdraw(HUB1, OLD.fingerprint, OLD.pin)
    )  # fmt: skip
