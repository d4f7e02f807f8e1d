"""Replica against replica."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.checks import Verdict, verdict
from mailtrust.core.model.event import Severity
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.sighting import Act, History, Slot
from mailtrust.core.policy import Policy
from tests.core.checks.judge import codes, judged, phrases, silenced, the
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
    a_wire,
    an_unread_replica,
    an_unread_store,
    enabled,
    installed,
    minutes,
)

OURS = a_certificate()
NEWER = a_certificate(key="b")
STORE = a_store(installed(OURS, Slot.CURRENT))
JUST_NOW = NOON - minutes(1)
WRITTEN = Stamp("001", 100, NOON - timedelta(days=1))


def test_on_its_way_is_information_with_a_deadline() -> None:
    """Waiting is the right act, and until when is what people want to know."""
    view = a_view(STORE, a_replica(DC1, OURS, published_at=JUST_NOW), a_replica(DC2), a_replica(DC3))
    found = [one for one in judged(view).findings if one.event.code == 12101]

    assert [one.place for one in found] == [DC2, DC3]
    assert {one.until for one in found} == {NOON + minutes(14)}
    assert {one.severity for one in found} == {Severity.INFORMATION}


def test_overdue_elsewhere_is_12102() -> None:
    """Peers that read there refuse us."""
    found = the(12102, judged(a_view(STORE, a_replica(DC1, OURS), a_replica(DC2))))

    assert (found.place, found.action) == (DC2, f"mailtrust enable {OURS.fingerprint[:12]} --replica {DC2}")


def test_an_old_or_foreign_certificate_behind_is_mended_by_replication() -> None:
    """It is not ours to enable."""
    behind = a_view(a_replica(DC1, OURS, server=HUB2), a_replica(DC2, server=HUB2))
    openldap, active_directory = Policy(replicates_itself=True), Policy(replicates_itself=True, pulls=True)

    assert the(12102, judged(behind)).action == "mailtrust directory replicate --once"
    assert the(12102, judged(behind, policy=openldap)).action is None
    assert the(12102, judged(behind, policy=active_directory)).action == f"mailtrust directory pull {HUB2}"


def test_what_is_being_withdrawn_is_not_late() -> None:
    """The value is on its way out, not in."""
    gone = a_replica(DC2, OURS, withdrawn={NEWER.fingerprint: NOON})
    still = a_replica(DC3, OURS)

    assert 12102 not in codes(judged(a_view(STORE, a_replica(DC1, OURS, NEWER), gone, still)))
    assert 12102 in codes(judged(a_view(a_replica(DC1, OURS, NEWER), still)))


def test_a_replica_that_held_it_and_forgot_went_back() -> None:
    """Restored from a backup: neither late nor lost on the way."""
    seen = History(first_seen={(HUB1, DC2, OURS.fingerprint): NOON - timedelta(days=2)})
    diagnosis = judged(a_view(STORE, a_replica(DC1, OURS), a_replica(DC2), history=seen))

    assert the(12110, diagnosis).since == NOON - timedelta(days=2)
    assert 12102 not in codes(diagnosis)


def test_a_replica_that_cannot_be_read_is_said_once_for_the_fleet() -> None:
    """Two thousand servers are not two thousand findings."""
    view = a_view(
        STORE, an_unread_replica(DC1), a_replica(DC2, OURS),
        an_unread_replica(DC1, server=HUB2), a_replica(DC2, server=HUB2),
    )  # fmt: skip
    diagnosis = judged(view)
    found = the(12103, diagnosis)

    assert (found.server, phrases(found)) == (HUB1, ["replica.unread-home"])
    assert the(12103, judged(view, scope=(HUB2,))).server == HUB2
    assert 12012 not in codes(diagnosis)


def test_an_enable_elsewhere_does_not_excuse_home_for_ever() -> None:
    """Past the latency the unread primary is no answer any more."""
    acts = (enabled(OURS, at=NOON - minutes(15), place=DC2),)
    diagnosis = judged(a_view(STORE, a_replica(DC1), an_unread_replica(DC2), acts=acts))

    assert 12101 not in codes(diagnosis)
    assert the(12012, diagnosis).cause is None


def test_a_failed_enable_is_not_on_its_way() -> None:
    """Nothing was written, so nothing can arrive."""
    acts = (enabled(OURS, at=JUST_NOW, place=DC2, failed="refused"),)

    assert 12101 not in codes(judged(a_view(STORE, a_replica(DC1), an_unread_replica(DC2), acts=acts)))


def test_a_rotation_that_waits_for_a_hand_is_12109() -> None:
    """Everything is ready, and nobody said the last word."""
    store = a_store(installed(OURS, Slot.CURRENT, arrived_at=NOON - timedelta(days=9)), installed(NEWER))
    acts = (enabled(OURS, at=NOON - minutes(90)), enabled(NEWER))
    view = a_view(store, a_replica(DC1, OURS, NEWER), a_replica(DC2, OURS, NEWER), acts=acts)
    found = the(12109, judged(view))

    assert found.action == f"mailtrust enable {NEWER.fingerprint[:12]}"
    assert phrases(found) == ["obstacle.not-current", "rotation.ready"]


def test_a_rotation_that_waits_for_replication_is_silent() -> None:
    """12101 says all there is to say."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(NEWER))
    view = a_view(
        store,
        a_replica(DC1, OURS, NEWER, published_at=JUST_NOW),
        a_replica(DC2, OURS, published_at=JUST_NOW),
        acts=(enabled(NEWER, at=JUST_NOW),),
    )
    diagnosis = judged(view)

    assert (12109, 12101) in silenced(diagnosis)
    assert 12109 not in codes(diagnosis)


