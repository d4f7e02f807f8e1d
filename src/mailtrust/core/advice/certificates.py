"""The certificates that servers publish: what they are for, how many, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Severity, when

_LONG_LIFE = timedelta(days=10 * 366)
_IN_A_ROTATION = 3
"""Previous, current and next."""


def wildcard(facts: Facts) -> Iterator[Told]:
    """Whoever holds its key is every server of the domain."""
    for server, leaf in _published(facts):
        names = [name for name in leaf.names if name.startswith("*.")]
        if names:
            values = {**_named(leaf), "names": ", ".join(names)}
            yield Told(server, values, leaf.fingerprint, remedies=(Remedy(("mailtrust rotate start",)),))


def outlives_its_use(facts: Facts) -> Iterator[Told]:
    """What is never replaced is never practised."""
    for server, leaf in _published(facts):
        if leaf.not_after - leaf.not_before > _LONG_LIFE:
            yield Told(
                server, _named(leaf), leaf.fingerprint, remedies=(Remedy(("mailtrust rotate start",)),)
            )


def too_many(facts: Facts) -> Iterator[Told]:
    """Each of them opens the door."""
    for server, leaves in facts.published().items():
        if len(leaves) > _IN_A_ROTATION:
            oldest = sorted(leaves, key=lambda leaf: leaf.not_before)[:-_IN_A_ROTATION]
            values = {
                "count": str(len(leaves)),
                "oldest": ", ".join(short(one.fingerprint) for one in oldest),
            }
            lines = tuple(f"mailtrust withdraw {short(one.fingerprint)}" for one in oldest)
            yield Told(server, values, remedies=(Remedy(lines),))


def still_published(facts: Facts) -> Iterator[Told]:
    """Direct trust looks at no dates: an ended certificate opens the door as before."""
    for server, leaves in facts.published().items():
        living = [leaf for leaf in leaves if not leaf.expired(facts.now)]
        for leaf in leaves if living else ():
            if leaf not in living:
                remedy = Remedy((f"mailtrust withdraw {short(leaf.fingerprint)}",))
                yield Told(server, _named(leaf), leaf.fingerprint, remedies=(remedy,))


def _published(facts: Facts) -> Iterator[tuple[str, Certificate]]:
    return ((server, leaf) for server, leaves in facts.published().items() for leaf in leaves)


def _named(leaf: Certificate) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "not_after": when(leaf.not_after)}


RULES = (
    Rule(201, Area.CERTIFICATES, Severity.WARNING, Need.VIEW, wildcard, see=(catalog.NAMES_DIFFER,)),
    Rule(202, Area.CERTIFICATES, Severity.INFORMATION, Need.VIEW, outlives_its_use, frozenset[Profile]()),
    Rule(203, Area.CERTIFICATES, Severity.WARNING, Need.VIEW, too_many),
    Rule(204, Area.CERTIFICATES, Severity.WARNING, Need.VIEW, still_published,
         see=(catalog.EXPIRED, catalog.EXPIRED_PIN_ACCEPTED)),
)  # fmt: skip
