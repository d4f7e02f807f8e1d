"""A stale process and a host that was restored from an image present the same, and need different acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailtrust.core.checks.case import Case
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Diagnosis
from mailtrust.core.model.plan import Install
from mailtrust.core.model.sighting import Act, History, Slot, StoreSighting, View
from mailtrust.core.policy import Policy
from mailtrust.core.repair import repairs
from tests.core.checks.judge import codes, judged, phrases, ruled_out, silenced, the
from tests.make import (
    DC1,
    HUB1,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    enabled,
    installed,
    minutes,
)

OLD, NEW = a_certificate(key="old"), a_certificate(key="new")
IMAGE_TAKEN, SWITCHED, WITHDRAWN = (
    NOON - timedelta(days=3),
    NOON - timedelta(days=2),
    NOON - timedelta(days=1),
)
GONE = {OLD.fingerprint: WITHDRAWN}


def present(leaf: Certificate, at: datetime) -> Act:
    return Act("present", HUB1, leaf.fingerprint, at)


def an_old_store(*more: Certificate, changed_at: datetime | None = IMAGE_TAKEN) -> StoreSighting:
    """As it was in the image, when the old one was current."""
    held = (installed(one, Slot.NONE, arrived_at=IMAGE_TAKEN) for one in more)
    store = a_store(installed(OLD, Slot.CURRENT, arrived_at=IMAGE_TAKEN - minutes(9)), *held)
    return replace(store, changed_at=changed_at)


BEFORE_THE_IMAGE = (
    enabled(OLD, at=IMAGE_TAKEN - minutes(9)),
    present(OLD, IMAGE_TAKEN - minutes(9)),
)
SINCE = (enabled(NEW, at=SWITCHED), present(NEW, SWITCHED))


def fixed(view: View, diagnosis: Diagnosis) -> tuple[object, ...]:
    return repairs(diagnosis.findings, Case(HUB1, view, Policy(), NOON))


def test_a_process_that_shows_what_the_store_replaced_is_stale() -> None:
    store = a_store(installed(NEW, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    found = the(12105, judged(a_view(store, a_replica(DC1, OLD, NEW), a_wire(OLD), acts=SINCE)))

    assert found.cause == "stale-process"
    assert "old.store-is-newer" in phrases(found)
    assert ruled_out(found) == {"restored-image": "old.store-is-newer"}
    assert found.action is None


def test_a_stale_process_stays_one_when_the_old_one_is_withdrawn() -> None:
    store = a_store(installed(NEW, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    found = the(12104, judged(a_view(store, a_replica(DC1, NEW, withdrawn=GONE), a_wire(OLD), acts=SINCE)))

    assert (found.cause, found.action) == ("stale-process", None)


def test_a_host_from_an_image_shows_what_its_store_says_and_the_directory_knows_better() -> None:
    """The journal came from the image as well: it knows neither the switch nor the withdrawal."""
    view = a_view(an_old_store(), a_replica(DC1, NEW, withdrawn=GONE), a_wire(OLD), acts=BEFORE_THE_IMAGE)
    diagnosis = judged(view)
    found = the(12104, diagnosis)

    assert found.cause == "restored-image"
    assert phrases(found)[-3:] == ["old.withdrawal-forgotten", "old.never-had", "old.known-until"]
    assert ruled_out(found) == {"stale-process": "old.process-is-in-step"}
    assert found.action == "mailtrust new"
    assert set(silenced(diagnosis)) >= {(12012, 12104), (12013, 12104)}


def test_fix_makes_a_new_certificate_and_never_publishes_the_old_one_again() -> None:
    """Where the directory forgets withdrawals, it would let it back in."""
    written_later = a_replica(DC1, NEW, published_at=SWITCHED)
    view = a_view(an_old_store(), written_later, a_wire(OLD), acts=BEFORE_THE_IMAGE)
    diagnosis = judged(view)

    assert the(12104, diagnosis).cause == "restored-image"
    assert 12012 not in codes(diagnosis)
    assert fixed(view, diagnosis) == (Install(HUB1),)


def test_a_store_that_came_back_beside_its_journal_contradicts_it() -> None:
    """The old one is still published, so mail flows; and a restart would bring nothing."""
    view = a_view(an_old_store(NEW), a_replica(DC1, OLD, NEW), a_wire(OLD), acts=(*BEFORE_THE_IMAGE, *SINCE))
    found = the(12105, judged(view))

    assert found.cause == "restored-image"
    assert found.values["current"] == NEW.fingerprint[:12]
    assert phrases(found) == ["wire.shows", "old.behind-journal", "old.slots-changed"]
    assert found.action == f"mailtrust enable {NEW.fingerprint[:12]}"


def test_a_later_certificate_whose_key_is_lost_is_not_enabled_but_replaced() -> None:
    view = a_view(an_old_store(), a_replica(DC1, OLD, NEW), a_wire(OLD), acts=SINCE)

    assert the(12105, judged(view)).action == "mailtrust new"


@pytest.mark.parametrize(
    ("acts", "changed_at"),
    [
        (SINCE, NOON - minutes(1)),
        ((*SINCE, Act("remove", HUB1, NEW.fingerprint, WITHDRAWN)), NOON - minutes(1)),
        ((*SINCE, present(OLD, WITHDRAWN)), WITHDRAWN),
    ],
    ids=["the journal missed a line", "removed since", "back on purpose"],
)
def test_a_store_that_is_newer_than_its_journal_was_not_restored(
    acts: tuple[Act, ...], changed_at: datetime
) -> None:
    more = () if len(acts) > len(SINCE) and acts[-1].what == "remove" else (NEW,)
    store = an_old_store(*more, changed_at=changed_at)

    assert 12105 not in codes(judged(a_view(store, a_replica(DC1, OLD, NEW), a_wire(OLD), acts=acts)))


def test_what_somebody_else_withdrew_is_no_image() -> None:
    """Nothing has taken its place: an administrator at another host took it out."""
    view = a_view(an_old_store(), a_replica(DC1, withdrawn=GONE), a_wire(OLD), acts=BEFORE_THE_IMAGE)
    found = [*judged(view).findings, *(one.finding for one in judged(view).silenced)]

    assert {one.cause for one in found if one.event.code == 12104} == {None}


def test_what_was_replaced_before_the_last_that_is_remembered_is_no_image() -> None:
    """Then this host saw it happen."""
    earlier = a_replica(DC1, NEW, published_at=IMAGE_TAKEN - timedelta(days=9))
    diagnosis = judged(a_view(an_old_store(), earlier, a_wire(OLD), acts=BEFORE_THE_IMAGE))
    found = [*diagnosis.findings, *(one.finding for one in diagnosis.silenced)]

    assert {one.cause for one in found if one.event.code == 12104} == {None}


def test_what_is_no_certificate_of_ours_has_neither_cause() -> None:
    """Another program answers there, or the process has a file of its own."""
    store = a_store(installed(NEW, Slot.CURRENT))
    foreign = a_certificate(key="foreign")

    assert the(12104, judged(a_view(store, a_replica(DC1, NEW), a_wire(foreign)))).cause is None


def test_without_the_store_nothing_tells_them_apart() -> None:
    """Seen from outside, and where the journal cannot be read nothing is said of it."""
    unread = History(readable=False)

    assert the(12104, judged(a_view(a_replica(DC1, NEW), a_wire(OLD), history=unread))).cause is None
