"""What the wire shows."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailtrust.core.model.sighting import Act, History, Slot, SnapshotSighting, WireFailure
from tests.core.checks.judge import codes, judged, phrases, silenced, the
from tests.make import (
    DC1,
    DC2,
    ENDPOINT,
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
    installed,
    minutes,
)

OURS = a_certificate()
OLD = a_certificate(key="old")


def test_presented_and_published_nowhere_is_12104() -> None:
    """Peers refuse it, whatever the store thinks."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, arrived_at=NOON - minutes(9999)))
    first = History(first_seen={(HUB1, str(ENDPOINT), OLD.fingerprint): NOON - minutes(3)})
    found = the(12104, judged(a_view(store, a_replica(DC1, OURS), a_wire(OLD), history=first)))

    assert found.action == f"mailtrust enable {OLD.fingerprint[:12]}"
    assert found.since == NOON - minutes(3)


def test_a_process_that_presents_what_was_replaced_is_not_mended_by_going_back() -> None:
    """It has to take the current one; only its administrator can restart it."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))

    assert the(12104, judged(a_view(store, a_replica(DC1, OURS), a_wire(OLD)))).action is None


def test_presenting_what_was_withdrawn_names_the_day() -> None:
    """A host restored from an image is told apart from a stale process."""
    gone = {OLD.fingerprint: NOON - timedelta(days=3)}
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    diagnosis = judged(a_view(store, a_replica(DC1, OURS, withdrawn=gone), a_wire(OLD)))
    found = the(12104, diagnosis)

    assert "wire.was-withdrawn" in phrases(found)
    assert found.action is None
    assert 12105 not in codes(diagnosis)


def test_no_readable_replica_no_12104() -> None:
    """Could not look is never not there."""
    assert 12104 not in codes(judged(a_view(an_unread_replica(DC1), a_wire(OURS))))


def test_a_published_certificate_that_is_not_current_is_a_stale_process() -> None:
    """It works today and stops working with the withdrawal."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    acts = (Act("present", HUB1, OURS.fingerprint, NOON - minutes(9)),)
    found = the(12105, judged(a_view(store, a_replica(DC1, OURS, OLD), a_wire(OLD), acts=acts)))

    assert found.since == NOON - minutes(9)
    assert phrases(found) == ["wire.shows", "wire.current-since", "old.store-is-newer", "wire.other-key"]


def test_a_stale_process_with_the_same_key_harms_nobody() -> None:
    """The evidence says so."""
    twin = a_certificate(serial=4711)
    store = a_store(installed(OURS, Slot.CURRENT))
    found = the(12105, judged(a_view(store, a_replica(DC1, OURS), a_wire(twin))))

    assert phrases(found)[-1] == "wire.same-key"
    assert found.since is None


def test_each_way_of_finding_nothing_on_the_wire_has_its_event() -> None:
    """No SMTP, no TLS verb and a broken handshake need different people."""

    def codes_of(failure: WireFailure) -> list[int]:
        return codes(judged(a_view(a_replica(DC1, OURS), a_dead_wire(failure))))

    assert codes_of(WireFailure.UNREACHABLE) == [12116]
    assert codes_of(WireFailure.HANDSHAKE) == [12116]
    assert codes_of(WireFailure.NOT_OFFERED) == [12117]
    assert codes_of(WireFailure.NO_ANSWER) == []


def test_a_server_that_never_asks_who_is_calling_is_12118() -> None:
    """Unknown is not the same as no."""
    published = a_replica(DC1, OURS), a_replica(DC2, OURS)

    assert codes(judged(a_view(*published, a_wire(OURS, asks=False)))) == [12118]
    assert codes(judged(a_view(*published, a_wire(OURS, asks=None)))) == []


def test_an_old_snapshot_is_12111() -> None:
    """The transport decides by what was true half an hour ago."""

    def look(minutes_ago: float | None) -> SnapshotSighting:
        taken = NOON - minutes(minutes_ago) if minutes_ago is not None else None
        return SnapshotSighting(HUB1, "/srv/hub1/snapshot.jsonl", NOON, taken, DC1)

    assert codes(judged(a_view(a_replica(DC1), look(30)))) == []
    assert codes(judged(a_view(a_replica(DC1), look(31)))) == [12111]
    assert the(12111, judged(a_view(a_replica(DC1), look(None)))).values["taken_at"] == "-"


def test_a_key_that_is_kept_is_12156_until_it_goes() -> None:
    """Whoever withdrew it on purpose must hear that it is still believed."""

    def look(until: datetime) -> SnapshotSighting:
        return SnapshotSighting(HUB1, "/srv/hub1/snapshot.jsonl", NOON, NOON, DC1, (HUB2, HUB2), until)

    found = the(12156, judged(a_view(a_replica(DC1), look(NOON + minutes(1)))))

    assert (found.values["servers"], found.values["count"]) == (HUB2, "2")
    assert found.place == DC1
    assert codes(judged(a_view(a_replica(DC1), look(NOON)))) == []


def test_12104_explains_12105() -> None:
    """One wire, one cause: here another process presents what nobody knows, and one what is old."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    unknown = a_certificate(key="unknown")
    diagnosis = judged(a_view(store, a_replica(DC1, OURS, OLD), a_wire(OLD, unknown)))

    assert silenced(diagnosis) == [(12105, 12104)]


def test_without_a_current_certificate_no_tls_is_a_consequence() -> None:
    """A transport offers none until it has something to present."""
    dead = a_dead_wire(WireFailure.NOT_OFFERED)
    nothing = judged(a_view(a_store(installed(OURS)), a_replica(DC1), dead))
    something = judged(a_view(a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1), dead))

    assert silenced(nothing) == [(12117, 12012)]
    assert 12117 in codes(something)
