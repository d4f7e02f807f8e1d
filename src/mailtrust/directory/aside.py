"""
Work that may never come back, on a thread of its own, so that nobody has to wait for it.

A library that asks another machine, or a key ring that asks a person, blocks its thread for as long as it
likes.  On the event loop's own threads a few such calls would stop every other file that is to be read, and
the program would wait for them before it ends.  Here the caller leaves when his patience does; the thread
goes when the call does, or with the program.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

_Result = TypeVar("_Result")


async def aside(work: Callable[[], _Result]) -> _Result:
    """What *work* returns or raises.  Cancelling leaves it to itself; what it returns then is dropped."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Result] = loop.create_future()

    def run() -> None:
        try:
            ended = partial(_succeed, done, work())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            ended = partial(_fail, done, error)
        # By then the loop may be over.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended)
        # An error holds this frame: without a ring both go at once, and what they hold.
        del ended

    threading.Thread(target=run, name="mailtrust-aside", daemon=True).start()
    return await done


def _succeed(done: asyncio.Future[_Result], result: _Result) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[_Result], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
