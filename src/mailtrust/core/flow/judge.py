"""
From a trace to a hop: which stage failed first, and why.

A session that goes on although something is wrong with our own certificate proves that the receiver does not
decide by it.  So what is wrong there counts as the reason only once the receiver has said no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.flow import evidence
from mailtrust.core.flow.hop import Hop, How, Line, State, Trouble, Verdict, slow, trouble_of
from mailtrust.core.flow.stages import BEFORE, OF_A_MESSAGE, TIMED_LIMITS, Memory, Passage, Stage, Stop, Trace
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Stranger, Trusted
from mailtrust.core.model.trust import Verdict as Belief
from mailtrust.core.why import Facts, Waiting, stuck
from mailtrust.core.why.nobody import nobody_listens
from mailtrust.core.why.they_refuse import they_refuse
from mailtrust.core.why.we_refuse import we_refuse

_INSIDE = (Stage.MAIL, Stage.RCPT, Stage.MESSAGE)
"""Where the receiver decides about us."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Whom our transport would believe by what it knows."""

    belief: Belief | None
    """About what the receiver presented; None where no picture of the directory could be had."""
    allowed: frozenset[ServerName] | None = None
    """Who may answer at this next hop, where the transport is told so; None: anybody who is published."""
    too_old: bool = False
    """True where the transport believes nobody, because its picture is too old."""

    @property
    def is_good(self) -> bool:
        """True where our mail would be handed over."""
        if self.too_old or not isinstance(self.belief, Trusted):
            return False
        return self.allowed is None or self.belief.server in self.allowed


def judge(trace: Trace, facts: Facts, picture: Picture, memory: Memory, *, sends: bool = False) -> Hop:
    """
    The hop that *trace* shows.  *facts* have the look at the receiver's listener folded into their view.

    *sends*: a message was to be handed over.
    """
    return _Judgement(trace, facts, picture, memory, sends=sends).hop()


