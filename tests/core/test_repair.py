"""From findings to what mends them."""

from __future__ import annotations

from mailtrust.core.checks import cases, diagnose
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.plan import Action, Install, Pace, Present, Publish, Replicate, Restrict, Withdraw
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.sighting import Act, History, Sighting, Slot, View
from mailtrust.core.policy import Policy
from mailtrust.core.repair import may_enrol, repairs, unasked
from mailtrust.core.rotation import plan
from mailtrust.core.succession import is_step_back, pending
from tests.make import (
    DC1,
    DC2,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    days,
    enabled,
    garbage,
    installed,
    minutes,
)

OURS = a_certificate()
NEWER = a_certificate(key="b")
STORE = a_store(installed(OURS, Slot.CURRENT))


def mending(view: View, policy: Policy | None = None) -> tuple[Action, ...]:
    rotation = pending(HUB1, view)
    plans = {HUB1: plan(rotation, view, Pace(), NOON)} if rotation else {}
    policy = policy or Policy()
    findings = diagnose(view, plans, policy, NOON).findings
    first = next(one for one in cases(view, plans, policy, NOON, None, HUB1) if one.server == HUB1)
    return repairs(findings, first)


def test_each_cause_of_12012_has_its_repair() -> None:
    """The page's user action, done."""
    overdue = a_view(STORE, a_replica(DC1), a_replica(DC2, OURS))
    withdrawn = a_view(STORE, a_replica(DC1, withdrawn={OURS.fingerprint: NOON}), acts=(enabled(OURS),))

    assert mending(a_view(a_store(), a_replica(DC1))) == (Install(HUB1),)
    assert mending(a_view(a_store(installed(OURS)), a_replica(DC1))) == (Publish(HUB1, OURS.fingerprint),)
    assert mending(overdue) == (Publish(HUB1, OURS.fingerprint, DC1),)
    assert mending(overdue, Policy(every_replica_takes_writes=False)) == ()
    assert mending(withdrawn) == (Install(HUB1),)


def test_what_is_out_of_date_is_not_published_over_what_is_valid() -> None:
    """Whoever insists says so to `enable`; what was in use before stays a way back."""
    late = a_certificate(key="late", not_before=NOON - days(900), life=days(30))
    early = a_certificate(key="early", not_before=NOON + days(1))

    def beside(leaf: Certificate, *acts: Act) -> tuple[Action, ...]:
        held = installed(leaf, arrived_at=NOON)
        store = a_store(installed(OURS, Slot.CURRENT), held)
        return mending(a_view(store, a_replica(DC1, OURS), acts=acts))

    assert beside(late) == beside(early) == (Install(HUB1),)
    assert Publish(HUB1, late.fingerprint) in beside(late, enabled(late))
    assert mending(a_view(a_store(installed(late)), a_replica(DC1))) == (Publish(HUB1, late.fingerprint),)
    assert not is_step_back(installed(late, Slot.PREVIOUS), installed(OURS, Slot.CURRENT), NOON)
    assert not is_step_back(installed(late), installed(late, Slot.CURRENT), NOON)


def test_a_replica_behind_is_written_or_united() -> None:
    """Ours is published there; what is not ours is brought by replication."""
    behind = a_view(STORE, a_replica(DC1, OURS), a_replica(DC2))
    previous = a_store(installed(OURS, Slot.CURRENT), installed(NEWER, Slot.PREVIOUS))
    old_behind = a_view(previous, a_replica(DC1, OURS, NEWER), a_replica(DC2, OURS))

    assert mending(behind) == (Publish(HUB1, OURS.fingerprint, DC2),)
    assert mending(behind, Policy(every_replica_takes_writes=False, replicates_itself=True)) == ()
    assert mending(old_behind) == (Replicate(),)


def test_a_replica_that_went_back_is_written_again() -> None:
    """The rest of what it forgot comes by replication."""
    seen = History(first_seen={(HUB1, DC2, OURS.fingerprint): NOON - minutes(99)})

    assert mending(a_view(STORE, a_replica(DC1, OURS), a_replica(DC2), history=seen)) == (
        Publish(HUB1, OURS.fingerprint, DC2),
    )


