"""
Why a server presents what is old: a process that was not restarted, or a host that came from an image.

The store tells them apart.  A stale process shows something else than the store calls current.  A host that
was restored shows what its store calls current, and the store itself is old: the journal beside it knows
better, or the directory has what happened since, and nobody here remembers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.checks.case import Case, enable_command
from mailtrust.core.events.catalog import RESTORED_IMAGE, STALE_PROCESS
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import RuledOut, Said, when
from mailtrust.core.model.sighting import Act, Published, Slot, StoreSighting


@dataclass(frozen=True, slots=True)
class Old:
    """What is known of it; nothing, where neither is proved."""

    cause: str | None = None
    evidence: tuple[Said, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    action: str | None = None


def why_old(case: Case, leaf: Certificate) -> Old:
    """Why *leaf* is presented, which is not what peers or the journal expect by now."""
    store, current = case.store, case.current
    if store is None or current is None:
        return Old()
    if leaf == current.certificate:
        return _restored(case, store, leaf)
    replaced = [one.certificate for one in store.found or () if one.slot is Slot.PREVIOUS]
    if leaf not in replaced and not case.is_withdrawn(leaf):
        # It was put to use before its time, or comes from a file that the store knows nothing of.
        return Old()
    values = {"fingerprint": short(leaf.fingerprint), "current": short(current.certificate.fingerprint)}
    said = Said("old.store-is-newer", values)
    return Old(STALE_PROCESS, (said,), (RuledOut(RESTORED_IMAGE, said),))


def behind_journal(case: Case) -> Act | None:
    """
    The last switch that the journal knows of, where the store shows that it is older than that.

    A journal that missed the last switch differs from the store too, but then the store is the younger one.
    """
    store, current = case.store, case.current
    act = case.history.last_of("present", case.server)
    if store is None or current is None or act is None or act.fingerprint == current.certificate.fingerprint:
        return None
    held = any(one.certificate.fingerprint == act.fingerprint for one in store.found or ())
    was_removed = case.history.last("remove", case.server, act.fingerprint) is not None
    is_older = store.changed_at is not None and store.changed_at < act.done_at
    return act if is_older or not (held or was_removed) else None


def _restored(case: Case, store: StoreSighting, leaf: Certificate) -> Old:
    values = {"fingerprint": short(leaf.fingerprint), "store": store.place}
    not_stale = RuledOut(STALE_PROCESS, Said("old.process-is-in-step", values))
    act = behind_journal(case)
    if act is not None:
        proof = Said(
            "old.behind-journal", {**values, "other": short(act.fingerprint), "at": when(act.done_at)}
        )
        gone = case.withdrawals.get(act.fingerprint)
        may_return = act.fingerprint in case.enableable and gone is None
        action = enable_command(act.fingerprint) if may_return else "mailtrust new"
        return Old(RESTORED_IMAGE, (proof, *_file_time(store, act.done_at)), (not_stale,), action)
    proofs = tuple(_behind_directory(case, store, leaf))
    return Old(RESTORED_IMAGE, proofs, (not_stale,), "mailtrust new") if proofs else Old()


def _behind_directory(case: Case, store: StoreSighting, leaf: Certificate) -> Iterator[Said]:
    """Proof that the directory knows of a successor that this store never had."""
    newer = _never_had(case, store)
    if newer is None or case.publishing(leaf.pin):
        return
    known_until = _known_until(case, store)
    gone = case.withdrawals.get(leaf.fingerprint)
    forgotten = gone is not None and leaf.fingerprint not in dict(case.history.withdrawn(case.server))
    if not forgotten and (known_until is None or newer.published_at <= known_until):
        return
    values = {"fingerprint": short(leaf.fingerprint), "other": short(newer.certificate.fingerprint)}
    if gone is not None and forgotten:
        yield Said("old.withdrawal-forgotten", {**values, "at": when(gone)})
    places = ", ".join(look.place for look in case.publishing(newer.certificate.pin))
    yield Said("old.never-had", {**values, "at": when(newer.published_at), "places": places})
    if known_until is not None:
        yield Said("old.known-until", {"store": store.place, "at": when(known_until)})


def _never_had(case: Case, store: StoreSighting) -> Published | None:
    """The latest publication for this server of a key that its store does not have."""
    found = [
        one
        for look in case.readable
        for one in look.found or ()
        if one.certificate.pin not in store.pins and not case.is_withdrawn(one.certificate)
    ]
    return max(found, key=lambda one: one.published_at, default=None)


def _known_until(case: Case, store: StoreSighting) -> datetime | None:
    """The latest moment that this host remembers: of its store, or of its journal."""
    moments = [act.done_at for act in case.history.acts if act.server == case.server]
    moments += [one.arrived_at for one in store.found or ()]
    return max((*moments, *filter(None, (store.changed_at,))), default=None)


def _file_time(store: StoreSighting, later: datetime) -> Iterator[Said]:
    if store.changed_at is not None and store.changed_at < later:
        yield Said("old.slots-changed", {"store": store.place, "at": when(store.changed_at)})
