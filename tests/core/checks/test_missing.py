"""12012 and its four causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.sighting import Act, History, ReplicaSighting, Slot
from mailtrust.core.policy import Policy
from tests.core.checks.judge import codes, judged, phrases, ruled_out, silenced, the
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    an_unread_store,
    enabled,
    garbage,
    installed,
    minutes,
)

OURS = a_certificate()
NEWER = a_certificate(key="b")


def empty() -> tuple[object, ...]:
    return a_replica(DC1), a_replica(DC2), a_replica(DC3)


def test_nothing_installed_is_no_certificate() -> None:
    """The other three causes speak of a certificate, and there is none."""
    found = the(12012, judged(a_view(a_store(), *empty())))

    assert (found.cause, found.action) == ("no-certificate", "mailtrust new")
    assert phrases(found) == ["missing.store-empty"]
    assert set(ruled_out(found)) == {"not-enabled", "not-written", "overdue"}


def test_a_certificate_for_another_name_is_no_certificate_either() -> None:
    """It could not stand for this server."""
    store = a_store(installed(a_certificate("other.example.test")))
    found = the(12012, judged(a_view(store, *empty())))

    assert found.cause == "no-certificate"
    assert phrases(found) == ["missing.none-fits"]


def test_what_the_directory_publishes_and_the_store_lost_is_named() -> None:
    """Whoever reads this should know that an old key is still believed."""
    diagnosis = judged(a_view(a_store(), a_replica(DC1, OURS)))

    assert "missing.others-published" in phrases(the(12012, diagnosis))
    assert (12013, 12012) in silenced(diagnosis)


def test_a_certificate_never_enabled_is_not_enabled() -> None:
    """The seed's first condition: installed, and the cmdlet was not run."""
    found = the(12012, judged(a_view(a_store(installed(OURS)), *empty())))

    assert found.cause == "not-enabled"
    assert found.action == f"mailtrust enable {OURS.fingerprint[:12]}"
    assert ruled_out(found) == {
        "no-certificate": "ruled-out.installed",
        "not-written": "ruled-out.not-tried",
        "overdue": "ruled-out.nowhere",
    }


def test_a_newer_certificate_never_enabled_is_not_enabled_while_the_older_one_works() -> None:
    """The seed's "more current than the published version"."""
    store = a_store(installed(OURS, Slot.CURRENT, arrived_at=NOON - timedelta(days=9)), installed(NEWER))
    view = a_view(store, a_replica(DC1, OURS), a_wire(OURS), acts=(enabled(OURS),))
    found = the(12012, judged(view))

    assert found.cause == "not-enabled"
    assert found.action == f"mailtrust enable {NEWER.fingerprint[:12]}"
    assert "missing.older-works" in phrases(found)


def test_a_renewal_with_the_published_key_needs_nothing() -> None:
    """The key decides, so that peers notice nothing."""
    renewed = a_certificate(serial=77)
    store = a_store(installed(OURS, Slot.CURRENT, arrived_at=NOON - timedelta(days=9)), installed(renewed))

    assert 12012 not in codes(judged(a_view(store, a_replica(DC1, OURS))))


def test_without_a_readable_journal_the_slot_tells_that_it_was_never_enabled() -> None:
    """Only enabling moves a certificate out of the slot none."""
    history = History(readable=False)
    found = the(12012, judged(a_view(a_store(installed(OURS)), *empty(), history=history)))

    assert found.cause == "not-enabled"
    assert "missing.slot-none" in phrases(found)


def test_enabled_and_published_nowhere_is_not_written() -> None:
    """Every replica answered, so the write was refused or lost."""
    store = a_store(installed(OURS, Slot.CURRENT))
    found = the(12012, judged(a_view(store, *empty(), acts=(enabled(OURS),))))

    assert found.cause == "not-written"
    assert "missing.enabled-at" in phrases(found)
    assert ruled_out(found)["not-enabled"] == "ruled-out.was-enabled"


def test_an_enable_that_failed_says_why() -> None:
    """The reason, where it is known, is half of the cure."""
    act = enabled(OURS, failed="the disk is full")
    found = the(12012, judged(a_view(a_store(installed(OURS)), *empty(), acts=(act,))))

    assert found.cause == "not-written"
    [said] = [said for said in found.evidence if said.phrase == "missing.enable-failed"]
    assert said.values["why"] == "the disk is full"


def test_a_current_certificate_without_a_journal_was_enabled() -> None:
    """A journal that was lost does not turn a lost write into one that was never tried."""
    found = the(12012, judged(a_view(a_store(installed(OURS, Slot.CURRENT)), *empty())))

    assert found.cause == "not-written"
    assert "missing.slot-enabled" in phrases(found)


