"""
An Edge server beside what Active Directory holds of it.

EdgeSync goes one way: what an Edge changes never comes back.  So when its certificate is replaced, Active
Directory keeps the old one until somebody subscribes the Edge again.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import EDGE_FELL_BACK, EDGE_NOT_RESUBSCRIBED
from mailtrust.core.exchange import elsewhere, proof, routes
from mailtrust.core.exchange.case import Case, shown, thumb
from mailtrust.core.exchange.judgement import Judgement, concluded
from mailtrust.core.exchange.presented import looks_ephemeral, unpublished
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, RuledOut, Said


def out_of_step(case: Case) -> Iterator[Judgement]:
    """It presents another key than the one that Active Directory holds of it: mailbox servers refuse it."""
    leaves = unpublished(case)
    if case.server.is_edge and leaves:
        yield _out_of_step(case, leaves, in_memory=looks_ephemeral(case, leaves[0]))


def _out_of_step(case: Case, leaves: tuple[Certificate, ...], *, in_memory: bool) -> Judgement:
    published, leaf = case.published, leaves[0]
    looks = proof.described(leaf)
    values = {
        "subject": leaf.subject or "-",
        "fingerprint": short(leaf.fingerprint),
        "address": next(wire.place for wire, one in shown(case.internal) if one == leaf),
        "used": thumb(leaf),
        "published": thumb(published) if published else "-",
    }
    if in_memory:
        cause, ruled_out = EDGE_FELL_BACK, RuledOut(EDGE_NOT_RESUBSCRIBED, Said("ruled.in-memory", looks))
    else:
        cause, ruled_out = EDGE_NOT_RESUBSCRIBED, RuledOut(EDGE_FELL_BACK, Said("ruled.lasting", looks))
    finding = Finding(
        catalog.PEER_NOT_TRUSTED_OUTBOUND,
        case.name,
        cause=cause,
        values=values,
        evidence=(
            *proof.directory(case),
            *proof.presented(case, leaves),
            *(_in_memory(case, leaf) if in_memory else ()),
            *proof.logged(case, 12023, 12024, 1036),
        ),
        ruled_out=(ruled_out,),
    )
    said = case.say("finding.edge-in-memory" if in_memory else "finding.edge-out-of-step", **values)
    steps = elsewhere.subscribe(case, make_first=in_memory)
    return concluded(finding, said, routes.when_edge_is_out_of_step(case), steps)


def _in_memory(case: Case, leaf: Certificate) -> tuple[Said, ...]:
    return proof.stored(case, leaf.thumbprint) or (Said("proof.as-in-memory", proof.described(leaf)),)
