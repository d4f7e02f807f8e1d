"""What `mailtrust why` gives to programs: the schema ``mailtrust.why/1``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mailtrust.agent.report import moment
from mailtrust.agent.why import Answers
from mailtrust.core.why import Conclusion, Stuck, Why
from mailtrust.texts import Texts

WHY_SCHEMA = "mailtrust.why/1"


def why_report(answers: Answers, texts: Texts) -> dict[str, Any]:
    """All answers, the one that matters most first."""
    return {
        "schema": WHY_SCHEMA,
        "answers": [_answer(one, texts) for one in answers.found],
        "fine": list(answers.fine),
        "unseen": [texts.say(said) for said in answers.unseen],
    }


def _answer(one: Why, texts: Texts) -> dict[str, Any]:
    return {
        "asked": one.asked,
        "server": one.here,
        "peer": one.peer,
        "judged_at": moment(one.judged_at),
        "blocked": _blocked(one.blocked) if one.blocked is not None else None,
        **_conclusion(one.conclusion, texts),
        "copies": [
            {"copy": copy.column.value, "place": copy.place, "there": copy.there} for copy in one.copies
        ],
        "proof": [texts.say(said) for said in one.proof],
        "ruled_out": [{"cause": out.cause, "why": texts.say(out.why)} for out in one.ruled_out],
        "changed": [{"at": moment(change.at), "what": texts.say(change.said)} for change in one.changed],
        "looked": [texts.say(said) for said in one.looked],
        "unseen": [texts.say(said) for said in one.unseen],
    }


def _blocked(held: Stuck) -> dict[str, Any]:
    return {
        "hop": held.hop or None,
        "domains": list(held.domains),
        "messages": held.count,
        "since": moment(held.since),
        "bounces_at": _moment(held.bounces_at),
        "next_try": _moment(held.next_try),
        "complaint": held.complaint.value,
        "said": held.spokesman.said or None,
    }


def _conclusion(found: Conclusion, texts: Texts) -> dict[str, Any]:
    finding = found.finding
    return {
        "conclusion": found.code,
        "direction": found.direction.value,
        "message": texts.say(found.why),
        "event": finding.event.code if finding is not None else None,
        "cause": finding.cause if finding is not None else None,
        "place": finding.place if finding is not None else None,
        "fingerprint": found.about[1].fingerprint if found.about is not None else None,
        "owner": found.owner.value,
        "action": texts.say(found.act),
        "command": found.command,
        "typed_at": "peer" if found.there else "here",
        "otherwise": texts.say(found.otherwise) if found.otherwise is not None else None,
        "until": _moment(found.until),
    }


def _moment(at: datetime | None) -> str | None:
    return moment(at) if at is not None else None
