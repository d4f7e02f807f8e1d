"""
Who can reach whom: a cell for each sender and receiver.

Our own row is seen, in sessions of our own.  Every other cell is concluded: a receiver that we see well is
well for everybody, and a sender whose certificate stands on every replica is believed wherever it calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from mailtrust.core.checks.case import Case
from mailtrust.core.events import catalog
from mailtrust.core.flow.conclude import RECEIVING, SENDING, stands_everywhere, weight
from mailtrust.core.flow.hop import Hop, How, Trouble, Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.event import Event, Finding
from mailtrust.core.model.server import ServerName
from mailtrust.core.why import Facts


@dataclass(frozen=True, slots=True)
class Cell:
    """One sender, one receiver."""

    verdict: Verdict
    how: How
    stage: Stage | None = None
    """Where mail stops; None where it does not, or where that is not known."""
    event: Event | None = None
    """What stands in the way."""
    about: ServerName | None = None
    """Whose that is."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one server's copies say about it as a sender or as a receiver."""

    verdict: Verdict
    stage: Stage | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Everybody's mail to everybody."""

    here: ServerName
    servers: tuple[ServerName, ...]
    receiving: Mapping[ServerName, Side]
    sending: Mapping[ServerName, Side]
    seen: Mapping[ServerName, Hop] = field(default_factory=dict)
    """Our own sessions, by receiver."""

    def cell(self, sender: ServerName, receiver: ServerName) -> Cell | None:
        """None on the diagonal."""
        if sender == receiver:
            return None
        if sender == self.here and receiver in self.seen:
            hop = self.seen[receiver]
            trouble = hop.trouble or next(iter(hop.warnings), None)
            if trouble is None:
                return Cell(hop.verdict, How.SEEN)
            owner = trouble.finding.server if trouble.finding is not None else receiver
            return Cell(hop.verdict, How.SEEN, trouble.stage, trouble.event, owner)
        return self._concluded(sender, receiver)

    def row(self, sender: ServerName) -> Iterator[tuple[ServerName, Cell]]:
        """From one server to every other."""
        for receiver in self.servers:
            cell = self.cell(sender, receiver)
            if cell is not None:
                yield receiver, cell

    def counts(self) -> Mapping[Verdict, int]:
        """How many cells have which verdict; it costs what a row does, however many there are."""
        found = dict.fromkeys(Verdict, 0)
        own = dict(self.row(self.here)) if self.here in self.servers else {}
        for cell in own.values():
            found[cell.verdict] += 1
        others = [one for one in self.servers if one != self.here]
        senders = Counter(self.sending[one].verdict for one in others)
        receivers = Counter(self.receiving[one].verdict for one in self.servers)
        for (sends, many), (takes, more) in product(senders.items(), receivers.items()):
            found[_together(takes, sends)] += many * more
        for one in others:
            found[_together(self.receiving[one].verdict, self.sending[one].verdict)] -= 1
        return found

    def troubles(self) -> tuple[Trouble, ...]:
        """What stands in anybody's way, each once: what was seen from here first."""
        found: dict[tuple[ServerName, Event], Trouble] = {}
        for receiver, hop in self.seen.items():
            for one in ((hop.trouble,) if hop.trouble is not None else ()) + hop.warnings:
                owner = one.finding.server if one.finding is not None else receiver
                found.setdefault((owner, one.event), one)
        return tuple(found.values())

    def sides(self) -> Iterator[tuple[ServerName, Side]]:
        """The servers whose copies say that mail from or to them does not go, or that it cannot be told."""
        for one in self.servers:
            takes, sends = self.receiving[one], self.sending[one]
            if takes.verdict is not Verdict.FLOWS:
                yield one, takes
            if sends.verdict is not Verdict.FLOWS and sends.finding is not takes.finding:
                yield one, sends

    def _concluded(self, sender: ServerName, receiver: ServerName) -> Cell:
        theirs, ours = self.receiving[receiver], self.sending[sender]
        verdict = _together(theirs.verdict, ours.verdict)
        # In the order of a session: the receiver is met before it decides about its caller.
        side, who = (theirs, receiver) if theirs.verdict is verdict else (ours, sender)
        event = side.finding.event if side.finding is not None else None
        return Cell(verdict, How.CONCLUDED, side.stage, event, who if side.stage is not None else None)


def matrix(facts: Facts, seen: Mapping[ServerName, Hop], servers: Sequence[ServerName]) -> Matrix:
    """*facts* have the looks at everybody's listeners in their view, and the findings about all of them."""
    told: dict[ServerName, list[Finding]] = {one: [] for one in servers}
    for finding in (*facts.diagnosis.findings, *(one.finding for one in facts.diagnosis.silenced)):
        if finding.server in told:
            told[finding.server].append(finding)
    receiving, sending = {}, {}
    for one in servers:
        case = Case(one, facts.view, facts.policy, facts.now)
        receiving[one] = _receiving(case, told[one])
        sending[one] = _sending(case, told[one])
    return Matrix(facts.here, tuple(servers), receiving, sending, seen)


def _receiving(case: Case, told: Sequence[Finding]) -> Side:
    if not case.wires:
        return Side(Verdict.UNKNOWN)
    for event, stage in RECEIVING:
        for finding in told:
            if finding.event is event and (verdict := weight(finding, case)) is not Verdict.FLOWS:
                unproven = event is catalog.CLIENT_CERTIFICATE_NOT_ASKED
                return Side(Verdict.UNPROVEN if unproven else verdict, stage, finding)
    return Side(Verdict.FLOWS if stands_everywhere(case) else Verdict.UNKNOWN)


def _sending(case: Case, told: Sequence[Finding]) -> Side:
    for event in SENDING:
        for finding in told:
            if finding.event is event and (verdict := weight(finding, case)) is not Verdict.FLOWS:
                return Side(verdict, Stage.OUR_CERTIFICATE, finding)
    return Side(Verdict.FLOWS if stands_everywhere(case) else Verdict.UNKNOWN)


def _together(takes: Verdict, sends: Verdict) -> Verdict:
    """What holds for a pair: what blocks it, else what is known least, else that it proves nothing."""
    return next((one for one in _GRAVEST if one in (takes, sends)), Verdict.FLOWS)


_GRAVEST = (Verdict.BLOCKED, Verdict.UNKNOWN, Verdict.UNPROVEN)
