"""One row per server: what stands for it on each controller, beside what it presents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailtrust.core.exchange.case import Case, shown
from mailtrust.core.exchange.facts import Controller, ExchangeServer
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.sighting import WireFailure, WireSighting


class Mark(StrEnum):
    """What stands for a server at one controller."""

    HOLDS = "holds"
    """The value that wins."""
    OTHER = "other"
    """An older one."""
    EMPTY = "empty"
    GARBAGE = "garbage"
    UNREAD = "unread"


class Shown(StrEnum):
    """What a server shows on the wire."""

    PUBLISHED = "published"
    """A key that is published for it."""
    UNPUBLISHED = "unpublished"
    SEEN = "seen"
    """A certificate that is compared with nothing."""
    NOT_OFFERED = "not-offered"
    UNSEEN = "unseen"
    """We did not look, or did not come so far."""


@dataclass(frozen=True, slots=True)
class Row:
    """One server at a glance."""

    server: ExchangeServer
    marks: tuple[Mark, ...]
    """One per controller that was asked, in their order."""
    internal: Shown
    internal_leaf: Certificate | None
    public: Shown
    public_leaf: Certificate | None
    ends: datetime | None
    """When the first of its certificates ends."""


def row(case: Case) -> Row:
    """The row of one server."""
    internal = next((leaf for _, leaf in shown(case.internal)), None)
    public = next((leaf for _, leaf in shown(case.public)), None)
    held = case.internal_certificate
    asked = [one for one in case.organization.controllers if one.asked]
    return Row(
        case.server,
        tuple(_mark(case, one) for one in asked),
        _internal(case, internal),
        internal or held,
        Shown.SEEN if public else _unshown(case.public),
        public,
        min((leaf.not_after for leaf in (internal, public, held) if leaf), default=None),
    )


def _mark(case: Case, controller: Controller) -> Mark:
    standing = next((one for one in case.standings if one.controller is controller), None)
    if standing is None:
        return Mark.UNREAD
    if standing.is_empty:
        return Mark.EMPTY
    if standing.garbage is not None:
        return Mark.GARBAGE
    return Mark.HOLDS if standing in case.holding else Mark.OTHER


def _internal(case: Case, leaf: Certificate | None) -> Shown:
    if leaf is None:
        return _unshown(case.internal)
    if not case.standings:
        return Shown.SEEN
    return Shown.PUBLISHED if leaf.pin in case.pins else Shown.UNPUBLISHED


def _unshown(wires: tuple[WireSighting, ...]) -> Shown:
    failures = {look.failure for look in wires}
    return Shown.NOT_OFFERED if WireFailure.NOT_OFFERED in failures else Shown.UNSEEN