def test_a_first_certificate_need_not_wait_for_late_replicas() -> None:
    """Nothing is presented yet, so no peer can lose what it believes."""
    view = a_view(
        a_store(installed(OURS)),
        a_replica(DC1, OURS, published_at=JUST_NOW),
        a_replica(DC2),
        acts=(enabled(OURS, at=JUST_NOW),),
    )
    diagnosis = judged(view)

    assert the(12109, diagnosis).action == f"mailtrust enable {OURS.fingerprint[:12]}"


def test_a_rotation_whose_key_is_gone_waits_without_a_command() -> None:
    """There is nothing to enable any more."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(NEWER, has_key=False))
    acts = (Act("enable", HUB1, NEWER.fingerprint, NOON - minutes(9), DC1),)
    found = the(12109, judged(a_view(store, a_replica(DC1, OURS, NEWER), acts=acts)))

    assert found.action is None
    assert phrases(found) == ["obstacle.no-key"]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ((STORE, a_replica(DC1, OURS)), Verdict.OK),
        ((STORE, a_replica(DC1, OURS), a_replica(DC2)), Verdict.WARNING),
        ((STORE, a_replica(DC1, OURS), an_unread_replica(DC2)), Verdict.WARNING),
        ((STORE, an_unread_replica(DC1), a_replica(DC2, OURS)), Verdict.UNKNOWN),
        ((an_unread_store(), a_replica(DC1, OURS)), Verdict.UNKNOWN),
        ((a_store(), a_replica(DC1, OURS)), Verdict.ERROR),
        ((STORE, an_unread_replica(DC1), a_replica(DC2), a_wire(NEWER)), Verdict.ERROR),
    ],
)
def test_the_verdict_is_never_green_when_we_could_not_look(
    looks: tuple[object, ...], expected: Verdict
) -> None:
    """Any error first; then blindness; then warnings."""
    view = a_view(*looks)  # type: ignore[arg-type]

    assert verdict(judged(view), view, (HUB1,)) is expected
    assert verdict(judged(view), view, (HUB2,)) in (Verdict.UNKNOWN, Verdict.ERROR)


def test_what_we_withdrew_is_not_late_where_the_directory_forgets() -> None:
    """LDAP keeps no record of what is gone: the journal is the one that knows."""
    withdrawn = Act("withdraw", HUB1, NEWER.fingerprint, NOON, DC1)
    seen = History((withdrawn,), {(HUB1, DC1, NEWER.fingerprint): NOON - timedelta(days=2)})
    view = a_view(STORE, a_replica(DC1, OURS), a_replica(DC2, OURS, NEWER), history=seen)

    assert not {12102, 12106, 12110} & set(codes(judged(view)))


def test_a_replica_that_has_not_seen_the_write_says_so() -> None:
    """Its own word is the proof that the link is late, and nothing else."""
    late = a_replica(DC2, seen={"001": 99})
    found = the(12102, judged(a_view(STORE, a_replica(DC1, OURS, written=WRITTEN), late)))

    assert phrases(found)[-1] == "replica.not-arrived"


def test_what_arrived_and_is_not_there_is_lost_at_once() -> None:
    """Waiting would bring nothing, so nobody is told to wait."""
    lost = a_replica(DC2, seen={"001": 100})
    ours = a_replica(DC1, OURS, published_at=JUST_NOW, written=WRITTEN)
    diagnosis = judged(a_view(STORE, ours, lost))

    assert phrases(the(12102, diagnosis))[-1] == "replica.lost"
    assert 12101 not in codes(diagnosis)


def test_what_another_server_lost_may_have_been_withdrawn_by_it() -> None:
    held = a_replica(DC1, OURS, server=HUB2, written=WRITTEN)
    gone = a_replica(DC2, server=HUB2, seen={"001": 100})
    seen = History(first_seen={(HUB2, DC2, OURS.fingerprint): NOON - timedelta(days=2)})

    diagnosis = judged(a_view(held, gone, history=seen))

    assert the(12102, diagnosis).severity is Severity.INFORMATION
    assert 12110 not in codes(diagnosis)


def test_each_replica_has_its_own_latency_where_the_directory_tells_it() -> None:
    """A branch behind a slow site link is not late when the neighbour would be; it depends on the writer."""
    ours = a_replica(DC1, OURS, published_at=NOON - minutes(30), written=WRITTEN)
    branch = a_replica(DC2, latencies={"001": minutes(180), "002": minutes(1)})
    near = a_replica(DC3, latencies={"001": minutes(1)})
    diagnosis = judged(a_view(STORE, ours, branch, near))

    assert (the(12101, diagnosis).place, the(12102, diagnosis).place) == (DC2, DC3)


def test_a_read_only_replica_is_not_to_be_written_to() -> None:
    """Active Directory has some in branches, among others that all take writes."""
    diagnosis = judged(
        a_view(STORE, a_replica(DC1, OURS), a_replica(DC2, read_only=True)),
        policy=Policy(replicates_itself=True, pulls=True),
    )

    assert the(12102, diagnosis).action == f"mailtrust directory pull {HUB1}"


def test_a_far_replica_that_cannot_be_read_is_no_more_than_a_note() -> None:
    """A branch behind a firewall would otherwise be an alarm for ever."""
    far = replace(an_unread_replica(DC2), far=True)
    diagnosis = judged(a_view(STORE, a_replica(DC1, OURS), far, an_unread_replica(DC3)))

    severities = {one.place: one.severity for one in diagnosis.findings if one.event.code == 12103}
    assert severities == {DC2: Severity.INFORMATION, DC3: Severity.WARNING}
