"""What stands on the server's entry: values that do not parse, keys of strangers, keys shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Fingerprint, short
from mailtrust.core.model.event import Finding, Said, when
from mailtrust.core.model.sighting import Impostor, ReplicaSighting

_MOST_NAMES = 5


def corrupted(case: Case) -> Iterator[Finding]:
    """A published value does not parse.  It costs that value only, never the others."""
    digests = {value.digest for look in case.readable for value in look.unparsable}
    for digest in sorted(digests - case.withdrawals.keys()):
        at = [look for look in case.readable if any(value.digest == digest for value in look.unparsable)]
        place = _nearest(at)
        value = next(value for value in place.unparsable if value.digest == digest)
        values = {"replica": place.place, "digest": short(digest)}
        said = Said(
            "entry.unparsable",
            {
                **values,
                "size": str(value.size_bytes),
                "at": when(value.published_at),
                "replicas": ", ".join(look.place for look in at),
            },
        )
        own = case.store is not None
        yield Finding(
            catalog.CORRUPTED, case.server, place.place, values=values, evidence=(said,),
            action=f"mailtrust withdraw {short(digest)}" + ("" if own else f" --server {case.server}"),
            since=value.published_at,
        )  # fmt: skip


def stranger_published(case: Case) -> Iterator[Finding]:
    """Beside ours, a key stands on our entry that this server does not have, or no longer has."""
    store = case.store
    if store is None or store.found is None:
        return
    strangers = {
        one.certificate: one.published_at
        for look in case.readable
        if store.pins & look.pins
        for one in look.found or ()
        if one.certificate.pin not in store.pins and not case.is_withdrawn(one.certificate)
    }
    for leaf, published_at in strangers.items():
        at = case.publishing(leaf.pin)
        values = {"fingerprint": short(leaf.fingerprint), "replica": _nearest(at).place}
        said = Said(
            "entry.stranger",
            {
                **values,
                "subject": leaf.subject or "-",
                "at": when(published_at),
                "replicas": ", ".join(look.place for look in at),
            },
        )
        yield Finding(
            catalog.STRANGER_PUBLISHED, case.server, _nearest(at).place, values=values, evidence=(said,),
            action=f"mailtrust withdraw {short(leaf.fingerprint)}", since=published_at,
        )  # fmt: skip


def impostor_published(case: Case) -> Iterator[Finding]:
    """Something in the directory says that it is this server's, and is not: it is believed by nobody."""
    seen: dict[tuple[str, Fingerprint], tuple[Impostor, list[ReplicaSighting]]] = {}
    for look in case.readable:
        for one in look.impostors:
            key = one.entry.lower(), one.certificate.fingerprint
            seen.setdefault(key, (one, []))[1].append(look)
    for one, at in seen.values():
        place = _nearest(at).place
        values = {"fingerprint": short(one.certificate.fingerprint), "replica": place}
        more = {**values, "entry": one.entry, "server": case.server, "at": when(one.published_at)}
        yield Finding(
            catalog.STRANGER_PUBLISHED, case.server, place, values=values,
            evidence=(Said("entry.impostor", more), Said(one.why, more)),
            action=f"ldapdelete -H {place} '{_quoted(one.entry)}'", since=one.published_at,
        )  # fmt: skip


def authority_published(case: Case) -> Iterator[Finding]:
    """A published certificate may issue others (CA:TRUE); no snapshot takes it."""
    found = {one.certificate: one.published_at for look in case.readable for one in look.found or ()}
    for leaf, published_at in found.items():
        if not leaf.is_ca or case.is_withdrawn(leaf):
            continue
        place = _nearest(case.publishing(leaf.pin)).place
        values = {"fingerprint": short(leaf.fingerprint), "replica": place}
        said = Said("entry.authority", {**values, "subject": leaf.subject or "-", "at": when(published_at)})
        in_use = case.current is not None and case.current.certificate == leaf
        withdraw = f"mailtrust withdraw {short(leaf.fingerprint)}"
        yield Finding(
            catalog.AUTHORITY_PUBLISHED, case.server, place, values=values, evidence=(said,),
            action=None if case.store is None else "mailtrust new" if in_use else withdraw,
            since=published_at,
        )  # fmt: skip


def key_shared(case: Case) -> Iterator[Finding]:
    """Another server publishes the same key, so that the two cannot be told apart."""
    leaves = {one.certificate.pin: one.certificate for look in case.readable for one in look.found or ()}
    for pin, leaf in leaves.items():
        others = sorted(case.holders.get(pin, frozenset()) - {case.server})
        if others:
            values = {"fingerprint": short(leaf.fingerprint), "others": _some(others)}
            yield Finding(
                catalog.KEY_SHARED,
                case.server,
                values=values,
                evidence=(Said("entry.shared", {**values, "pin": short(pin)}),),
                action="mailtrust new" if case.store is not None else None,
            )


def _quoted(entry: str) -> str:
    """For a shell, between single quotes."""
    return entry.replace("'", "'\\''")


def _some(names: Sequence[str]) -> str:
    """The first few: a fleet with one key would otherwise name every server in every finding."""
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" (+{rest})" if rest > 0 else "")


def _nearest(looks: list[ReplicaSighting] | tuple[ReplicaSighting, ...]) -> ReplicaSighting:
    """The one at home, else the first: under its name the finding is reported."""
    return next((look for look in looks if look.home), looks[0])
