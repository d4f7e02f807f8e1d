"""
Why does this mail not go?  From the stuck mail to the proven cause, and whose job it is.

There are three ways to be in the way: they do not believe us, we do not believe them, or nobody listens.
The queue's last word says which to ask first; what we see now decides, for the queue may be an hour old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import RuledOut, Said, when
from mailtrust.core.model.sighting import ReplicaSighting, WireFailure
from mailtrust.core.why.changed import changes
from mailtrust.core.why.facts import Facts
from mailtrust.core.why.nobody import nobody_listens
from mailtrust.core.why.stuck import Complaint, Stuck, Waiting, complaint, stuck
from mailtrust.core.why.they_refuse import they_refuse
from mailtrust.core.why.value import Change, Column, Conclusion, Copy, Direction, Owner, Why
from mailtrust.core.why.we_refuse import we_refuse

__all__ = [
    "Change", "Column", "Complaint", "Conclusion", "Copy", "Direction", "Facts", "Owner", "Stuck", "Waiting",
    "Why",
    "complaint", "stuck", "why",
]  # fmt: skip

_Question = Callable[[Facts], Conclusion | None]
_AS_ASKED: tuple[_Question, ...] = (nobody_listens, we_refuse, they_refuse)
"""In the order of a session: connect, see whom one met, be believed."""
_FIRST: dict[Complaint, _Question] = {
    Complaint.THEY_REFUSE: they_refuse, Complaint.THEIR_VIEW_IS_OLD: they_refuse,
    Complaint.THEIR_TABLES: they_refuse, Complaint.THEIR_TLS: they_refuse,
    Complaint.WE_REFUSE: we_refuse, Complaint.OUR_VIEW_IS_OLD: we_refuse, Complaint.OUR_TABLES: we_refuse,
    Complaint.OUR_TRANSPORT: we_refuse, Complaint.OUR_TLS: we_refuse,
}  # fmt: skip


def why(asked: str, facts: Facts, fine: tuple[str, ...] = ()) -> Why:
    """The answer about what waits for *facts*' peer; *fine* are the next hops for which nothing waits."""
    found = _conclusion(facts)
    return Why(
        asked, facts.here, facts.peer if facts.known else None, facts.now, facts.stuck, found,
        tuple(_copies(facts, found)), tuple(_proof(facts, found)), tuple(_ruled_out(facts, found)),
        changes(facts), tuple(_unseen(facts, found)), tuple(_looked(facts)), fine,
    )  # fmt: skip


def _conclusion(facts: Facts) -> Conclusion:
    asked = facts.stuck.complaint if facts.stuck else Complaint.UNTRIED
    stopped = _we_are_down(facts)
    if stopped is not None:
        return stopped
    if asked in (Complaint.LOCAL, Complaint.NO_ROUTE, Complaint.OTHER):
        return _elsewhere(facts, asked)
    first = _FIRST.get(asked)
    questions = ((first,) if first else ()) + tuple(one for one in _AS_ASKED if one is not first)
    found = (question(facts) for question in questions)
    return next((one for one in found if one is not None), None) or _quiet(facts)


def _we_are_down(facts: Facts) -> Conclusion | None:
    """Mail waits because nobody here sends it: our own process does not run."""
    wires = facts.ours.wires
    if facts.stuck is None or not facts.one_process or not wires:
        return None
    if not all(wire.failure is WireFailure.UNREACHABLE and wire.phase == "connect" for wire in wires):
        return None
    return Conclusion(
        "ours-down", Direction.ELSEWHERE, Owner.HERE,
        facts.say("why.ours-down", endpoint=wires[0].place, why=wires[0].why), facts.say("act.start"),
        facts.restart or None, facts.finding(facts.here, catalog.SERVER_UNREACHABLE),
        otherwise=facts.say("else.certificates-are-fine"),
    )  # fmt: skip


def _elsewhere(facts: Facts, asked: Complaint) -> Conclusion:
    """What waits, and not for trust."""
    said = facts.stuck.spokesman.said if facts.stuck else ""
    if asked is Complaint.LOCAL:
        return Conclusion(
            "local",
            Direction.ELSEWHERE,
            Owner.HERE,
            facts.say("why.local", said=said),
            facts.say("act.local"),
        )
    if asked is Complaint.NO_ROUTE:
        domains = ", ".join(facts.stuck.domains if facts.stuck else ())
        return Conclusion(
            "no-route", Direction.ELSEWHERE, Owner.HERE, facts.say("why.no-route", domains=domains),
            facts.say("act.no-route"),
        )  # fmt: skip
    if facts.stuck and not facts.stuck.spokesman.answer:
        # Never the peer's doing: it was not even asked.
        return Conclusion(
            "own-words", Direction.ELSEWHERE, Owner.HERE, facts.say("why.own-words"),
            facts.say("act.own-words"), facts.look_again,
        )  # fmt: skip
    return Conclusion(
        "not-trust",
        Direction.ELSEWHERE,
        Owner.PEER,
        facts.say("why.not-trust"),
        facts.say("act.not-trust"),
        facts.look_again,
    )