def test_a_rotation_that_is_ready_is_finished() -> None:
    """`fix` says the last word; where the key is gone it says nothing."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(NEWER))
    ready = a_view(store, a_replica(DC1, OURS, NEWER), acts=(enabled(NEWER),))
    keyless = a_view(
        a_store(installed(OURS, Slot.CURRENT), installed(NEWER, has_key=False)),
        a_replica(DC1, OURS, NEWER),
        acts=(enabled(NEWER),),
    )

    assert mending(ready) == (Present(HUB1, NEWER.fingerprint),)
    assert mending(keyless) == ()


def test_garbage_is_taken_out_and_a_stranger_is_left_to_people() -> None:
    """No certificate can be lost with a value that is none."""
    value = garbage()
    with_garbage = a_view(STORE, a_replica(DC1, OURS, unparsable=(value,)))
    half_gone = a_view(
        STORE,
        a_replica(DC1, OURS, withdrawn={garbage("cd" * 32).digest: NOON}),
        a_replica(DC2, OURS, unparsable=(value, garbage("cd" * 32))),
    )
    stranger = a_view(STORE, a_replica(DC1, OURS, a_certificate(key="s")))

    assert mending(with_garbage) == (Withdraw(HUB1, value.digest),)
    assert mending(half_gone) == (Withdraw(HUB1, value.digest),)
    assert mending(stranger) == ()


def test_a_stored_certificate_that_is_presented_unpublished_is_published() -> None:
    """The wire is right and the directory lags behind it."""
    early = NOON - minutes(9999)
    store = a_store(installed(OURS, Slot.CURRENT), installed(NEWER, arrived_at=early))
    view = a_view(store, a_replica(DC1, OURS), a_wire(NEWER))

    assert mending(view) == (Publish(HUB1, NEWER.fingerprint),)
    assert mending(a_view(STORE, a_replica(DC1, OURS), a_wire(NEWER))) == ()


def test_an_exposed_key_is_restricted() -> None:
    """Whether it was read meanwhile only people can judge."""
    store = a_store(installed(OURS, Slot.CURRENT), exposed=("/srv/hub1/key.pem",))

    assert mending(a_view(store, a_replica(DC1, OURS))) == (Restrict("/srv/hub1/key.pem"),)


def test_a_neighbours_findings_are_the_neighbours() -> None:
    """We act on our own server only."""
    view = a_view(STORE, a_replica(DC1, OURS), a_replica(DC1, server=HUB2, unparsable=(garbage(),)))
    outside = a_view(a_replica(DC1, unparsable=(garbage(),)))

    assert mending(view) == ()
    assert mending(outside) == ()


def test_what_home_lost_is_written_there_again_or_at_the_primary() -> None:
    """Where one entry is written at one place alone, the primary is that place."""
    lost = a_replica(DC1, seen={"001": 100})
    held = a_replica(DC2, OURS, written=Stamp("001", 100, NOON - minutes(99)))
    view = a_view(STORE, lost, held, acts=(enabled(OURS, place=DC2),))

    assert mending(view) == (Publish(HUB1, OURS.fingerprint, DC1),)
    assert mending(view, Policy(every_replica_takes_writes=False, replicates_itself=True)) == (
        Publish(HUB1, OURS.fingerprint),
    )


def test_a_host_from_an_image_gets_a_new_certificate_and_not_its_old_one_back() -> None:
    """The journal knows of a switch to one that this store does not have."""
    switched = Act("present", HUB1, NEWER.fingerprint, NOON)
    view = a_view(STORE, a_wire(OURS), a_replica(DC1, NEWER), acts=(switched,))

    assert Install(HUB1) in mending(view)
    assert Publish(HUB1, OURS.fingerprint) not in mending(view)


def mends(view: View, policy: Policy | None = None) -> list[tuple[Action, int | None]]:
    policy = policy or Policy()
    findings = diagnose(view, {}, policy, NOON).findings
    first = next(one for one in cases(view, {}, policy, NOON, None, HUB1) if one.server == HUB1)
    return [(one.action, one.because.code if one.because else None) for one in unasked(findings, first)]


def test_an_agent_brings_the_current_certificate_back_to_where_peers_read_it() -> None:
    """At the primary at once; elsewhere only what is late, and where it takes writes."""
    at_primary = a_view(STORE, a_replica(DC1), a_replica(DC2, OURS))
    behind = a_view(STORE, a_replica(DC1, OURS), a_replica(DC2))
    on_its_way = a_view(STORE, a_replica(DC1, OURS, published_at=NOON), a_replica(DC2))
    read_only = a_view(STORE, a_replica(DC1, OURS), a_replica(DC2, read_only=True))

    assert mends(at_primary) == [(Publish(HUB1, OURS.fingerprint), 12012)]
    assert mends(behind) == [(Publish(HUB1, OURS.fingerprint, DC2), 12102)]
    assert mends(behind, Policy(every_replica_takes_writes=False)) == []
    assert mends(on_its_way) == mends(read_only) == []
    assert mends(a_view(STORE, a_replica(DC1, OURS), a_replica(DC2, OURS))) == []


def test_what_an_agent_finds_out_without_a_finding_it_mends_as_well() -> None:
    """The primary lost it, and home has it: nobody is late yet."""
    fresh = a_replica(DC2, OURS, published_at=NOON, home=True)

    assert mends(a_view(STORE, a_replica(DC1, home=False), fresh)) == [
        (Publish(HUB1, OURS.fingerprint), None)
    ]


def test_an_agent_leaves_to_people_what_they_decide() -> None:
    """A newer certificate that nobody enabled, what was withdrawn, what has no key."""
    newer = a_store(installed(OURS, Slot.CURRENT), installed(NEWER, arrived_at=NOON))
    keyless = a_store(installed(OURS, Slot.CURRENT, has_key=False))
    gone = a_replica(DC1, withdrawn={OURS.fingerprint: NOON})

    assert mends(a_view(newer, a_replica(DC1, OURS))) == []
    assert mends(a_view(newer, a_replica(DC1))) == [(Publish(HUB1, OURS.fingerprint), 12012)]
    assert mends(a_view(a_store(), a_replica(DC1))) == []
    assert mends(a_view(keyless, a_replica(DC1))) == []
    assert mends(a_view(STORE, gone)) == []
    assert mends(a_view(STORE, a_replica(DC1, OURS, unparsable=(garbage(),)))) == []


def test_an_agent_does_not_bring_back_what_an_image_has_kept() -> None:
    """The directory, or the journal, knows of something newer that this store never had."""
    newer = a_replica(DC1, NEWER), a_replica(DC2, NEWER)
    switched = Act("present", HUB1, NEWER.fingerprint, NOON)
    stranger = a_replica(DC1, NEWER), a_replica(DC2, OURS)

    assert mends(a_view(STORE, *newer)) == []
    assert mends(a_view(STORE, a_replica(DC1), acts=(switched,))) == []
    assert mends(a_view(STORE, *stranger)) == [(Publish(HUB1, OURS.fingerprint), 12012)]


def test_an_agent_takes_a_key_out_of_others_sight() -> None:
    exposed = a_store(installed(OURS, Slot.CURRENT), exposed=("/srv/hub1/a.pem",))

    assert mends(a_view(exposed, a_replica(DC1, OURS))) == [(Restrict("/srv/hub1/a.pem"), 12115)]


def enrols(*looks: Sighting) -> bool:
    [case] = cases(a_view(*looks), {}, Policy(), NOON, (HUB1,), HUB1)
    return may_enrol(case)


def test_only_a_server_that_was_never_anything_is_enrolled_unasked() -> None:
    """A store on a disk that is not mounted looks empty, too."""
    assert enrols(a_store(), a_replica(DC1), a_replica(DC2))
    assert enrols(a_store(), a_replica(DC1), an_unread_replica(DC2))

    assert not enrols(a_store(), a_replica(DC1), a_replica(DC2, OURS))
    assert not enrols(a_store(), a_replica(DC1, unparsable=(garbage(),)))
    assert not enrols(a_store(), a_replica(DC1, withdrawn={OURS.fingerprint: NOON}))
    assert not enrols(a_store(installed(OURS)), a_replica(DC1))
    assert not enrols(an_unread_store(), a_replica(DC1))
    assert not enrols(a_replica(DC1))


def test_nobody_is_enrolled_who_cannot_read_home_or_write_to_the_primary() -> None:
    assert not enrols(a_store(), an_unread_replica(DC1), a_replica(DC2))
    assert not enrols(a_store(), a_replica(DC1, home=False), an_unread_replica(DC2, home=True))
    assert not enrols(a_store(), an_unread_replica(DC1, home=False), a_replica(DC2, home=True))
