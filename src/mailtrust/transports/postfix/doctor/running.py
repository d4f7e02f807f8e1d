"""
Whether what runs is what master.cf says.

Postfix reads a new listener when it is reloaded, and not before: until then the file is right and nobody
answers.  So the listeners are asked themselves, as a peer would ask them.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.model.event import Finding, Said, when
from mailtrust.core.model.sighting import WireFailure
from mailtrust.transports.postfix.doctor.seen import Seen
from mailtrust.transports.postfix.postconf import its_command

_NOTHING_THERE = ("resolve", "connect")


def listener_silent(seen: Seen) -> Iterator[Finding]:
    """master.cf has the listener, and who goes there comes to no certificate."""
    for wire in seen.wires:
        if wire.failure not in (WireFailure.UNREACHABLE, WireFailure.HANDSHAKE):
            continue
        absent = wire.phase in _NOTHING_THERE
        if not absent and _has_no_key(seen):
            continue
        values = {"endpoint": wire.place, "why": wire.why}
        evidence = [Said("wire.stopped-at", {**values, "phase": wire.phase, "seen": when(wire.seen_at)})]
        if absent:
            evidence.append(_written_only(seen, wire.place))
        yield Finding(
            catalog.SERVER_UNREACHABLE, seen.server, wire.place, values=values, evidence=tuple(evidence),
            action=_reload(seen) if absent else None,
        )  # fmt: skip


def listener_without_tls(seen: Seen) -> Iterator[Finding]:
    """Whoever answers there offers no TLS: somebody else, or an older configuration than the file."""
    for wire in seen.wires:
        if wire.failure is WireFailure.NOT_OFFERED and not _has_no_key(seen):
            values = {"endpoint": wire.place, "why": wire.why}
            yield Finding(
                catalog.TLS_NOT_OFFERED, seen.server, wire.place, values=values,
                evidence=(Said("wire.not-offered", values),), action=_reload(seen),
            )  # fmt: skip


def _has_no_key(seen: Seen) -> bool:
    """Without key and certificate Postfix answers STARTTLS with 454: 12139 says so, and what to do."""
    return any(one.fault is not None for one in seen.chains.values())


def _reload(seen: Seen) -> str:
    return its_command(seen.instance.folder, "postfix", "reload")


def _written_only(seen: Seen, endpoint: str) -> Said:
    folder = seen.instance.folder
    start = its_command(folder, "postfix", "start")
    return Said(
        "postfix.not-running", {"file": str(folder / "master.cf"), "endpoint": endpoint, "start": start}
    )
