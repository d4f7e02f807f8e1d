"""
Which certificate an Exchange server uses for a name, and why, one step after the other.

Three things are chosen by three rules.  X-ANONYMOUSTLS shows what Active Directory has the thumbprint of.  A
connector with a ``TlsCertificateName`` shows what that names.  Any other connector takes its own name, looks
through the store from the newest to the oldest, and prefers what an authority issued.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mailtrust.core.events import catalog
from mailtrust.core.exchange.case import Case, thumb
from mailtrust.core.exchange.facts import Connector, Direction, StoreCertificate
from mailtrust.core.exchange.public import announced
from mailtrust.core.exchange.tls_name import TlsName, tls_name
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Event, Said, when

_SHORTEST_KEY = 1024
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


class Purpose(StrEnum):
    """What a certificate is chosen for."""

    INTERNAL = "internal"
    """X-ANONYMOUSTLS: the internal transport certificate."""
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NAME = "name"
    """STARTTLS for that name, wherever a connector announces it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is used, and how it came to that."""

    server: str
    purpose: Purpose
    name: str
    steps: tuple[Said, ...]
    chosen: Certificate | None = None
    """None where nothing fits, and where nobody knows."""
    event: Event | None = None
    """What the server logs about it."""
    known: bool = True
    """False where its store was not seen, so that nobody can say."""
    connector: str = ""
    older_would_do: Certificate | None = None
    """A valid one that stands behind an expired one in the order in which Exchange walks."""


def choices(case: Case, name: str) -> tuple[Choice, ...]:
    """All that *name* decides at that server: internal, each connector of that name, and by name alone."""
    wanted = name.rstrip(".").lower()
    of_it = [
        one for one in case.connectors if announced(case, one).lower() == wanted and one.enabled is not False
    ]
    own = [internal(case)] if wanted in (one.lower() for one in case.own_names) else []
    return (*own, *(at_connector(case, one) for one in of_it), by_name(case, name))


def internal(case: Case) -> Choice:
    """What X-ANONYMOUSTLS shows: the steps of Exchange 2013 and later."""
    wanted = case.published.thumbprint if case.published else case.own_view
    base = Choice(case.name, Purpose.INTERNAL, case.own_names[-1], ())
    if wanted is None and case.newest is None:
        return replace(base, steps=(case.say("choice.directory-unread"),), known=False)
    if not wanted:
        return replace(base, steps=(case.say("choice.nothing-published"),), event=catalog.CERTIFICATE_MISSING)
    first = case.say("choice.published", thumbprint=wanted[:12].upper())
    if case.store is None:
        return replace(
            base, steps=(first, case.say("choice.store-unread")), chosen=case.published, known=False
        )
    held = case.stored(wanted)
    fault = _unusable(held) if held is not None else None
    if held is not None and fault is None:
        return _internal_found(case, base, first, held)
    lost = fault or Said("choice.not-in-store", {"thumbprint": wanted[:12].upper()})
    instead, steps = _walked(case, case.own_names[-1])
    if instead is not None:
        said = case.say("choice.fallback-name", thumbprint=thumb(instead))
        event = catalog.FALLBACK_TO_NAME
    else:
        said, event = case.say("choice.fallback-memory"), catalog.FALLBACK_TO_EPHEMERAL
    return replace(base, steps=(first, lost, *steps, said), chosen=instead, event=event)


def at_connector(case: Case, connector: Connector) -> Choice:
    """What a connector shows, as a server (Receive) or as a client (Send)."""
    purpose = Purpose.INBOUND if connector.direction is Direction.RECEIVE else Purpose.OUTBOUND
    name = announced(case, connector)
    base = Choice(case.name, purpose, name, (), connector=connector.name)
    if (
        connector.direction is Direction.RECEIVE
        and connector.auth is not None
        and "Tls" not in connector.auth
    ):
        return replace(base, steps=(Said("choice.no-tls", {"connector": connector.name}),))
    if not connector.tls_certificate_name:
        first = Said("choice.by-fqdn", {"connector": connector.name, "name": name or "-"})
        return _by_name(case, base, name, (first,))
    wanted = tls_name(connector.tls_certificate_name)
    values = {"connector": connector.name, "name": connector.tls_certificate_name}
    if isinstance(wanted, Said):
        steps = (Said("choice.by-tls-name", values), wanted)
        return replace(base, steps=steps, event=catalog.STARTTLS_NOT_IN_STORE)
    return _by_tls_name(case, replace(base, steps=(Said("choice.by-tls-name", values),)), wanted)


def by_name(case: Case, name: str) -> Choice:
    """What is chosen for a name where no ``TlsCertificateName`` decides."""
    return _by_name(case, Choice(case.name, Purpose.NAME, name, ()), name, ())


def named(case: Case, wanted: TlsName) -> tuple[StoreCertificate, ...]:
    """What a ``TlsCertificateName`` may mean, the newest first: it gives issuer and subject, and no more."""
    return tuple(one for one, leaf in _newest_first(case) if wanted.names(leaf))


def _internal_found(case: Case, base: Choice, first: Said, held: StoreCertificate) -> Choice:
    leaf = held.certificate
    found = Said("choice.in-store", {"thumbprint": thumb(held)})
    if leaf is not None and leaf.expired(case.now):
        late = Said("choice.expired-and-used", {"thumbprint": thumb(held), "at": when(leaf.not_after)})
        return replace(base, steps=(first, found, late), chosen=leaf, event=catalog.EXPIRED)
    return replace(base, steps=(first, found, Said("choice.used", {"thumbprint": thumb(held)})), chosen=leaf)


def _by_tls_name(case: Case, base: Choice, wanted: TlsName) -> Choice:
    if case.store is None:
        return replace(base, steps=(*base.steps, case.say("choice.store-unread")), known=False)
    held = named(case, wanted)
    usable = [one.certificate for one in held if _unusable(one) is None and one.certificate is not None]
    refused = tuple(said for one in held if (said := _unusable(one)) is not None)
    valid = [leaf for leaf in usable if not leaf.expired(case.now)]
    if not usable:
        none = Said("choice.none-of-that-name")
        return replace(base, steps=(*base.steps, *refused, none), event=catalog.STARTTLS_NOT_IN_STORE)
    chosen = (valid or usable)[0]
    several = (Said("choice.several", {"count": str(len(usable))}),) if len(usable) > 1 else ()
    steps = (*base.steps, *refused, *several, Said("choice.used", {"thumbprint": thumb(chosen)}))
    return replace(base, steps=steps, chosen=chosen, event=None if valid else catalog.STARTTLS_EXPIRED)


def _by_name(case: Case, base: Choice, name: str, before: tuple[Said, ...]) -> Choice:
    if case.store is None:
        return replace(base, steps=(*before, case.say("choice.store-unread")), known=False)
    chosen, steps = _walked(case, name)
    if chosen is None:
        none = Said("choice.none-for-name", {"name": name or "-"})
        return replace(base, steps=(*before, *steps, none), event=catalog.STARTTLS_NOT_IN_STORE)
    late = chosen.expired(case.now)
    used = Said("choice.used", {"thumbprint": thumb(chosen)})
    return replace(
        base,
        steps=(*before, *steps, used),
        chosen=chosen,
        event=catalog.STARTTLS_EXPIRED if late else None,
        older_would_do=_behind_an_expired(case, name, chosen),
    )


def _walked(case: Case, name: str) -> tuple[Certificate | None, tuple[Said, ...]]:
    """Exact names first, then wildcards; of each the newest first, what an authority issued before all."""
    carrying = [(one, leaf) for one, leaf in _newest_first(case) if _carries(leaf, name)]
    count = sum(1 for _ in _newest_first(case))
    steps = [Said("choice.candidates", {"name": name or "-", "count": str(count), "fit": str(len(carrying))})]
    for exact in (True, False):
        group = [(one, leaf) for one, leaf in carrying if _is_exact(leaf, name) is exact]
        if group:
            steps.append(Said("choice.pass-exact" if exact else "choice.pass-wildcard", {"name": name}))
            chosen, said = _best(case.now, group)
            steps += said
            if chosen is not None:
                return chosen, tuple(steps)
    return None, tuple(steps)


def _best(
    now: datetime, group: Iterable[tuple[StoreCertificate, Certificate]]
) -> tuple[Certificate | None, list[Said]]:
    ranked: list[tuple[int, Certificate]] = []
    steps = []
    for one, leaf in group:
        values = {
            "thumbprint": thumb(leaf),
            "from": when(leaf.not_before)[:10],
            "at": when(leaf.not_after)[:10],
        }
        fault = _unusable(one)
        if fault is not None:
            steps.append(fault)
            continue
        rank, phrase = _rank(one, leaf, now)
        steps.append(Said(phrase, values))
        ranked.append((rank, leaf))
    best = min(ranked, key=lambda each: each[0], default=None)
    return (best[1] if best is not None else None), steps


def _rank(one: StoreCertificate, leaf: Certificate, now: datetime) -> tuple[int, str]:
    """How Exchange prefers what it may use: the newest of the best kind."""
    if leaf.expired(now):
        return (5, "choice.expired-own") if leaf.self_signed else (4, "choice.expired")
    if leaf.self_signed:
        return 3, "choice.self-signed"
    if one.status in ("Unknown", "RevocationCheckFailure"):
        return 2, "choice.revocation-unknown"
    return 1, "choice.issued"


def _behind_an_expired(case: Case, name: str, chosen: Certificate) -> Certificate | None:
    """*chosen*, where an expired one of an authority's is newer: Exchange 2013 was seen to stop there."""
    before = [
        leaf
        for one, leaf in _newest_first(case)
        if _carries(leaf, name) and _unusable(one) is None and leaf.not_before > chosen.not_before
    ]
    stops = any(leaf.expired(case.now) and not leaf.self_signed for leaf in before)
    return chosen if stops and not chosen.expired(case.now) else None


