"""
What a change of a server's internal transport certificate may break.

Two things hang on the old one.  EdgeSync keeps its passwords encrypted with that key; Exchange encrypts them
anew in the same step, for which it needs the old key, and saves the new certificate *before* it tries.  And a
connector may name the certificate by issuer and subject.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.exchange.case import Case, some
from mailtrust.core.exchange.facts import Connector
from mailtrust.core.exchange.tls_name import TlsName, tls_name
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said


def of_a_new_certificate(case: Case, old: Certificate | None, *, old_is_lost: bool) -> tuple[Said, ...]:
    """
    Every sentence that somebody ought to read before another certificate is published.

    *old_is_lost*: the server seems not to have the key of what is published now.
    """
    return (*_for_edges(case, old_is_lost=old_is_lost), *_for_connectors(case, old))


def naming(connectors: tuple[Connector, ...], leaf: Certificate) -> tuple[Connector, ...]:
    """The connectors whose ``TlsCertificateName`` means that certificate."""
    return tuple(
        one
        for one in connectors
        if isinstance(wanted := tls_name(one.tls_certificate_name), TlsName) and wanted.names(leaf)
    )


def _for_edges(case: Case, *, old_is_lost: bool) -> Iterator[Said]:
    values = {"server": case.server.name, "edges": some(one.name for one in case.trusting)}
    if case.server.is_edge:
        yield Said("risk.edge-itself", values)
        return
    if not case.trusting:
        yield case.say("risk.no-edge" if case.knows_edges else "risk.edge-unknown")
        return
    yield Said("risk.edge-window", values)
    if case.server.takes_part_in_edgesync is not False:
        yield Said("risk.edgesync-lost" if old_is_lost else "risk.edgesync", values)


def _for_connectors(case: Case, old: Certificate | None) -> Iterator[Said]:
    named = naming(case.connectors, old) if old is not None else ()
    if named:
        yield Said("risk.connectors", {"connectors": some(one.name for one in named)})
