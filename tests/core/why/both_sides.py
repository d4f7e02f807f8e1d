"""Two sides and what waits between them: hub1 is ours, hub2 the peer, dc1 our home."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mailtrust.core.checks import diagnose
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import History, ReplicaSighting, Sighting, Slot, SnapshotSighting, View
from mailtrust.core.policy import Policy
from mailtrust.core.why import Facts, Waiting, Why, stuck, why
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
    installed,
    minutes,
)

OURS, OLD, THEIRS, THEIR_OLD = (
    a_certificate(HUB1), a_certificate(HUB1, key="old"), a_certificate(HUB2, key="theirs"),
    a_certificate(HUB2, key="their-old"),
)  # fmt: skip
HOP = "192.0.2.2:25"
THERE = Endpoint("192.0.2.2", 25)
HERE = Endpoint("192.0.2.1", 25)
REFUSED = f"454 4.7.1 1036 nobody publishes the key of certificate {OURS.fingerprint[:12]}"
WE_REFUSED = f"2018 nobody publishes the key of certificate {THEIRS.fingerprint[:12]} that {HOP} presented"


def waits(answer: str = "", words: str = "", **more: Any) -> Waiting:
    """A message for hub2."""
    given = {"since": NOON - minutes(90), "ends_at": NOON + timedelta(days=5), **more}
    return Waiting("C0FFEE01", given.pop("hop", HOP), (HUB2,), answer=answer, words=words, **given)


def at(*leaves: Certificate, server: str = HUB2, **more: Any) -> list[ReplicaSighting]:
    """The same on all three replicas."""
    return [a_replica(url, *leaves, server=server, **more) for url in (DC1, DC2, DC3)]  # type: ignore[arg-type]


def our_store(*more: Any) -> Sighting:
    return a_store(installed(OURS, Slot.CURRENT), *more)


def our_wire(*leaves: Certificate) -> Sighting:
    return a_wire(*(leaves or (OURS,)), endpoint=HERE)


def their_wire(*leaves: Certificate, **more: Any) -> Sighting:
    return a_wire(*(leaves or (THEIRS,)), server=HUB2, endpoint=THERE, **more)


def a_snapshot(taken_at: datetime | None) -> Sighting:
    return SnapshotSighting(HUB1, "/srv/hub1/snapshot.jsonl", NOON, taken_at, DC1)


WELL: tuple[Sighting, ...] = (
    our_store(), our_wire(), *at(OURS, server=HUB1), *at(THEIRS), their_wire(),
)  # fmt: skip
"""Everything as it should be; what a test adds stands for the same place."""


def view_of(*looks: Sighting, history: History | None = None, well: bool = True) -> View:
    return a_view(*(WELL if well else ()), *looks, history=history)


def facts_of(
    view: View,
    waiting: Waiting | None = None,
    *,
    policy: Policy | None = None,
    now: datetime = NOON,
    **more: Any,
) -> Facts:
    rules = policy or Policy()
    diagnosis = diagnose(view, {}, rules, now, (HUB1, HUB2), HUB1)
    held = stuck([waiting])[0] if waiting else None
    given: dict[str, Any] = {
        "known": True,
        "hop": HOP,
        "restart": "mailtrust hub",
        "one_process": True,
        **more,
    }
    return Facts(view, diagnosis, rules, now, HUB1, given.pop("peer", HUB2), stuck=held, **given)


def asked(view: View, waiting: Waiting | None = None, **more: Any) -> Why:
    """The answer about hub2."""
    return why(HUB2, facts_of(view, waiting, **more))


def said(one: Said | None) -> str:
    """The code of a phrase."""
    return one.phrase if one is not None else ""


def moved(leaf: Certificate, **more: Any) -> Certificate:
    return replace(leaf, **more)
