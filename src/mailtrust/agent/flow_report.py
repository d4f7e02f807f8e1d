"""What `mailtrust flow` gives to programs: the schema ``mailtrust.flow/1``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mailtrust.agent.flow import Flow
from mailtrust.agent.report import moment
from mailtrust.core.flow import Hop, Line, Trouble
from mailtrust.texts import Texts

FLOW_SCHEMA = "mailtrust.flow/1"


def flow_report(told: Flow, texts: Texts) -> dict[str, Any]:
    """The whole way, hop by hop."""
    trouble = next((one.trouble for one in told.hops if one.trouble is not None), None)
    message, seen = told.message, told.arrival
    return {
        "schema": FLOW_SCHEMA,
        "at": moment(told.at),
        "from": told.sender,
        "to": told.asked,
        "verdict": told.verdict.value,
        "event": trouble.event.code if trouble is not None else None,
        "stage": trouble.stage.value if trouble is not None else None,
        "hops": [hop_report(one, number, texts) for number, one in enumerate(told.hops, 1)],
        "ends": texts.say(told.ends) if told.ends is not None else None,
        "message": None if message is None else {
            "id": message.id,
            "recipient": message.recipient,
            "arrived": bool(seen and seen.place),
            "place": seen.place or None if seen is not None else None,
            "server": seen.server if seen is not None else None,
            "waits": seen.waits or None if seen is not None else None,
        },
        "notes": [texts.say(one) for one in told.notes],
    }  # fmt: skip


def hop_report(hop: Hop, number: int, texts: Texts) -> dict[str, Any]:
    """One hop."""
    return {
        "number": number,
        "from": hop.sender,
        "to": hop.receiver,
        "endpoint": str(hop.endpoint) if hop.endpoint is not None else None,
        "route": texts.say(hop.route) if hop.route is not None else None,
        "how": hop.how.value,
        "verdict": hop.verdict.value,
        "stages": [_line(one, texts) for one in hop.lines],
        "trouble": trouble_report(hop.trouble, texts) if hop.trouble is not None else None,
        "warnings": [trouble_report(one, texts) for one in hop.warnings],
    }


def trouble_report(one: Trouble, texts: Texts) -> dict[str, Any]:
    """What stands in the way, or is wrong all the same."""
    finding = one.finding
    return {
        "stage": one.stage.value,
        "event": one.event.code,
        "name": one.event.name,
        "severity": one.severity.value,
        "cause": one.cause,
        "message": texts.say(one.why),
        "event_message": texts.message(finding) if finding is not None else None,
        "evidence": [texts.say(said) for said in one.evidence],
        "owner": one.owner.value,
        "action": texts.say(one.act),
        "command": one.command,
        "typed_at": "peer" if one.there else "here",
        "otherwise": texts.say(one.otherwise) if one.otherwise is not None else None,
        "explain": f"mailtrust explain {one.event.code}",
    }


def _line(line: Line, texts: Texts) -> dict[str, Any]:
    return {
        "stage": line.stage.value,
        "state": line.state.value,
        "how": line.how.value,
        "ms": _milliseconds(line.took),
        "slow_over_ms": _milliseconds(line.limit),
        "words": line.words,
        "said": [texts.say(one) for one in line.said],
    }


def _milliseconds(took: timedelta | None) -> float | None:
    return None if took is None else round(took / timedelta(milliseconds=1), 1)
