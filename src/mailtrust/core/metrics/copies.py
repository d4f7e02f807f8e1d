"""
One server's copies side by side, as numbers: which agree, which do not, and where nobody could look.

What is compared is what the checks compare: keys, and for "presented is current" certificates.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.checks.case import Case
from mailtrust.core.checks.replicas import lacking
from mailtrust.core.metrics import table
from mailtrust.core.metrics.table import AGREES, DIFFERS, UNKNOWN, UNSEEN, Metric
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.sighting import ReplicaSighting, Slot, StoreSighting, WireSighting

Sample = tuple[Metric, tuple[str, ...], float]
"""A metric, the values of its labels in its order, and its value."""


def copies(case: Case) -> Iterator[Sample]:
    """Every agreement of that server's copies, its lags and its ends."""
    server, replicas, home = case.server, case.replicas, case.view.home(case.server)
    expected = case.expected
    is_known = expected is not None or _could_look(case)
    yield table.INSTALLED_PUBLISHED, (server,), _at(home, expected, is_known=is_known)
    sought = expected or _newest(case)
    lags = _lags(case)
    for look in replicas:
        at = (server, look.place)
        # Where nothing is published anywhere and nobody knows what ought to be, it is not there either.
        yield table.PUBLISHED_REPLICA, at, _at(look, sought, is_known=True)
        if not look.home:
            yield table.REPLICA_HOME, at, _same(look, home)
        yield table.REPLICA_LAG, at, UNKNOWN if look.found is None else lags.get(look.place, 0.0)
    for wire in case.wires:
        yield table.PRESENTED_PUBLISHED, (server, wire.place), _published(case, wire)
        ends = (leaf.not_after.timestamp() for leaf in wire.found or ())
        yield table.PRESENTED_NOT_AFTER, (server, wire.place), min(ends, default=UNKNOWN)
    if case.store is not None:
        yield from _with_store(case, case.store, home)


def _with_store(case: Case, store: StoreSighting, home: ReplicaSighting | None) -> Iterator[Sample]:
    server, is_read = case.server, store.found is not None
    for wire in case.wires:
        yield table.PRESENTED_CURRENT, (server, wire.place), _current(case, store, wire)
    looked = is_read and home is not None and home.found is not None
    shared = home is not None and not store.pins.isdisjoint(home.pins)
    yield table.PUBLISHED_INSTALLED, (server,), _answer(looked=looked, agrees=shared)
    following = next((one.certificate for one in store.found or () if one.slot is Slot.NEXT), None)
    for look in case.replicas:
        yield table.NEXT_REPLICA, (server, look.place), _at(look, following, is_known=is_read)
    for slot in Slot:
        ends = [one.certificate.not_after.timestamp() for one in store.found or () if one.slot is slot]
        yield table.CERTIFICATES, (server, slot.value), len(ends) if is_read else UNKNOWN
        yield table.NOT_AFTER, (server, slot.value), min(ends, default=UNKNOWN)


def _could_look(case: Case) -> bool:
    """False where nobody knows what the server has installed, or presents in its stead."""
    if case.store is not None:
        return case.store.found is not None
    return any(wire.found is not None for wire in case.wires)


def _newest(case: Case) -> Certificate | None:
    """Of a server that cannot be looked at: what it published last, which every replica ought to have."""
    held = [one for look in case.readable for one in look.found or ()]
    newest = max(held, key=lambda one: one.published_at, default=None)
    return newest.certificate if newest is not None else None


def _at(look: ReplicaSighting | None, leaf: Certificate | None, *, is_known: bool) -> float:
    if look is None:
        return UNSEEN
    held = leaf is not None and leaf.pin in look.pins
    return _answer(looked=is_known and look.found is not None, agrees=held)


def _same(look: ReplicaSighting, home: ReplicaSighting | None) -> float:
    if home is None:
        return UNSEEN
    both = look.found is not None and home.found is not None
    return _answer(looked=both, agrees=look.pins == home.pins)


def _published(case: Case, wire: WireSighting) -> float:
    known = {pin for look in case.readable for pin in look.pins}
    shown = bool(wire.found) and all(leaf.pin in known for leaf in wire.found or ())
    return _answer(looked=wire.found is not None and bool(case.readable), agrees=shown)


def _current(case: Case, store: StoreSighting, wire: WireSighting) -> float:
    current = case.current.certificate if case.current is not None else None
    shown = bool(wire.found) and all(leaf == current for leaf in wire.found or ())
    return _answer(looked=wire.found is not None and store.found is not None, agrees=shown)


def _lags(case: Case) -> dict[str, float]:
    longest: dict[str, float] = {}
    for lack in lacking(case):
        behind = max((case.now - lack.published_at).total_seconds(), 0.0)
        longest[lack.look.place] = max(behind, longest.get(lack.look.place, 0.0))
    return longest


def _answer(*, looked: bool, agrees: bool) -> float:
    if not looked:
        return UNSEEN
    return AGREES if agrees else DIFFERS
