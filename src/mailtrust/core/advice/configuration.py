"""What an administrator configured, and may regret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts, Settings
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Severity, said_duration

_TOO_SHORT = timedelta(days=14)
_TOO_LONG = timedelta(hours=2)
_CLEAN_ENOUGH = 14
"""Days: two weeks have every weekly job, newsletter and backup in them."""


def _of(facts: Facts) -> Settings:
    assert facts.settings is not None  # noqa: S101  # who has the need has the fact
    return facts.settings


def warned_late(facts: Facts) -> Iterator[Told]:
    """Less time than it takes to get a change approved."""
    said = _of(facts)
    if said.expires_soon is not None and said.expires_soon < _TOO_SHORT:
        values = {"value": said_duration(said.expires_soon.total_seconds())}
        yield Told(said.server, values, remedies=(_set("policy", 'expires_soon = "90d"'),))


def rotated_by_hand(facts: Facts) -> Iterator[Told]:
    """Nobody begins a rotation but who thinks of it."""
    said = _of(facts)
    if not said.rotates_when_due:
        yield Told(said.server, remedies=(_set("policy", 'rotate = "planned"'),))


def withdrawn_late(facts: Facts) -> Iterator[Told]:
    """A stolen key is believed for as long as a snapshot may be old."""
    said = _of(facts)
    if said.snapshot_max_age > _TOO_LONG:
        values = {"value": said_duration(said.snapshot_max_age.total_seconds())}
        yield Told(said.server, values, remedies=(_set("policy", 'snapshot_max_age = "30m"'),))


def only_counts(facts: Facts) -> Iterator[Told]:
    """Report mode is a way, and not an end."""
    said, past = _of(facts), facts.past
    clean = {peer: days for peer, days in (past.clean_days if past else {}).items() if days >= _CLEAN_ENOUGH}
    for peer, days in sorted(clean.items()):
        values = {"peer": peer, "days": str(days)}
        yield Told(said.server, values, peer, remedies=(Remedy((f"mailtrust enforce {peer}",)),))


def probes_nothing(facts: Facts) -> Iterator[Told]:
    """What is presented is a third of the truth."""
    said = _of(facts)
    if not said.has_listeners:
        yield Told(said.server, remedies=(_set("server", f'listeners = ["{said.server}:25"]'),))


def _set(table: str, *lines: str) -> Remedy:
    return Remedy((f"[{table}]", *lines), Where.CONFIGURATION)


_STRICT = frozenset[Profile]()

RULES = (
    Rule(101, Area.CONFIGURATION, Severity.WARNING, Need.SETTINGS, warned_late, see=(catalog.EXPIRES_SOON,)),
    Rule(102, Area.CONFIGURATION, Severity.INFORMATION, Need.SETTINGS, rotated_by_hand, _STRICT),
    Rule(103, Area.CONFIGURATION, Severity.WARNING, Need.SETTINGS, withdrawn_late,
         see=(catalog.SNAPSHOT_STALE,)),
    Rule(104, Area.CONFIGURATION, Severity.INFORMATION, Need.SETTINGS, only_counts,
         frozenset({Profile.DEFAULT, Profile.POSTFIX})),
    Rule(105, Area.CONFIGURATION, Severity.INFORMATION, Need.SETTINGS, probes_nothing, _STRICT,
         (catalog.PRESENTED_NOT_PUBLISHED,)),
)  # fmt: skip
