"""What was seen, as sentences of proof: where, when, and from which address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtrust.core.exchange.case import Case, Standing, shown, some, thumb
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.sighting import WireFailure, WireSighting


def directory(case: Case, standings: Iterable[Standing] | None = None) -> tuple[Said, ...]:
    """What stands where: controllers that hold the same in one sentence, and those that did not answer."""
    groups: dict[tuple[object, ...], list[Standing]] = {}
    for one in case.standings if standings is None else standings:
        groups.setdefault((one.name, one.stamp, one.told), []).append(one)
    return (*(_stands(case, group) for group in groups.values()), *_unread(case))


def _stands(case: Case, group: list[Standing]) -> Said:
    first = group[0]
    values = {
        "controllers": some(case.label(one.controller) for one in group),
        "seen": when(max(one.look.seen_at for one in group)),
        "at": when(first.written_at) if first.written_at else "-",
    }
    if first.leaf is not None:
        return Said("proof.stands", {**values, **described(first.leaf)})
    if first.garbage is not None:
        size = str(first.garbage.size_bytes)
        return Said("proof.garbage", {**values, "digest": short(first.garbage.digest), "size": size})
    if first.stamp is not None:
        writer = {"writer": _writer(case, first), "version": str(first.stamp.version)}
        return Said("proof.taken-out", {**values, **writer})
    return Said("proof.never-written" if first.told else "proof.empty", values)


def _writer(case: Case, standing: Standing) -> str:
    """The controller where it was written, by the name of its database."""
    signed = standing.stamp.writer if standing.stamp else ""
    known = [one for one in case.organization.controllers if signed and one.writer == signed]
    return case.label(known[0]) if known else signed or "-"


def _unread(case: Case) -> Iterator[Said]:
    looks = {look.place: look.why for look in case.server.published}
    for one in case.unread:
        why = one.why or looks.get(one.url) or "-"
        yield Said("proof.unread", {"controller": case.label(one), "why": why})


def wire(case: Case, looks: Iterable[WireSighting]) -> tuple[Said, ...]:
    """What the looks at endpoints came to; endpoints that showed the same in one sentence."""
    groups: dict[tuple[object, ...], list[WireSighting]] = {}
    for look in looks:
        key = (look.verb, look.found, look.failure, look.phase, look.why, case.source(look))
        groups.setdefault(key, []).append(look)
    return tuple(_looked(case, group) for group in groups.values())


def _looked(case: Case, group: list[WireSighting]) -> Said:
    look = group[0]
    values = {
        "endpoint": some(one.place for one in group),
        "verb": look.verb,
        "seen": when(max(one.seen_at for one in group)),
        "source": case.source(look) or "-",
    }
    if look.found:
        return Said("proof.presented", {**values, **described(look.found[0]), "protocol": look.protocol})
    if look.failure is WireFailure.NOT_OFFERED:
        return Said("proof.not-offered", values)
    return Said("proof.not-reached", {**values, "phase": look.phase, "why": look.why or "-"})


def presented(case: Case, leaves: Iterable[Certificate]) -> tuple[Said, ...]:
    """The looks that showed one of *leaves*."""
    wanted = set(leaves)
    return wire(case, (look for look, leaf in shown(case.server.wires) if leaf in wanted))


def own_view(case: Case) -> tuple[Said, ...]:
    """What the server itself reads from the directory, where the collector asked it."""
    collected, view = case.server.collected, case.own_view
    if collected is None or view is None:
        return ()
    values = {"file": collected.place, "at": when(collected.collected_at)}
    if not view:
        return (case.say("proof.reads-nothing", **values),)
    return (case.say("proof.reads", **values, thumbprint=view[:12].upper()),)


def stored(case: Case, thumbprint: str) -> tuple[Said, ...]:
    """What the collector saw of a certificate in the server's own store; nothing where it did not look."""
    collected = case.server.collected
    if collected is None or collected.certificates is None:
        return ()
    held = case.stored(thumbprint)
    if held is None:
        phrase = "proof.not-stored"
    elif held.has_key is False:
        phrase = "proof.stored-without-key"
    elif held.network_service_reads is False:
        phrase = "proof.stored-without-right"
    else:
        phrase = "proof.stored"
    values = {"file": collected.place, "at": when(collected.collected_at)}
    return (case.say(phrase, **values, thumbprint=thumbprint[:12].upper()),)


def logged(case: Case, *codes: int) -> tuple[Said, ...]:
    """What its own event log says about it: the last entry of each code, and how often."""
    entries = (case.server.collected.logged if case.server.collected else None) or ()
    found = []
    for code in codes:
        times = sorted(entry.at for entry in entries if entry.code == code)
        if times:
            values = {"code": str(code), "count": str(len(times)), "at": when(times[-1])}
            found.append(Said("proof.logged", values))
    return tuple(found)


def described(leaf: Certificate) -> dict[str, str]:
    """The values by which a sentence tells one certificate from another."""
    return {
        "thumbprint": thumb(leaf),
        "subject": leaf.subject or "-",
        "ends": when(leaf.not_after)[:10],
        "fingerprint": short(leaf.fingerprint),
    }
