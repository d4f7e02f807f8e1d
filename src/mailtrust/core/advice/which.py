"""Which certificate one of our own servers has installed and presents, and why, step by step."""

from __future__ import annotations

from mailtrust.core.checks.case import Case
from mailtrust.core.exchange.choice import Choice, Purpose
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.sighting import Installed, Slot


def own_choice(case: Case, name: str) -> Choice:
    """The way to the installed certificate of that server; *name* decides nothing, and that is said."""
    store = case.store
    if store is None:
        said = Said("which.store-elsewhere", {"server": case.server})
        return Choice(case.server, Purpose.INTERNAL, name, (said,), known=False)
    if store.found is None:
        said = Said("which.store-unread", {"store": store.place, "why": store.why})
        return Choice(case.server, Purpose.INTERNAL, name, (said,), known=False)
    if not store.found:
        said = Said("which.empty", {"store": store.place})
        return Choice(case.server, Purpose.INTERNAL, name, (said, _none(case)))
    held = sorted(store.found, key=lambda one: one.arrived_at, reverse=True)
    steps = tuple(_weighed(case, one) for one in held)
    chosen = case.installed
    if chosen is None:
        return Choice(case.server, Purpose.INTERNAL, name, (*steps, _none(case)))
    return Choice(
        case.server, Purpose.INTERNAL, name, (*steps, *_end(case, chosen, name)), chosen.certificate
    )


def _weighed(case: Case, one: Installed) -> Said:
    leaf = one.certificate
    values = {"fingerprint": short(leaf.fingerprint), "server": case.server}
    if case.is_withdrawn(leaf):
        return Said("which.withdrawn", values)
    if one.slot in (Slot.NEXT, Slot.PREVIOUS):
        return Said("which.slot", {**values, "slot": one.slot.value})
    if not one.has_key:
        return Said("which.no-key", values)
    if not leaf.covers(case.server):
        return Said("which.other-name", {**values, "names": ", ".join(leaf.names) or "-"})
    if leaf.is_ca:
        return Said("which.authority", values)
    return Said("which.fits", {**values, "at": when(one.arrived_at)})


def _end(case: Case, chosen: Installed, name: str) -> tuple[Said, ...]:
    leaf, current = chosen.certificate, case.current
    values = {"fingerprint": short(leaf.fingerprint), "server": case.server}
    steps = [Said("which.newest", values)]
    if current is not None and current.certificate == leaf:
        steps.append(Said("which.current", values))
    elif current is not None:
        steps.append(Said("which.not-current", {**values, "current": short(current.certificate.fingerprint)}))
    if not leaf.covers(name):
        steps.append(Said("which.name", {**values, "name": name}))
    return tuple(steps)


def _none(case: Case) -> Said:
    return Said("which.none", {"server": case.server})