class _Judgement:
    def __init__(self, trace: Trace, facts: Facts, picture: Picture, memory: Memory, *, sends: bool) -> None:
        self._trace = trace
        self._facts = facts
        self._picture = picture
        self._memory = memory
        without = (Stage.RSET,) if sends else OF_A_MESSAGE
        self._stages = tuple(one for one in Stage if one not in without and one is not Stage.ARRIVAL)

    def hop(self) -> Hop:
        trace, facts = self._trace, self._facts
        ours = self._ours()
        failed = evidence.at_its_address(self._in_the_way(ours), facts, trace)
        warnings = tuple(self._warnings(ours, failed))
        return Hop(
            facts.here, facts.peer, trace.endpoint,
            tuple(self._line(stage, failed, warnings) for stage in self._stages),
            failed, warnings, How.SEEN, self._verdict(failed, warnings),
        )  # fmt: skip

    # What failed

    def _in_the_way(self, ours: Trouble | None) -> Trouble | None:
        stopped = self._trace.stopped_at
        if stopped is not None and stopped in BEFORE:
            return self._before_tls(stopped)
        theirs = self._theirs()
        if theirs is not None or stopped is None:
            return theirs or self._not_what_mail_shows(ours)
        passage = self._trace.passages[stopped]
        if stopped is Stage.QUIT or stopped is Stage.RSET:
            return None
        if passage.stop is Stop.REFUSED and stopped in _INSIDE:
            return self._refused(stopped, passage, ours)
        return evidence.broken(self._facts, self._trace, stopped, passage)

    def _before_tls(self, stopped: Stage) -> Trouble | None:
        if self._trace.passages[stopped].stop is Stop.OUR_LIMIT:
            return None
        if evidence.is_offered_and_not_granted(self._trace):
            return evidence.not_granted(self._facts, self._trace)
        found = nobody_listens(self._facts)
        assert found is not None  # noqa: S101  # the look at the listener failed
        if self._trace.passages[stopped].stop is not Stop.NO_VERB:
            told = trouble_of(stopped, found, catalog.SERVER_UNREACHABLE)
            return evidence.in_its_words(told, self._facts, self._trace)
        proof = tuple(evidence.of_a_vanished_verb(self._facts, self._trace, self._memory))
        return trouble_of(stopped, found, catalog.TLS_NOT_OFFERED, *proof)

    def _theirs(self) -> Trouble | None:
        """Why we would not give our mail to whoever answered."""
        picture, facts, trace = self._picture, self._facts, self._trace
        if Stage.HANDSHAKE not in trace.passages or picture.is_good:
            return None
        found = we_refuse(facts)
        if found is not None:
            proof = evidence.presented_there(facts, trace)
            return trouble_of(Stage.THEIR_CERTIFICATE, found, catalog.PEER_NOT_TRUSTED_OUTBOUND, *proof)
        return evidence.not_believed(facts, trace, picture.belief)

    def _ours(self) -> Trouble | None:
        """What is wrong with our own certificate, whether or not anybody minds."""
        if self._trace.asked is None:
            return None
        # What the receiver says is judged by itself: here is asked what we can see.
        found = they_refuse(self._facts)
        if found is not None:
            return trouble_of(Stage.OUR_CERTIFICATE, found, catalog.PEER_NOT_TRUSTED_INBOUND)
        return evidence.nothing_to_show(self._facts) if self._trace.shown is None else None

    def _not_what_mail_shows(self, ours: Trouble | None) -> Trouble | None:
        """The receiver took what the store calls current; our mail server presents something else."""
        shown, real = self._trace.shown, self._facts.ours.presented
        differs = shown is not None and any(leaf.pin != shown.pin for leaf in real)
        return ours if differs else None

    def _refused(self, stopped: Stage, passage: Passage, ours: Trouble | None) -> Trouble:
        facts = self._facts
        waiting = Waiting("-", facts.hop, (), facts.now, passage.said)
        told = replace(facts, stuck=stuck((waiting,))[0])
        if not evidence.is_about_trust(passage.said):
            return evidence.refused(facts, self._trace, stopped, passage)
        if ours is not None:
            return replace(ours, evidence=(*ours.evidence, evidence.answer(facts, stopped, passage)))
        found = they_refuse(told)
        if found is None:
            return evidence.refused(facts, self._trace, stopped, passage)
        event = evidence.event_in(passage.said) or catalog.PEER_NOT_TRUSTED_INBOUND
        return trouble_of(stopped, found, event, evidence.answer(facts, stopped, passage))

    def _warnings(self, ours: Trouble | None, failed: Trouble | None) -> Iterator[Trouble]:
        trace, facts = self._trace, self._facts
        if trace.dead:
            yield evidence.dead_addresses(facts, trace)
        if failed is None or failed.stage is not Stage.VERBS:
            yield from evidence.vanished(facts, trace, self._memory)
        belief = self._picture.belief
        if failed is None and facts.home is not None and facts.home.found is None:
            blind = we_refuse(facts)
            assert blind is not None  # noqa: S101  # that is the first it looks for
            yield trouble_of(Stage.THEIR_CERTIFICATE, blind, catalog.REPLICA_UNREADABLE)
        if failed is None and isinstance(belief, Trusted) and facts.known and belief.server != facts.peer:
            yield evidence.another_answers(facts, trace, belief.server)
        if ours is not None and (failed is None or failed.stage is not Stage.OUR_CERTIFICATE):
            yield ours
        for stage, one in trace.passages.items():
            if one.stop is None and stage in TIMED_LIMITS and one.took > TIMED_LIMITS[stage]:
                yield slow(stage, one.took, facts.peer, str(trace.endpoint))

    def _verdict(self, failed: Trouble | None, warnings: tuple[Trouble, ...]) -> Verdict:
        if failed is not None:
            return Verdict.BLOCKED
        if self._trace.stopped_at in BEFORE:
            return Verdict.UNKNOWN
        if self._trace.asked is False or self._trace.shown is None:
            return Verdict.UNPROVEN
        is_slow = any(one.event is catalog.FLOW_STAGE_SLOW for one in warnings)
        return Verdict.SLOW if is_slow else Verdict.FLOWS

    # The lines

    def _line(self, stage: Stage, failed: Trouble | None, warnings: tuple[Trouble, ...]) -> Line:
        passage = self._trace.passages.get(stage)
        state = self._state(stage, passage, failed, warnings)
        if stage is Stage.THEIR_CERTIFICATE:
            return Line(stage, state, said=tuple(self._said_of_theirs()))
        if stage is Stage.OUR_CERTIFICATE:
            return Line(stage, state, said=tuple(self._said_of_ours()))
        if passage is None:
            return Line(stage, state)
        if passage.stop is Stop.NO_VERB and not passage.said:
            return Line(stage, state, took=passage.took, said=(self._facts.say("flow.no-verb"),))
        return Line(stage, state, took=passage.took, words=words(self._trace, stage, passage))

    def _state(
        self, stage: Stage, passage: Passage | None, failed: Trouble | None, warnings: tuple[Trouble, ...]
    ) -> State:
        if failed is not None and failed.stage is stage:
            return State.FAILED
        if not self._came_to(stage):
            return State.NOT_REACHED
        if passage is not None and passage.stop is not None:
            # What is said after the mail was taken, or not taken, changes nothing.
            at_the_end = stage in (Stage.RSET, Stage.QUIT)
            return State.WARNING if at_the_end else State.FOLLOWS if failed is not None else State.UNKNOWN
        told = [one for one in warnings if one.stage is stage]
        if any(one.event is not catalog.FLOW_STAGE_SLOW for one in told):
            return State.WARNING
        return State.SLOW if told else State.OK

    def _came_to(self, stage: Stage) -> bool:
        trace = self._trace
        if stage is Stage.THEIR_CERTIFICATE:
            return bool(trace.leaf or trace.unreadable)
        if stage is Stage.OUR_CERTIFICATE:
            return trace.asked is not None and Stage.EHLO_AGAIN in trace.passages
        return stage in trace.passages

    def _said_of_theirs(self) -> Iterator[Said]:
        trace, facts = self._trace, self._facts
        leaf = trace.leaf
        if leaf is None:
            return
        values = {"fingerprint": short(leaf.fingerprint)}
        belief = self._picture.belief
        owner = belief.server if isinstance(belief, Trusted) else ""
        phrase = "flow.theirs-of" if owner else "flow.theirs-nobody"
        if belief is None:
            phrase = "flow.theirs-unjudged"
        yield facts.say(phrase, owner=owner, **values)
        if isinstance(belief, (Trusted, Stranger)):
            yield evidence.standing(facts, facts.theirs, leaf)
        if leaf.not_after <= facts.now:
            yield facts.say("flow.theirs-ended", at=when(leaf.not_after))

    def _said_of_ours(self) -> Iterator[Said]:
        trace, facts = self._trace, self._facts
        if trace.asked is None:
            return
        if not trace.asked:
            yield facts.say("flow.not-asked")
        if trace.shown is None:
            yield facts.say("flow.nothing-to-show")
            return
        phrase = "flow.shown" if trace.asked else "flow.not-shown"
        yield facts.say(phrase, fingerprint=short(trace.shown.fingerprint))
        yield evidence.standing(facts, facts.ours, trace.shown)


def words(trace: Trace, stage: Stage, passage: Passage) -> str:
    """What a stage's line shows: of a greeting what it offers, else what was said."""
    if passage.stop is None:
        match stage:
            case Stage.EHLO:
                return ", ".join(trace.offered or ()) or passage.said
            case Stage.EHLO_AGAIN:
                return ", ".join(trace.offered_inside or ()) or passage.said
            case Stage.VERBS:
                return ": ".join(filter(None, (trace.verb, passage.said)))
    return passage.said


def took_together(hop: Hop) -> timedelta:
    """All stages of a hop."""
    return sum((one.took for one in hop.lines if one.took is not None), timedelta())