def test_a_withdrawn_current_certificate_needs_a_new_one() -> None:
    """What was withdrawn never returns: enabling again would be refused."""
    gone = {OURS.fingerprint: NOON - minutes(5)}
    view = a_view(
        a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1, withdrawn=gone), acts=(enabled(OURS),)
    )
    found = the(12012, judged(view))

    assert (found.cause, found.action) == ("not-written", "mailtrust new")
    assert "missing.withdrawn" in phrases(found)


def test_a_withdrawal_that_has_not_arrived_everywhere_is_no_replication() -> None:
    """Another replica still shows it; waiting would not bring it to home, and silence would be green."""
    gone = {OURS.fingerprint: NOON - minutes(5)}
    view = a_view(
        a_store(installed(OURS, Slot.CURRENT)),
        a_replica(DC1, withdrawn=gone),
        a_replica(DC2, OURS),
        acts=(enabled(OURS),),
    )
    found = the(12012, judged(view))

    assert (found.cause, found.action) == ("not-written", "mailtrust new")
    assert ruled_out(found)["overdue"] == "ruled-out.withdrawn"


def test_with_an_unread_replica_the_cause_stays_open() -> None:
    """It may stand where we cannot look: neither lost nor late is proven."""
    view = a_view(
        a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1), an_unread_replica(DC2), acts=(enabled(OURS),)
    )
    found = the(12012, judged(view))

    assert found.cause is None
    assert found.ruled_out == ()
    assert "missing.unread" in phrases(found)


def test_written_a_moment_ago_to_a_replica_that_is_unread_now_is_on_its_way() -> None:
    """Nothing is made anew while a good one is in flight."""
    view = a_view(
        a_store(installed(OURS, Slot.CURRENT)),
        a_replica(DC1),
        an_unread_replica(DC2),
        acts=(enabled(OURS, at=NOON - minutes(1), place=DC2),),
    )
    diagnosis = judged(view)

    assert 12012 not in codes(diagnosis)
    assert the(12101, diagnosis).until == NOON + minutes(14)


def test_on_its_way_home_within_the_latency_is_12101() -> None:
    """The seed's second condition, while waiting is the right act."""
    store = a_store(installed(OURS, Slot.CURRENT))
    view = a_view(store, a_replica(DC1), a_replica(DC2, OURS, published_at=NOON - minutes(14)))
    diagnosis = judged(view)

    assert 12012 not in codes(diagnosis)
    found = the(12101, diagnosis)
    assert (found.place, found.action) == (DC1, "mailtrust wait")


def test_past_the_latency_it_is_overdue_and_home_itself_is_written() -> None:
    """Publishing again where it already stands would do nothing."""
    store = a_store(installed(OURS, Slot.CURRENT))
    view = a_view(
        store, a_replica(DC1), a_replica(DC2, OURS, published_at=NOON - minutes(15)), a_replica(DC3)
    )
    diagnosis = judged(view)
    found = the(12012, diagnosis)

    assert found.cause == "overdue"
    assert found.since == NOON
    assert found.action == f"mailtrust enable {OURS.fingerprint[:12]} --replica {DC1}"
    assert ruled_out(found)["not-written"] == "ruled-out.published"
    assert silenced(diagnosis) == [(12102, 12012)]


def test_where_only_one_replica_takes_writes_overdue_has_no_command() -> None:
    """Then the link is to be mended, not the entry."""
    store = a_store(installed(OURS, Slot.CURRENT))
    view = a_view(store, a_replica(DC1), a_replica(DC2, OURS))
    found = the(12012, judged(view, policy=Policy(every_replica_takes_writes=False)))

    assert (found.cause, found.action) == ("overdue", None)


def test_lateness_is_said_in_units_that_people_use() -> None:
    """Seconds of a day and a half are no answer at three in the morning."""
    view = a_view(a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1), a_replica(DC2, OURS))
    [said] = [one for one in the(12012, judged(view)).evidence if one.phrase == "missing.deadline-passed"]
    now = the(12012, judged(view, policy=Policy(latency=timedelta(days=1)), now=NOON))
    [at_once] = [one for one in now.evidence if one.phrase == "missing.deadline-passed"]

    assert (said.values["latency"], said.values["late"]) == ("15m", "23h 45m")
    assert at_once.values["late"] == "1s"


def test_no_verdict_without_home() -> None:
    """Could not look is never not there."""
    view = a_view(a_store(installed(OURS)), an_unread_replica(DC1), a_replica(DC2))

    assert 12012 not in codes(judged(view))


def test_no_verdict_without_the_store() -> None:
    """What is installed is one half of the comparison."""
    assert codes(judged(a_view(an_unread_store(), *empty()))) == []