def _newest_first(case: Case) -> Iterator[tuple[StoreCertificate, Certificate]]:
    held = [(one, one.certificate) for one in case.store or () if one.certificate is not None]
    return iter(sorted(held, key=lambda each: each[1].not_before, reverse=True))


def _carries(leaf: Certificate, name: str) -> bool:
    """Exchange lets a wildcard stand for any depth, where RFC 6125 has one label."""
    wanted = name.rstrip(".").lower()
    return bool(wanted) and any(
        held == wanted or (held.startswith("*.") and wanted.endswith(held[1:]))
        for held in (one.rstrip(".").lower() for one in leaf.names)
    )


def _is_exact(leaf: Certificate, name: str) -> bool:
    return name.rstrip(".").lower() in (one.rstrip(".").lower() for one in leaf.names)


def _unusable(one: StoreCertificate) -> Said | None:
    """Why Exchange passes it by, whatever its names are."""
    values = {"thumbprint": thumb(one)}
    if one.has_key is False:
        return Said("choice.no-key", values)
    if one.network_service_reads is False:
        return Said("choice.no-right", values)
    own = one.certificate is not None and one.certificate.self_signed
    if one.status in ("Revoked", "PendingRequest") or (one.status == "Untrusted" and not own):
        return Said("choice.status", {**values, "status": one.status})
    return _unfit(one.certificate) if one.certificate is not None else None


def _unfit(leaf: Certificate) -> Said | None:
    values = {"thumbprint": thumb(leaf)}
    if leaf.key_type not in ("RSA", "DSA") or leaf.key_bits < _SHORTEST_KEY:
        return Said("choice.key", {**values, "key": f"{leaf.key_type} {leaf.key_bits}"})
    return None if _is_for_servers(leaf.der) else Said("choice.usage", values)


@lru_cache(maxsize=4096)
def _is_for_servers(der: bytes) -> bool:
    """Key usage absent or for signatures, extended key usage absent or for servers."""
    extensions = {one.oid: one.value for one in x509.load_der_x509_certificate(der).extensions}
    usage = extensions.get(x509.KeyUsage.oid)
    purposes = extensions.get(x509.ExtendedKeyUsage.oid)
    signs = not isinstance(usage, x509.KeyUsage) or usage.digital_signature or usage.content_commitment
    serves = not isinstance(purposes, x509.ExtendedKeyUsage) or bool({_SERVER, _ANY} & set(purposes))
    return signs and serves
