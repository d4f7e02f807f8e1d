"""What will end within the next 90 days, and what ended already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from mailtrust.core.exchange.case import Case, shown
from mailtrust.core.exchange.judgement import Ending, Use

HORIZON = timedelta(days=90)


def endings(cases: Iterable[Case]) -> tuple[Ending, ...]:
    """Every certificate that ends within the horizon, once per server and use, the soonest first."""
    found = dict.fromkeys(one for case in cases for one in _endings(case))
    return tuple(sorted(found, key=lambda one: (one.certificate.not_after, one.server, one.use)))


def _endings(case: Case) -> Iterator[Ending]:
    internal = case.internal_certificate
    public = [leaf for _, leaf in shown(case.public)]
    stored = [one.certificate for one in case.store or () if one.certificate]
    used = {internal, *public}
    for use, leaves in (
        (Use.INTERNAL, [internal] if internal else []),
        (Use.STARTTLS, public),
        (Use.STORED, [leaf for leaf in stored if leaf not in used]),
    ):
        for leaf in leaves:
            if leaf.not_after - case.now <= HORIZON:
                yield Ending(case.name, use, leaf)
