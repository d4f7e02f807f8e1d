"""
The message that tells a sender what could not be delivered (RFC 3464).

It comes from the null sender, and nobody is told about a message from the null sender: so two broken
servers never answer each other's bounces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from mailtrust.core.model.server import ServerName
from mailtrust.transports.hub.message import Message, queue_name

_HEADER_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A recipient that the message will never reach."""

    recipient: str
    status: str
    """RFC 3463, ``5.1.1``."""
    reply: str
    """What the next hop said; empty where it came to no reply."""
    why: str
    """Our own sentence."""
    hop: str


def bounce(
    id_: int,
    original: int,
    sender: str,
    given_up: Sequence[GivenUp],
    content: bytes,
    *,
    by: ServerName,
    accepted_at: datetime,
    now: datetime,
) -> Message:
    """The report to *sender* about one message, ready for the queue.  *content* is the original."""
    header = content[:_HEADER_BYTES].partition(b"\r\n\r\n")[0] + b"\r\n"
    boundary = f"mailtrust-{queue_name(id_)}-{queue_name(original)}"
    while boundary.encode() in header:
        boundary += "-"
    lines = [
        f"From: Mail delivery <MAILER-DAEMON@{by}>",
        f"To: <{sender}>",
        "Subject: Your message could not be delivered",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{queue_name(id_)}.{int(now.timestamp())}@{by}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        *_for_people(given_up, by),
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {by}",
        f"X-Queue-Id: {queue_name(original)}",
        f"Arrival-Date: {format_datetime(accepted_at)}",
        *(line for one in given_up for line in _for_machines(one)),
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        *(() if header.isascii() else ("Content-Transfer-Encoding: 8bit",)),
        "",
        "",
    ]
    text = "\r\n".join(lines).encode("utf-8", "replace") + header + f"\r\n--{boundary}--\r\n".encode()
    return Message(id_, "", (sender,), text, now, eight_bit=not text.isascii())


def _for_people(given_up: Sequence[GivenUp], by: ServerName) -> list[str]:
    lines = [f"{by} could not deliver your message to:", ""]
    for one in given_up:
        lines += [f"  {one.recipient}", f"    {_one_line(one.why)}"]
        if one.reply:
            lines.append(f"    the other server said: {_one_line(one.reply)}")
    return [*lines, "", "It will not be tried again.  The header of the message is attached."]


def _for_machines(one: GivenUp) -> list[str]:
    lines = ["", f"Final-Recipient: rfc822; {one.recipient}", "Action: failed", f"Status: {one.status}"]
    if one.hop:
        lines.append(f"Remote-MTA: dns; {one.hop}")
    kind, text = ("smtp", one.reply) if one.reply else ("x-mailtrust", one.why)
    return [*lines, f"Diagnostic-Code: {kind}; {_one_line(text)}"]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:400]
