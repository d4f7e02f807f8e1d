"""The directory and its replicas: how many, how fast, and which of them are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts, Settings
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Severity, said_duration, when
from mailtrust.core.model.sighting import View

_ROUND = timedelta(minutes=15)


def only_one(facts: Facts) -> Iterator[Told]:
    """While it is away nobody publishes anything, and nobody knows what to trust."""
    said = _settings(facts)
    if len(said.replicas) == 1:
        yield Told(
            said.server, {"replica": said.replicas[0]}, remedies=(Remedy(("mailtrust directory show",)),)
        )


def slower_than_configured(facts: Facts) -> Iterator[Told]:
    """Then every publication counts as overdue on its way there."""
    said = _settings(facts)
    for url, took in (facts.past.usual_latencies() if facts.past else {}).items():
        if said.latency is not None and took > said.latency:
            values = {
                "replica": url,
                "took": said_duration(took.total_seconds()),
                "value": said_duration(said.latency.total_seconds()),
            }
            minutes = -(-took * 2 // _ROUND) * int(_ROUND.total_seconds() // 60)
            lines = ("[directory]", f'latency = "{minutes}m"')
            yield Told(said.server, values, url, remedies=(Remedy(lines, Where.CONFIGURATION),))


def declared_dead(facts: Facts) -> Iterator[Told]:
    """A word that lets a rotation go on today hides a lost replica tomorrow."""
    said = _settings(facts)
    history = (facts.view or View()).history
    for one in history.dead:
        if facts.now < one.until and one.place in said.replicas:
            values = {"replica": one.place, "since": when(one.declared_at), "reason": one.reason}
            left = ", ".join(f'"{url}"' for url in said.replicas if url != one.place)
            remedy = Remedy(("[directory]", f"replicas = [{left}]"), Where.CONFIGURATION)
            yield Told(said.server, values, one.place, remedies=(remedy,), until=one.until)


def _settings(facts: Facts) -> Settings:
    assert facts.settings is not None  # noqa: S101  # who has the need has the fact
    return facts.settings


RULES = (
    Rule(301, Area.DIRECTORY, Severity.INFORMATION, Need.SETTINGS, only_one, frozenset[Profile](),
         (catalog.REPLICA_UNREADABLE,)),
    Rule(302, Area.DIRECTORY, Severity.WARNING, Need.SETTINGS, slower_than_configured,
         see=(catalog.REPLICA_BEHIND, catalog.CERTIFICATE_MISSING)),
    Rule(303, Area.DIRECTORY, Severity.WARNING, Need.SETTINGS, declared_dead,
         see=(catalog.REPLICA_UNREADABLE,)),
)  # fmt: skip
