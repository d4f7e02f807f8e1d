"""
A marked message, and where it was seen to arrive.

It is known by an id of its own in its header.  Whoever can read the receiver's mailboxes sees it come; else
the last that can be seen is that the next hop took it.
"""

from __future__ import annotations

import asyncio
import email.utils
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust.config import Config
from mailtrust.core.model.server import ServerName
from mailtrust.errors import MailtrustError
from mailtrust.transports.hub import queue_view

HEADER = "X-Mailtrust-Flow"
_LOOK_AGAIN_SECONDS = 0.1
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Marked:
    """A message that can be told from every other."""

    id: str
    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was seen of it."""

    place: str = ""
    """The file it lies in; empty where it was not seen to arrive."""
    server: ServerName | None = None
    """Whose mailbox or queue was looked into last; None where none can be looked into from here."""
    waits: str = ""
    """Why it waits in the queue of that server; empty where it does not."""
    took: timedelta = timedelta()


def marked(sender: ServerName, recipient: str, now: datetime) -> Marked:
    """A message to *recipient* with an id that nobody else has."""
    mark = secrets.token_hex(12)
    whom = recipient if "@" in recipient else f"{recipient}@{sender}"
    lines = (
        f"Message-ID: <flow.{mark}@{sender}>",
        f"{HEADER}: {mark}",
        f"Date: {email.utils.format_datetime(now)}",
        f"From: mailtrust flow <postmaster@{sender}>",
        f"To: <{whom}>",
        f"Subject: mailtrust flow {mark}",
        # RFC 3834 section 5: no vacation notice answers it.
        "Auto-Submitted: auto-generated",
        "",
        f"{sender} sent this to see whether mail flows. Nothing has to be done; delete it.",
        "",
    )
    return Marked(mark, recipient, "\r\n".join(lines).encode("ascii"))


async def arrival(
    message: Marked, beside: Iterable[tuple[ServerName, Config]], patience: timedelta
) -> Arrival:
    """
    Look for *message* where the servers of *beside* keep their mail, in the order of its way, until it came
    or *patience* is over.
    """
    # Another transport keeps its mail where no configuration of ours says.
    servers = tuple((name, config) for name, config in beside if config.transport.kind == "hub")
    if not servers:
        return Arrival()
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen = Arrival(server=servers[-1][0], took=patience)
    while loop.time() - began < patience.total_seconds():
        for name, config in reversed(servers):
            place = await asyncio.to_thread(_found, message, config.transport.maildir)
            if place is not None:
                return Arrival(str(place), name, took=timedelta(seconds=loop.time() - began))
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    for name, config in servers:
        why = await asyncio.to_thread(_waiting, config, message)
        if why:
            return Arrival(server=name, waits=why, took=patience)
    return seen


def _found(message: Marked, root: Path) -> Path | None:
    wanted = f"{HEADER}: {message.id}".encode("ascii")
    for file in root.glob("*/*/new/*"):
        with suppress(OSError), file.open("rb") as one:
            if wanted in one.read(_HEAD_BYTES):
                return file
    return None


def _waiting(config: Config, message: Marked) -> str:
    """Why a message like ours (no sender, that recipient) waits there; a queue's view shows no header."""
    with suppress(MailtrustError, OSError):
        view = queue_view(config.server.store)
        rows = [one for one in view if one.sender == "" and message.recipient in one.recipients]
        return next((f"{one.hop}: {one.last_reply or one.why}" for one in rows if one.why), "")
    return ""
