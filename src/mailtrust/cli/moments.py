"""Moments as people write them: a date and time, or how long ago or ahead."""

from __future__ import annotations

from datetime import UTC, datetime

from mailtrust.config import duration
from mailtrust.errors import BadInput


def moment_past(text: str, now: datetime) -> datetime:
    """``2026-06-01T12:00Z``, or ``2h`` for two hours ago.  Raises: BadInput."""
    try:
        return now - duration(text)
    except BadInput:
        return _moment(text)


def moment_ahead(text: str, now: datetime) -> datetime:
    """``2026-06-01T12:00Z``, or ``2h`` for in two hours.  Raises: BadInput, also for what is past."""
    try:
        found = now + duration(text)
    except BadInput:
        found = _moment(text)
    if found <= now:
        raise BadInput(f"{text!r} is not ahead of us")
    return found


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "write a moment like 2026-06-01T12:00Z, or a length of time like 2h"
        raise BadInput(f"{text!r} is not a time", hint=hint) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
