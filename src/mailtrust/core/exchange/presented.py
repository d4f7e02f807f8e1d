"""
What X-ANONYMOUSTLS shows, beside what the directory publishes.

A server that cannot use the certificate that stands for it takes another one that carries its name, or makes
one in memory.  From outside we see only that it does: why, its own store tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.exchange import advice, proof, routes
from mailtrust.core.exchange.case import Case, shown, some, thumb
from mailtrust.core.exchange.judgement import Judgement, Step, concluded
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Event, Finding, Said

_EXCHANGE_2007 = 8
_TWELVE_MONTHS = (timedelta(days=364), timedelta(days=367))


def unpublished(case: Case) -> tuple[Certificate, ...]:
    """What it presents with a key that no controller publishes for it; empty where none answered."""
    if not case.standings:
        return ()
    return tuple(dict.fromkeys(leaf for _, leaf in shown(case.internal) if leaf.pin not in case.pins))


def looks_ephemeral(case: Case, leaf: Certificate) -> bool:
    """
    True for a certificate as Exchange makes it in memory: for twelve months, of its own names.

    Exchange 2007 made its real ones so as well; the store, where it is known, decides.
    """
    if case.store is not None:
        return leaf.self_signed and case.stored(leaf.thumbprint) is None
    version = case.server.version
    shortest, longest = _TWELVE_MONTHS
    own = {name.lower() for name in case.own_names}
    return (
        leaf.self_signed
        and (leaf.key_type, leaf.key_bits) == ("RSA", 2048)
        and shortest <= leaf.not_after - leaf.not_before <= longest
        and bool(leaf.names)
        and {name.lower() for name in leaf.names} <= own
        and not (version is not None and version.major == _EXCHANGE_2007)
    )


def fallen_back(case: Case) -> Iterator[Judgement]:
    """It presents another key than the one that stands for it: by name, or made in memory."""
    if case.server.is_edge:
        return
    leaves = unpublished(case)
    ephemeral = tuple(leaf for leaf in leaves if looks_ephemeral(case, leaf))
    by_name = tuple(leaf for leaf in leaves if leaf not in ephemeral)
    if by_name:
        yield _fallen_back(case, catalog.FALLBACK_TO_NAME, by_name)
    if ephemeral:
        yield _fallen_back(case, catalog.FALLBACK_TO_EPHEMERAL, ephemeral)


def _fallen_back(case: Case, event: Event, leaves: tuple[Certificate, ...]) -> Judgement:
    published, leaf = case.published, leaves[0]
    values = {
        "fingerprint": short(published.fingerprint) if published else "-",
        "published": thumb(published) if published else "-",
        "used": some(thumb(one) for one in leaves),
    }
    in_memory = event is catalog.FALLBACK_TO_EPHEMERAL
    finding = Finding(
        event,
        case.name,
        next(wire.place for wire, one in shown(case.internal) if one == leaf),
        values=values,
        evidence=(
            *proof.directory(case),
            *proof.presented(case, leaves),
            *_what_it_is(case, leaf, in_memory=in_memory),
            *(proof.stored(case, published.thumbprint) if published else ()),
            *proof.logged(case, 12013, 12023, 12024, 1037),
        ),
    )
    suspected = case.store is None
    memory = "finding.in-memory" if suspected else "finding.in-memory-proved"
    said = case.say(memory if in_memory else "finding.by-name", **values)
    steps = _steps(case, leaf, in_memory=in_memory)
    return concluded(finding, said, routes.when_unpublished(case), steps, suspected=suspected)


def _what_it_is(case: Case, leaf: Certificate, *, in_memory: bool) -> Iterator[Said]:
    values = proof.described(leaf)
    if in_memory:
        yield from proof.stored(case, leaf.thumbprint) or (Said("proof.as-in-memory", values),)
        return
    holders = case.holders.get(leaf.pin, ())
    if holders:
        yield case.say("proof.is-of-another", **values, others=some(one.name for one in holders))
    elif not case.is_named_by(leaf):
        yield case.say("proof.names-another", **values, names=some(leaf.names) or "-")
    published = case.published
    if published is not None:
        phrase = "proof.older" if published.not_before < leaf.not_before else "proof.newer"
        yield case.say(phrase, **values, published=thumb(published))


def _steps(case: Case, leaf: Certificate, *, in_memory: bool) -> tuple[Step, ...]:
    published = case.published
    if published is None:
        return advice.replace_certificate(case, None, old_is_lost=True)
    held = case.stored(published.thumbprint)
    if held is not None and held.has_key is not False:
        return (advice.enable_again(case, published.thumbprint, mends=True),)
    if case.store is not None:
        return advice.replace_certificate(case, published, old_is_lost=True)
    first = (advice.look_for(case, published), advice.enable_again(case, published.thumbprint))
    if not in_memory and leaf.self_signed and case.is_named_by(leaf):
        enable = advice.enable_presented(case, leaf, published)
        new = advice.make_new(case, published, old_is_lost=True, instead=True)
        return *first, enable, new, *advice.tell_edges(case)
    return *first, advice.make_new(case, published, old_is_lost=True), *advice.tell_edges(case)
