"""
Parts that go on by themselves: one that falls gets up again, and none takes another one with it.

A part that ends, for whatever reason, is begun anew after a pause; the pauses grow while it goes on falling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from mailtrust.directory.pauses import LONGEST, pauses
from mailtrust.errors import MailtrustError

Fell = Callable[[str, str], None]
"""Told the part's name, and why it ended."""

FIRST_PAUSE = timedelta(seconds=1)


async def kept_going(
    name: str,
    work: Callable[[], Awaitable[None]],
    fell: Fell,
    *,
    until: asyncio.Event,
    first_pause: timedelta = FIRST_PAUSE,
) -> None:
    """Do *work* again and again until *until* is set; while it is at work it has to see to that itself."""
    loop = asyncio.get_running_loop()
    waits = pauses(first_pause)
    while not until.is_set():
        began = loop.time()
        why = await _why_it_ended(name, work)
        if until.is_set():
            return
        if loop.time() - began > LONGEST.total_seconds():
            waits = pauses(first_pause)
        fell(name, why)
        await pause(next(waits), until)


async def pause(length: timedelta, until: asyncio.Event) -> None:
    """Sleep that long, and no longer than until *until* is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), length.total_seconds())


async def _why_it_ended(name: str, work: Callable[[], Awaitable[None]]) -> str:
    try:
        await work()
    except MailtrustError as error:
        return sentence(error)
    except Exception as fault:  # noqa: BLE001  # whatever it is, the others go on
        return told_fault(f"{name} met a fault", fault)
    return "it ended"


def sentence(error: MailtrustError) -> str:
    """What went wrong, and what next."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def told_fault(what: str, fault: Exception) -> str:
    """A fault of our own in a sentence; the loop's exception handler gets it whole."""
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": fault})
    return f"this is a fault in mailtrust ({type(fault).__name__}: {fault})"
