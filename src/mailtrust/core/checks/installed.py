"""What the server's own store tells: a key that is gone, dates, strength, names, and who may read."""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, Said, Severity, when


def not_in_store(case: Case) -> Iterator[Finding]:
    """None of the keys published for this server at home is in its store."""
    home, store = case.home, case.store
    if home is None or store is None or store.found is None or not home.found:
        return
    keys = {one.certificate.pin for one in store.found if one.has_key}
    if keys.isdisjoint(home.pins):
        newest = max(home.found, key=lambda one: one.published_at)
        values = {"fingerprint": short(newest.certificate.fingerprint), "replica": home.place}
        said = Said("store.no-published-key", {**values, "store": store.place, "count": str(len(home.found))})
        yield Finding(
            catalog.NOT_IN_STORE,
            case.server,
            store.place,
            values=values,
            evidence=(said,),
            action="mailtrust new",
        )


def expired(case: Case) -> Iterator[Finding]:
    """The internal certificate is past its end.  Peers go on believing it: direct trust ignores dates."""
    if case.expected is not None and case.expected.expired(case.now):
        leaf = case.expected
        event = catalog.EXPIRED if case.store is not None else catalog.PEER_EXPIRED
        yield Finding(
            event,
            case.server,
            values=_dated(leaf),
            evidence=(Said("certificate.expired", _dated(leaf)),),
            action=_renew(case),
            since=leaf.not_after,
        )


def expires_soon(case: Case) -> Iterator[Finding]:
    """The internal certificate ends within 90 days, or within the last third of a short life."""
    leaf = case.expected
    if leaf is None or leaf.expired(case.now):
        return
    warn_from = leaf.not_after - case.policy.soon(leaf.not_after - leaf.not_before)
    if case.now >= warn_from:
        hours = round((leaf.not_after - case.now).total_seconds() / 3600)
        yield Finding(
            catalog.EXPIRES_SOON,
            case.server,
            values={**_dated(leaf), "hours": str(hours)},
            evidence=(Said("certificate.expires", {**_dated(leaf), "warn_from": when(warn_from)}),),
            action=_renew(case),
            since=warn_from,
            until=leaf.not_after,
        )


def weak_key(case: Case) -> Iterator[Finding]:
    """A key that could be broken, or a signature hash that no longer counts."""
    for leaf in _in_use(case):
        weakness = f"{leaf.key_type} {leaf.key_bits}"
        if leaf.key_type in ("RSA", "DSA") and leaf.key_bits < case.policy.minimum_rsa_bits:
            yield _weak(case, leaf, weakness, Said("certificate.short-key", _weakness(leaf, weakness)))
        elif leaf.signature_hash in ("md5", "sha1"):
            weakness = leaf.signature_hash.upper().replace("SHA1", "SHA-1")
            # On a self-signed certificate nobody relies on the signature: the directory vouches for the key.
            mild = Severity.INFORMATION if leaf.self_signed else None
            yield _weak(case, leaf, weakness, Said("certificate.old-hash", _weakness(leaf, weakness)), mild)


def names_differ(case: Case) -> Iterator[Finding]:
    """The server's name is not in the certificate: direct trust works, name checks elsewhere would not."""
    for leaf in _in_use(case):
        if not leaf.covers(case.server):
            values = {"fingerprint": short(leaf.fingerprint), "names": ", ".join(leaf.names) or "-"}
            said = Said("certificate.names", {**values, "server": case.server})
            yield Finding(
                catalog.NAMES_DIFFER, case.server, values=values, evidence=(said,), action=_renew(case)
            )


def key_exposed(case: Case) -> Iterator[Finding]:
    """Others than its owner can read a key file."""
    for file in case.store.exposed if case.store else ():
        values = {"file": file}
        yield Finding(
            catalog.KEY_EXPOSED, case.server, file, values=values,
            evidence=(Said("store.key-readable", values),), action="mailtrust fix",
        )  # fmt: skip


def no_successor(case: Case) -> Iterator[Finding]:
    """It works, and has no next certificate standing by."""
    store = case.store
    if store is not None and case.current and not any(one.slot == "next" for one in store.found or ()):
        yield Finding(
            catalog.NO_SUCCESSOR, case.server,
            evidence=(Said("store.no-next", {"fingerprint": short(case.current.certificate.fingerprint)}),),
        )  # fmt: skip


def _in_use(case: Case) -> tuple[Certificate, ...]:
    expected = (case.expected,) if case.expected is not None else ()
    return tuple(dict.fromkeys((*expected, *case.presented)))


def _dated(leaf: Certificate) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "not_after": when(leaf.not_after)}


def _weakness(leaf: Certificate, weakness: str) -> dict[str, str]:
    return {"fingerprint": short(leaf.fingerprint), "weakness": weakness}


def _weak(
    case: Case, leaf: Certificate, weakness: str, said: Said, milder: Severity | None = None
) -> Finding:
    return Finding(
        catalog.WEAK_KEY,
        case.server,
        values=_weakness(leaf, weakness),
        evidence=(said,),
        action=_renew(case),
        severity_here=milder,
    )


def _renew(case: Case) -> str | None:
    return "mailtrust new" if case.store is not None else None