def test_seen_from_outside_what_it_presents_stands_in() -> None:
    """Overdue can be proven from outside; never enabled cannot."""
    late = a_view(a_replica(DC1), a_replica(DC2, OURS), a_wire(OURS))
    nowhere = a_view(a_replica(DC1), a_wire(OURS))

    found = the(12012, judged(late))
    assert (found.cause, found.action) == ("overdue", None)
    assert "no-certificate" not in ruled_out(found)
    assert codes(judged(nowhere)) == [12104]
    assert codes(judged(a_view(a_replica(DC1)))) == []


def test_garbage_as_the_only_value_at_home_explains_12012() -> None:
    """Then the value is damaged, not missing."""
    view = a_view(a_store(installed(OURS)), a_replica(DC1, unparsable=(garbage(),)))
    beside = a_view(a_store(installed(OURS)), a_replica(DC1, NEWER, unparsable=(garbage(),)))

    assert silenced(judged(view)) == [(12012, 12022)]
    assert {12012, 12022} <= set(codes(judged(beside)))


def test_presenting_what_was_never_written_is_one_cause_not_two() -> None:
    """12104 of the very certificate that 12012 is about is its consequence."""
    store = a_store(installed(OURS, Slot.CURRENT))
    view = a_view(store, a_replica(DC1), a_wire(OURS), acts=(enabled(OURS),))
    other = a_view(store, a_replica(DC1), a_wire(NEWER), acts=(enabled(OURS),))

    assert (12104, 12012) in silenced(judged(view))
    assert 12104 in codes(judged(other))
    assert judged(view, scope=(HUB1,)).findings[0].event.code == 12012


def test_a_certificate_without_its_key_is_not_the_installed_one() -> None:
    """It cannot be presented."""
    keyless = replace(installed(OURS), has_key=False)

    assert the(12012, judged(a_view(a_store(keyless), *empty()))).cause == "no-certificate"


def test_a_clock_that_runs_ahead_does_not_put_the_deadline_off() -> None:
    """The time in the directory is another host's; what the journal saw an hour ago was written by then."""
    ahead = a_replica(DC2, OURS, published_at=NOON + timedelta(days=365))
    seen = History(first_seen={(HUB1, DC2, OURS.fingerprint): NOON - timedelta(hours=1)})
    view = a_view(a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1), ahead, history=seen)

    assert the(12012, judged(view)).cause == "overdue"
    assert 12012 not in codes(judged(replace(view, history=History())))


WRITTEN = Stamp("001", 100, NOON - timedelta(hours=2))


def elsewhere(**options: object) -> ReplicaSighting:
    return a_replica(DC2, OURS, published_at=NOON - timedelta(hours=2), written=WRITTEN, **options)


def test_home_that_has_not_seen_the_write_proves_it_late() -> None:
    store = a_store(installed(OURS, Slot.CURRENT))
    late = a_replica(DC1, seen={"001": 99}, partners=("dc7.example.test",))

    found = the(12012, judged(a_view(store, late, elsewhere(), acts=(enabled(OURS, place=DC2),))))

    assert found.cause == "overdue"
    assert phrases(found)[-2:] == ["missing.not-arrived", "missing.partners"]


def test_home_that_saw_the_write_and_lacks_the_value_lost_it() -> None:
    """Also within the latency: it will not come."""
    store = a_store(installed(OURS, Slot.CURRENT))
    lost = a_replica(DC1, changed=Stamp("002", 101, NOON))

    view = a_view(store, lost, elsewhere(), acts=(enabled(OURS, place=DC2),))
    found = the(12012, judged(view, now=NOON - timedelta(hours=2) + minutes(1)))
    read_only = the(12012, judged(view, policy=Policy(every_replica_takes_writes=False)))

    assert (found.cause, found.action) == (
        "not-written", f"mailtrust enable {OURS.fingerprint[:12]} --replica {DC1}",
    )  # fmt: skip
    assert ruled_out(found)["overdue"] == "ruled-out.arrived"
    assert read_only.action == f"mailtrust enable {OURS.fingerprint[:12]}"


def test_lost_at_home_and_seen_from_outside_is_nobodys_command() -> None:
    view = a_view(a_wire(OURS), a_replica(DC1, seen={"001": 100}), elsewhere())

    assert the(12012, judged(view)).action is None


def test_a_withdrawal_that_only_the_journal_knows_needs_a_new_one() -> None:
    """An LDAP directory forgets what was withdrawn."""
    store = a_store(installed(OURS, Slot.CURRENT))
    gone = Act("withdraw", HUB1, OURS.fingerprint, NOON, DC2)

    found = the(12012, judged(a_view(store, a_replica(DC1), elsewhere(), acts=(enabled(OURS), gone))))

    assert (found.cause, found.action) == ("not-written", "mailtrust new")
    assert "missing.withdrawn" in phrases(found)