def _quiet(facts: Facts) -> Conclusion:
    """Nothing that we can see stands in the way: it went, it will go, or it is not for us to see."""
    if facts.stuck is None:
        if any(_unseen(facts)):
            return Conclusion(
                "nothing-seen", Direction.NONE, Owner.NOBODY, facts.say("why.nothing-seen"),
                facts.say("act.look-again"), facts.look_again,
            )  # fmt: skip
        return Conclusion(
            "nothing", Direction.NONE, Owner.NOBODY, facts.say("why.nothing"), facts.say("act.nothing")
        )
    next_try = facts.stuck.next_try
    act = facts.say("act.next-try", until=when(next_try)) if next_try else facts.say("act.try-now")
    return Conclusion(
        "over", Direction.NONE, Owner.NOBODY, facts.say("why.over"), act, "mailtrust why --queue",
        until=next_try,
    )  # fmt: skip


def _copies(facts: Facts, found: Conclusion) -> Iterator[Copy]:
    """The three copies of the certificate that it is about, in their order."""
    if found.about is None:
        return
    server, leaf = found.about
    case = facts.ours if server == facts.here else facts.theirs
    store = case.store
    if store is not None:
        held = None if store.found is None else any(one.certificate == leaf for one in store.found)
        yield Copy(Column.INSTALLED, store.place, held)
    for wire in case.wires:
        there = None if wire.found is None else leaf in wire.found
        # Without TLS nothing is presented: that was seen.
        there = False if wire.failure is WireFailure.NOT_OFFERED else there
        yield Copy(Column.PRESENTED, wire.place, there)
    for look in case.replicas:
        yield Copy(Column.PUBLISHED, look.place, None if look.found is None else leaf.pin in look.pins)


def _proof(facts: Facts, found: Conclusion) -> Iterator[Said]:
    if facts.stuck is not None and facts.stuck.spokesman.said:
        one = facts.stuck.spokesman
        yield facts.say("proof.they-said" if one.answer == one.said else "proof.queue-says", said=one.said)
    yield from found.evidence
    yield from found.finding.evidence if found.finding is not None else ()


def _ruled_out(facts: Facts, found: Conclusion) -> Iterator[RuledOut]:
    """The other two ways of being in the way, where they were looked at; then the event's other causes."""
    wire = facts.wire
    if not found.is_trouble or found.direction is Direction.ELSEWHERE:
        return
    if found.direction is not Direction.NOBODY and wire is not None and wire.found is not None:
        yield RuledOut(
            Direction.NOBODY, facts.wire_said(wire, "exonerated.reached", protocol=wire.protocol or "TLS")
        )
    met, home = facts.met, facts.theirs.home
    if (
        found.direction is not Direction.WE_REFUSE
        and met is not None
        and home is not None
        and met.pin in home.pins
    ):
        yield RuledOut(
            Direction.WE_REFUSE,
            facts.say("exonerated.theirs-stands", fingerprint=short(met.fingerprint), place=home.place),
        )
    ours, shown = facts.ours, facts.shown
    if found.direction is not Direction.THEY_REFUSE and shown is not None:
        holding = ours.publishing(shown.pin)
        if holding and len(holding) == len(ours.replicas):
            yield RuledOut(
                Direction.THEY_REFUSE,
                facts.say(
                    "exonerated.ours-stands", fingerprint=short(shown.fingerprint), count=str(len(holding))
                ),
            )
    if found.finding is not None:
        yield from found.finding.ruled_out


def _unseen(facts: Facts, found: Conclusion | None = None) -> Iterator[Said]:
    yield from facts.unseen
    store = facts.ours.store
    if store is not None and store.found is None:
        yield facts.say("unlooked.store", place=store.place, why=store.why)
    for look in facts.theirs.replicas or facts.ours.replicas:
        if look.found is None:
            yield facts.say("unlooked.replica", place=look.place, why=look.why)
    # What the answer is about need not be said twice.
    wires = () if found is not None and found.direction is Direction.NOBODY else facts.theirs.wires
    for wire in wires:
        if wire.found is None:
            yield facts.say("unlooked.wire", endpoint=wire.place, why=wire.why)
    if not facts.theirs.wires:
        yield facts.say("unlooked.no-wire")


def _looked(facts: Facts) -> Iterator[Said]:
    readable = facts.theirs.readable
    if readable:
        yield facts.say(
            "looked.replicas",
            count=str(len(readable)),
            total=str(len(facts.theirs.replicas)),
            seen=when(_latest(readable)),
        )
    for wire in facts.theirs.wires:
        for leaf in wire.found or ():
            yield facts.wire_said(
                wire, "looked.wire", fingerprint=short(leaf.fingerprint), protocol=wire.protocol or "TLS"
            )
    shown = facts.shown
    if shown is not None:
        holding = facts.ours.publishing(shown.pin)
        yield facts.say(
            "looked.ours", fingerprint=short(shown.fingerprint), count=str(len(holding)),
            total=str(len(facts.ours.replicas)),
        )  # fmt: skip


def _latest(looks: tuple[ReplicaSighting, ...]) -> datetime:
    return max(look.seen_at for look in looks)
