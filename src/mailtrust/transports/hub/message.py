"""
A message on its way through the hub: its envelope, and the two header lines that a server adds.

Received is the postmark that every server puts on top; too many of them are a loop.  Return-Path
says where the envelope came from, once the envelope is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from mailtrust.core.model.server import ServerName


@dataclass(frozen=True, slots=True)
class Message:
    """What the queue keeps.  *content* begins with our own Received line."""

    id: int
    sender: str
    """Empty for the null sender."""
    recipients: tuple[str, ...]
    content: bytes
    accepted_at: datetime
    eight_bit: bool = False
    peer: str = ""
    """The server that the peer proved to be; empty where it proved nothing."""

    @property
    def name(self) -> str:
        """The queue id as people see it."""
        return queue_name(self.id)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message came to us."""

    helo: str
    address: str
    protocol: str
    """``TLSv1.3`` and so on; empty in the clear."""
    extended: bool
    peer: str = ""


def queue_name(message: int) -> str:
    """A queue id as people see it and as Maildir files are named after it."""
    return f"{message:08X}"


def received(arrival: Arrival, by: ServerName, message: int, now: datetime) -> bytes:
    """Our postmark (RFC 5321 section 4.4), to be put on top."""
    with_ = ("ESMTPS" if arrival.protocol else "ESMTP") if arrival.extended else "SMTP"
    proof = f"authenticated as {arrival.peer}" if arrival.peer else "not authenticated"
    tls = f"using {arrival.protocol}" if arrival.protocol else "in the clear"
    return (
        f"Received: from {arrival.helo} ([{arrival.address}])\r\n"
        f"\t({tls}, {proof})\r\n"
        f"\tby {by} with {with_} id {queue_name(message)};\r\n"
        f"\t{_date(now.replace(microsecond=0))}\r\n"
    ).encode("ascii", "replace")


def submitted(by: ServerName, message: int, now: datetime) -> bytes:
    """The postmark of a message that began here."""
    date = _date(now.replace(microsecond=0))
    return f"Received: by {by} (from inside) id {queue_name(message)};\r\n\t{date}\r\n".encode()


def hops(content: bytes) -> int:
    """How many servers have put their postmark on it."""
    header = content.partition(b"\r\n\r\n")[0].lower()
    return header.count(b"\nreceived:") + header.startswith(b"received:")


def return_path(sender: str) -> bytes:
    """The line that final delivery puts above everything."""
    return f"Return-Path: <{sender}>\r\n".encode("ascii", "replace")


@lru_cache(maxsize=4)
def _date(second: datetime) -> str:
    return format_datetime(second)
