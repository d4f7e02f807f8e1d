"""
The internal transport certificate itself: its end, its strength, its names, and whether its key is there.

Nothing stops when it expires, for neither Kerberos nor direct trust looks at dates.  But the setup of a
cumulative update does, and stops half-way, which leaves a server that carries no mail at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.exchange import advice, elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, shown
from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, Severity, when

_OLD_HASHES = ("md5", "sha1")


def not_in_store(case: Case) -> Iterator[Judgement]:
    """Its store lacks what is published for it, or its key, and nothing is presented in its place."""
    published = case.published
    wanted = published.thumbprint if published else case.own_view
    if case.store is None or not wanted or any(True for _ in shown(case.internal)):
        return
    held = case.stored(wanted)
    if held is not None and held.has_key is not False and held.network_service_reads is not False:
        return
    values = {
        "thumbprint": wanted[:12].upper(),
        "fingerprint": short(published.fingerprint) if published else "-",
        "replica": case.controllers or "-",
    }
    finding = Finding(
        catalog.NOT_IN_STORE,
        case.name,
        values=values,
        evidence=(
            *proof.directory(case),
            *proof.own_view(case),
            *proof.stored(case, wanted),
            *proof.wire(case, case.internal),
            *proof.logged(case, 12013),
        ),
    )
    if held is not None and held.has_key is not False:
        steps: tuple[Step, ...] = (advice.enable_again(case, wanted, mends=True),)
    else:
        steps = advice.replace_certificate(case, published, old_is_lost=True)
    said = case.say("finding.not-in-store", **values)
    yield concluded(finding, said, routes.when_silent(case), steps)


def ends(case: Case) -> Iterator[Judgement]:
    """It has expired, or ends soon."""
    leaf = case.internal_certificate
    if leaf is None:
        return
    soon = leaf.not_after - case.policy.soon(leaf.not_after - leaf.not_before)
    has_expired = leaf.expired(case.now)
    if not has_expired and case.now < soon:
        return
    left = leaf.not_after - case.now
    values = {
        **proof.described(leaf),
        "not_after": when(leaf.not_after),
        "hours": str(round(left / timedelta(hours=1))),
        "days": str(abs(left).days),
    }
    finding = Finding(
        catalog.EXPIRED if has_expired else catalog.EXPIRES_SOON,
        case.name,
        values=values,
        evidence=(*proof.directory(case), *proof.presented(case, (leaf,)), *proof.logged(case, 12015, 12017)),
        since=leaf.not_after if has_expired else soon,
        until=None if has_expired else leaf.not_after,
    )
    said = case.say("finding.expired" if has_expired else "finding.expires-soon", **values)
    yield concluded(finding, said, routes.when_expired(case), _renew(case, leaf))


def weak(case: Case) -> Iterator[Judgement]:
    """A key that could be broken, or a signature that no longer counts."""
    internal = case.internal_certificate
    public = dict.fromkeys(leaf for _, leaf in shown(case.public))
    for leaf in dict.fromkeys((*([internal] if internal else ()), *public)):
        weakness = f"{leaf.key_type} {leaf.key_bits}"
        if leaf.key_type in ("RSA", "DSA") and leaf.key_bits < case.policy.minimum_rsa_bits:
            yield _weak(case, leaf, weakness, "finding.short-key", None)
        elif leaf.signature_hash in _OLD_HASHES:
            weakness = leaf.signature_hash.upper().replace("SHA1", "SHA-1")
            # Nobody checks the signature of an internal certificate, nor that of one that signed itself.
            mild = Severity.INFORMATION if leaf.self_signed or leaf == internal else None
            yield _weak(case, leaf, weakness, "finding.old-signature", mild)


def _weak(case: Case, leaf: Certificate, weakness: str, phrase: str, milder: Severity | None) -> Judgement:
    is_internal = leaf == case.internal_certificate
    verb = X_ANONYMOUSTLS if is_internal else STARTTLS
    values = {**proof.described(leaf), "weakness": weakness, "verb": verb}
    finding = Finding(
        catalog.WEAK_KEY,
        case.name,
        leaf.thumbprint,
        values=values,
        evidence=(case.say("proof.weak", **values),),
        severity_here=milder,
    )
    if milder is Severity.INFORMATION:
        steps: tuple[Step, ...] = (Step(case.say("step.with-the-next")),)
    else:
        steps = _renew(case, leaf) if is_internal else (elsewhere.import_public(case, ()),)
    return concluded(finding, case.say(phrase, **values), (), steps)


def names_differ(case: Case) -> Iterator[Judgement]:
    """Its name is not in it.  Exchange finds it by its thumbprint, and nobody looks at names."""
    leaf = case.internal_certificate
    if leaf is not None and not case.is_named_by(leaf):
        values = {**proof.described(leaf), "names": ", ".join(leaf.names) or "-"}
        finding = Finding(
            catalog.NAMES_DIFFER,
            case.name,
            values=values,
            evidence=proof.directory(case),
            severity_here=Severity.INFORMATION,
        )
        steps = (Step(case.say("step.with-the-next")),)
        yield concluded(finding, case.say("finding.names", **values), (), steps)


def _renew(case: Case, leaf: Certificate) -> tuple[Step, ...]:
    if case.server.is_edge:
        return elsewhere.subscribe(case, make_first=True)
    return advice.replace_certificate(case, leaf, old_is_lost=False)
