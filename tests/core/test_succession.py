"""Which rotation a server is to make."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.plan import Install, Phase, Publish, Rotation, Withdraw
from mailtrust.core.model.sighting import NOT_ENDED, Act, History, Installed, Intent, Slot, View
from mailtrust.core.policy import Policy
from mailtrust.core.succession import compromised, course, due_at, lead, outcome, start, undo
from tests.make import (
    DC1,
    DC2,
    ENDPOINT,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_store,
    days,
    enabled,
    installed,
    minutes,
    since,
)

OLD, NEW, THIRD = (a_certificate(key=one) for one in ("old", "new", "third"))
CURRENT, NEXT = installed(OLD, Slot.CURRENT), installed(NEW, Slot.NEXT)
SWITCHED = installed(OLD, Slot.PREVIOUS), installed(NEW, Slot.CURRENT)
FORTH = Rotation(HUB1, NEW.fingerprint, old=frozenset({OLD.fingerprint}))
BOTH = (a_replica(DC1, OLD, NEW), a_replica(DC2, OLD, NEW))
MAKE = Install(HUB1, successor=True)
POLICY = Policy()


def next_thing(view: View) -> tuple[str, Phase, object]:
    found = course(HUB1, view, POLICY, NOON)
    return (found.why, found.plan.phase, found.plan.action) if found else ("", Phase.DONE, None)


NOTHING = ("", Phase.DONE, None)


def a_worn(leaf: Certificate, left: timedelta) -> Certificate:
    """The same as if it had been made so that only that much of its five years is left."""
    return replace(leaf, not_before=NOON + left - days(1825), not_after=NOON + left)


def test_where_the_store_cannot_be_read_nothing_is_wanted() -> None:
    assert next_thing(a_view(an_unread_store(), *BOTH)) == NOTHING
    assert next_thing(a_view(*BOTH)) == NOTHING
    assert next_thing(a_view(a_store(), a_replica(DC1))) == NOTHING


def test_a_server_always_has_its_next_certificate_made_and_published() -> None:
    """So that a planned rotation waits for nothing, and an emergency is a switch."""
    without = next_thing(a_view(a_store(CURRENT), a_replica(DC1, OLD)))
    made = next_thing(a_view(a_store(CURRENT, NEXT), a_replica(DC1, OLD), a_replica(DC2, OLD)))
    on_its_way = next_thing(a_view(a_store(CURRENT, NEXT), a_replica(DC1, OLD, NEW), a_replica(DC2, OLD)))
    everywhere = next_thing(a_view(a_store(CURRENT, NEXT), *BOTH))

    assert without == ("successor", Phase.INSTALL, MAKE)
    assert made == ("successor", Phase.PUBLISH, Publish(HUB1, NEW.fingerprint))
    assert on_its_way == ("successor", Phase.SPREAD, None)
    assert everywhere == NOTHING


def test_a_successor_that_was_withdrawn_or_has_grown_old_is_made_anew() -> None:
    """It ages beside the current one; and it must be known everywhere before its turn comes."""
    worn = installed(a_worn(NEW, 2 * lead(NEW, POLICY) - minutes(1)), Slot.NEXT)
    gone = replace(BOTH[0], withdrawn={NEW.fingerprint: NOON})

    assert next_thing(a_view(a_store(CURRENT, NEXT), gone))[2] == MAKE
    assert next_thing(a_view(a_store(CURRENT, worn), *BOTH))[2] == MAKE


def test_a_planned_rotation_begins_when_it_is_due_and_goes_on_record_first() -> None:
    """Before anybody warns of its end, and not on one day for all servers."""
    worn = a_worn(OLD, days(90))
    found = course(HUB1, a_view(a_store(replace(CURRENT, certificate=worn), NEXT), *BOTH), POLICY, NOON)
    early = replace(CURRENT, certificate=a_worn(OLD, days(121)))

    assert found is not None
    assert (found.why, found.begins) == ("due", Intent(FORTH, "due", NOON))
    assert NOON - days(30) < due_at(HUB1, worn, POLICY) < NOON
    assert due_at(HUB1, worn, POLICY) != due_at(HUB2, worn, POLICY)
    assert next_thing(a_view(a_store(early, NEXT), *BOTH)) == NOTHING


def test_whoever_wants_to_begin_every_rotation_himself_is_not_overtaken() -> None:
    """The next certificate is made and published all the same."""
    worn = a_worn(OLD, days(30))
    view = a_view(
        a_store(installed(worn, Slot.CURRENT), NEXT), a_replica(DC1, worn, NEW), a_replica(DC2, worn, NEW)
    )
    by_hand = Policy(rotates_when_due=False)

    assert course(HUB1, view, POLICY, NOON) is not None
    assert course(HUB1, view, by_hand, NOON) is None
    assert course(HUB1, a_view(a_store(CURRENT), a_replica(DC1, OLD)), by_hand, NOON) is not None


def test_no_policy_makes_certificates_for_ever() -> None:
    """Whatever is called soon, a new one is not due at once."""
    assert lead(NEW, Policy(expires_soon=days(3650))) == (NEW.not_after - NEW.not_before) / 3


def test_what_was_asked_for_comes_first_and_the_successor_need_not_wait_for_it() -> None:
    history = History(intent=Intent(FORTH, "start", NOON))
    spreading = course(HUB1, a_view(a_store(CURRENT, NEXT), *BOTH, history=history), POLICY, NOON)
    settling = next_thing(a_view(a_store(*SWITCHED), *BOTH, a_wire(NEW), history=history))

    assert spreading is not None
    assert (spreading.why, spreading.plan.rotation, spreading.plan.phase) == ("start", FORTH, Phase.SPREAD)
    assert settling == ("successor", Phase.INSTALL, MAKE)


def test_a_rotation_to_what_was_withdrawn_is_void() -> None:
    history = History(intent=Intent(FORTH, "start", NOON))
    gone = replace(BOTH[0], withdrawn={NEW.fingerprint: NOON})
    elsewhere = History(intent=Intent(replace(FORTH, server=HUB2), "start", NOON))

    assert next_thing(a_view(a_store(CURRENT, NEXT), gone, history=history))[0] == "successor"
    assert next_thing(a_view(a_store(CURRENT), BOTH[0], history=history))[0] == "successor"
    assert next_thing(a_view(a_store(CURRENT, NEXT), *BOTH, history=elsewhere)) == NOTHING


def test_a_rotation_on_record_ends_when_it_is_done_or_leads_nowhere() -> None:
    """And never because nobody could look."""
    history = History(intent=Intent(FORTH, "start", NOON))
    settled = replace(since((DC1, NEW, 300), (DC2, NEW, 300), ("/srv/hub1", NEW, 61)), intent=history.intent)
    faded = a_replica(DC1, NEW), a_replica(DC2, NEW)

    assert outcome(HUB1, a_view(a_store(*SWITCHED), *faded, history=settled), POLICY, NOON) == "done"
    assert outcome(HUB1, a_view(a_store(*SWITCHED), *faded, history=history), POLICY, NOON) == ""
    assert outcome(HUB1, a_view(a_store(CURRENT), BOTH[0], history=history), POLICY, NOON) == "void"
    assert outcome(HUB1, a_view(an_unread_store(), history=history), POLICY, NOON) == ""
    assert outcome(HUB1, a_view(a_store(CURRENT), BOTH[0]), POLICY, NOON) == ""


def test_an_enabled_certificate_is_brought_to_its_end() -> None:
    view = a_view(a_store(CURRENT, installed(THIRD), NEXT), *BOTH, acts=(enabled(THIRD),))

    assert next_thing(view) == ("enable", Phase.PUBLISH, Publish(HUB1, THIRD.fingerprint))


def test_what_was_replaced_is_withdrawn_when_the_new_one_has_settled() -> None:
    """Also where nobody remembers a rotation: the journal may be lost."""
    store = a_store(*SWITCHED, installed(THIRD, Slot.NEXT))
    replicas = a_replica(DC1, OLD, NEW, THIRD), a_replica(DC2, OLD, NEW, THIRD)
    settled = since(
        (DC1, NEW, 300), (DC2, NEW, 300), ("/srv/hub1", NEW, 61), (str(ENDPOINT), NEW, 61)
    )  # fmt: skip

    withdrawal = next_thing(a_view(store, *replicas, a_wire(NEW), history=settled))

    assert withdrawal == ("finish", Phase.WITHDRAW, Withdraw(HUB1, OLD.fingerprint))
    assert next_thing(a_view(store, *replicas, a_wire(NEW)))[:2] == ("finish", Phase.SPREAD)


def test_what_was_begun_to_be_withdrawn_comes_back_only_where_the_primary_shows_it() -> None:
    """An agent may be killed before it has learned what became of it, and LDAP remembers nothing."""
    begun = Act("withdraw", HUB1, NEW.fingerprint, NOON, DC1, failed=NOT_ENDED)
    store = a_store(CURRENT, NEXT)
    taken = a_view(store, a_replica(DC1, OLD), a_replica(DC2, OLD, NEW), acts=(begun,))
    refused = a_view(store, *BOTH, acts=(begun,))

    assert next_thing(taken) == ("successor", Phase.INSTALL, MAKE)
    assert taken.is_withdrawn(HUB1, NEW)
    assert not refused.is_withdrawn(HUB1, NEW)


def test_a_rotation_leads_from_the_current_one_to_the_next() -> None:
    assert start(HUB1, a_view(a_store(CURRENT, NEXT))) == FORTH
    assert start(HUB1, a_view(a_store(CURRENT))) is None
    assert start(HUB1, a_view(a_store(NEXT))) is None
    assert start(HUB1, a_view()) is None


def undone(*held: Installed, history: History | None = None) -> Rotation | None:
    return undo(HUB1, a_view(a_store(*held), *BOTH, history=history))


def test_the_way_back_leads_to_what_is_presented_or_was_replaced_last() -> None:
    under_way = History(intent=Intent(FORTH, "start", NOON))
    back = Rotation(HUB1, OLD.fingerprint, old=frozenset({NEW.fingerprint}))

    assert undone(CURRENT, NEXT, history=under_way) == back
    assert undone(*SWITCHED, history=under_way) == back
    assert undone(*SWITCHED) == back


def test_the_way_back_does_not_lead_to_a_successor_that_was_never_presented() -> None:
    """It grew old and was replaced as one, so that it is among what is published yet."""
    worn = installed(THIRD, Slot.PREVIOUS, arrived_at=NOON)
    acts = tuple(Act("present", HUB1, leaf.fingerprint, NOON) for leaf in (OLD, NEW))

    found = undo(HUB1, a_view(a_store(worn, *SWITCHED), a_replica(DC1, OLD, NEW, THIRD), acts=acts))

    assert found is not None
    assert found.new == OLD.fingerprint


def test_there_is_no_way_back_to_what_was_withdrawn() -> None:
    gone = a_replica(DC1, NEW, withdrawn={OLD.fingerprint: NOON})

    assert undo(HUB1, a_view(a_store(*SWITCHED), gone)) is None
    assert undo(HUB1, a_view(a_store(*SWITCHED), a_replica(DC1, NEW))) is None
    assert undo(HUB1, a_view(a_store(NEXT), *BOTH)) is None


def test_nothing_leads_back_to_a_key_that_was_stolen() -> None:
    """Until they are withdrawn the others look as fit as ever: the next one, and what is presented yet."""
    rotation = Rotation(
        HUB1, THIRD.fingerprint, old=frozenset({OLD.fingerprint, NEW.fingerprint}), compromised=True
    )
    history = History(intent=Intent(rotation, "compromised", NOON))
    view = a_view(a_store(CURRENT, NEXT, installed(THIRD)), *BOTH, history=history)

    assert undo(HUB1, view) is None
    assert start(HUB1, view) is None


def test_a_compromised_server_trusts_none_of_its_slots() -> None:
    """Whoever took one key took them all; also what only the directory still has."""
    store = a_store(CURRENT, NEXT, installed(THIRD))
    lost = a_certificate(key="lost")

    found = compromised(HUB1, a_view(store, a_replica(DC1, OLD, lost)), THIRD.fingerprint)

    assert found.compromised
    assert found.old == {OLD.fingerprint, NEW.fingerprint, lost.fingerprint}
    assert compromised(HUB1, a_view(), THIRD.fingerprint).old == frozenset()
