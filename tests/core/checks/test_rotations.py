"""What a rotation waits on, and what is no trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.checks import diagnose
from mailtrust.core.events.catalog import ROTATION_BLOCKED
from mailtrust.core.model.event import Finding
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import History, Intent, Sighting, Slot
from mailtrust.core.policy import Policy
from mailtrust.core.succession import asked
from tests.make import (
    DC1,
    DC2,
    ENDPOINT,
    HUB1,
    NOON,
    a_certificate,
    a_rehearsal,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    installed,
    minutes,
    since,
)

OLD, NEW = a_certificate(key="old"), a_certificate(key="new")
BEFORE = a_store(installed(OLD, Slot.CURRENT), installed(NEW, Slot.NEXT))
AFTER = a_store(installed(OLD, Slot.PREVIOUS), installed(NEW, Slot.CURRENT))
BOTH = (a_replica(DC1, OLD, NEW), a_replica(DC2, OLD, NEW))
BEGUN = Intent(Rotation(HUB1, NEW.fingerprint, old=frozenset({OLD.fingerprint})), "start", NOON - minutes(9))
LONG_AGO = since((DC1, NEW, 300), (DC2, NEW, 300), (str(ENDPOINT), NEW, 200), ("/srv/hub1", NEW, 200))


def blocked(*looks: Sighting, history: History = LONG_AGO) -> Finding | None:
    view = a_view(*looks, history=replace(history, intent=BEGUN))
    found = asked(HUB1, view, Policy(), NOON)
    assert found is not None
    findings = diagnose(view, {HUB1: found.plan}, Policy(), NOON, (HUB1,), HUB1).findings
    return next((one for one in findings if one.event is ROTATION_BLOCKED), None)


def test_what_time_alone_will_end_is_no_trouble() -> None:
    assert blocked(BEFORE, *BOTH, a_wire(OLD), history=History()) is None


def test_a_peer_that_would_not_believe_it_is_named_with_what_to_type() -> None:
    found = blocked(BEFORE, *BOTH, a_wire(OLD), a_rehearsal(NEW, accepted=False))

    assert found is not None
    assert (found.values["gate"], found.since) == ("spread", BEGUN.asked_at)
    assert found.action == "mailtrust flow --rehearse"
    assert [said.phrase for said in found.evidence] == ["obstacle.peer-refuses"]


def test_a_rotation_that_nobody_carries_on_says_who_would() -> None:
    """The agent does so; where none runs somebody has to."""
    found = blocked(AFTER, *BOTH, a_wire(NEW))

    assert found is not None
    assert (found.values["gate"], found.action) == ("withdraw", "mailtrust agent --once")


@pytest.mark.parametrize(("ago", "gate"), [(1, None), (999, "fade")])
def test_a_withdrawal_is_no_trouble_while_it_may_be_on_its_way(ago: int, gate: str | None) -> None:
    gone = {OLD.fingerprint: NOON - minutes(ago)}
    found = blocked(AFTER, a_replica(DC1, NEW, withdrawn=gone), a_replica(DC2, OLD, NEW), a_wire(NEW))

    assert (found.values["gate"] if found else None) == gate


def test_a_replica_that_cannot_be_read_is_the_thing_to_mend() -> None:
    """So it is said once, and as that."""
    assert blocked(BEFORE, BOTH[0], an_unread_replica(DC2), a_wire(OLD)) is None
