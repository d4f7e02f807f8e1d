"""The mail flow: why what waits does not go, with what to type; and who authenticated to whom, with what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response

from mailtrust.agent.mail_flow import MailFlow
from mailtrust.core.model.event import RuledOut
from mailtrust.core.traffic import Leg
from mailtrust.core.why import Direction, Why
from mailtrust.web.asked import Asked
from mailtrust.web.copies import Standing
from mailtrust.web.source import Corner
from mailtrust.web.watch import MAIL_DAYS

_MOST_LEGS = 200


@dataclass(frozen=True, slots=True)
class Blocked:
    """A next hop for which mail waits, and why."""

    why: Why
    route: str
    standing: Standing
    cause: str
    owner: str
    action: str
    command: str | None
    where: str
    """On which server to type it."""
    proof: tuple[str, ...]
    ruled_out: tuple[str, ...]
    unseen: tuple[str, ...]
    changed: tuple[str, ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Told:
    """One server's mail, as the page shows it."""

    flow: MailFlow
    standing: Standing
    blocked: tuple[Blocked, ...]
    unseen: tuple[str, ...]
    fine: tuple[str, ...]
    """Next hops for which nothing waits."""
    legs: tuple[Leg, ...]
    more: int
    """How many legs are not shown."""
    taken: int
    deferred: int


def show(asked: Asked) -> Response:
    """The page."""
    flows = [(one, one.mail) for one in asked.present.viewpoints if one.mail is not None]
    told = [_told(asked, corner, flow) for corner, flow in flows]
    outside = [server for server, corner in asked.present.corners.items() if corner.seen.viewpoint != server]
    return asked.render("mail.html.j2", told=told, outside=outside, days=MAIL_DAYS)


def _told(asked: Asked, corner: Corner, flow: MailFlow) -> Told:
    waiting = flow.waiting
    legs = flow.legs or ()
    blocked = tuple(_blocked(asked, corner, one) for one in (waiting.found if waiting is not None else ()))
    return Told(
        flow,
        _standing(flow, blocked),
        blocked,
        tuple(asked.texts.say(said) for said in (waiting.unseen if waiting is not None else ())),
        waiting.fine if waiting is not None else (),
        legs[:_MOST_LEGS],
        max(len(legs) - _MOST_LEGS, 0),
        sum(one.taken for one in legs),
        sum(one.deferrals for one in legs),
    )


def _standing(flow: MailFlow, blocked: Iterable[Blocked]) -> Standing:
    if any(one.standing is Standing.BAD for one in blocked):
        return Standing.BAD
    if flow.carries and flow.waiting is None:
        return Standing.UNKNOWN
    return Standing.GOOD if not any(True for _ in blocked) else Standing.WARNING


def _blocked(asked: Asked, corner: Corner, one: Why) -> Blocked:
    say, found = asked.texts.say, one.conclusion
    command = found.command
    if command is not None and command.startswith("mailtrust ") and not found.there:
        command = corner.typed(command)
    peer = one.peer or one.asked
    hop = one.blocked.hop if one.blocked is not None else ""
    return Blocked(
        one,
        peer if hop in ("", peer) else f"{peer} ({hop})",
        Standing.BAD if found.is_trouble else Standing.WARNING,
        say(found.why),
        say(found.owner.said(peer)),
        say(found.act),
        command,
        peer if found.there else corner.where,
        tuple(say(said) for said in one.proof),
        tuple(_ruled_out(asked, out) for out in one.ruled_out),
        tuple(say(said) for said in one.unseen),
        tuple(say(change.said) for change in one.changed[:5]),
        say(found.otherwise) if found.otherwise is not None else "",
    )


def _ruled_out(asked: Asked, out: RuledOut) -> str:
    """A direction is said in the sentence itself; a cause goes by its code, which is never translated."""
    said = asked.texts.say(out.why)
    return said if out.cause in list(Direction) else f"{out.cause}: {said}"
