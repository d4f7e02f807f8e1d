"""
Local delivery: a Maildir below ``DOMAIN/LOCALPART`` for every recipient.

A copy is written into ``tmp``, made durable, and moved into ``new`` in one step, so that no reader
ever sees half of it.  Its name comes from the queue: a delivery that is repeated after a crash
replaces its own copy instead of making a second one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from mailtrust.durable import sync_folder
from mailtrust.smtp.envelope import domain_of, local_part_of
from mailtrust.transports.hub.message import queue_name

_SAFE = "!#$&'*+=?^_`{|}~-.@"


@dataclass(frozen=True, slots=True)
class Copy:
    """One message for one recipient."""

    recipient: str
    message: int
    position: int
    accepted_at: datetime
    pieces: tuple[bytes, ...]
    """What is written, one behind the other."""


class Maildirs:
    """Every mailbox of one hub.  Blocking: call it from a thread, one at a time."""

    def __init__(self, root: Path, host: str, default_domain: str) -> None:
        self._root = root
        self._host = host
        self._default_domain = default_domain
        self._made: set[Path] = set()

    def mailbox(self, recipient: str) -> Path:
        """The folder of one recipient; whatever a local part holds, it stays below the root."""
        domain = domain_of(recipient) or self._default_domain
        return self._root / _folder_name(domain) / _folder_name(local_part_of(recipient).lower())

    def deliver(self, copies: Sequence[Copy]) -> list[str]:
        """For each copy why it could not be delivered; empty where it is durably in its mailbox."""
        mailboxes = {recipient: self.mailbox(recipient) for recipient in {copy.recipient for copy in copies}}
        outcomes = [self._write(copy, mailboxes[copy.recipient]) for copy in copies]
        written = {copy.recipient for copy, why in zip(copies, outcomes, strict=True) if not why}
        # Two recipients that differ in capitals share a mailbox.
        folders = {mailbox: _synced(mailbox / "new") for mailbox in {mailboxes[one] for one in written}}
        return [why or folders[mailboxes[copy.recipient]] for copy, why in zip(copies, outcomes, strict=True)]

    def _write(self, copy: Copy, mailbox: Path) -> str:
        name = self._file_name(copy)
        try:
            if mailbox not in self._made:
                self._make(mailbox)
            try:
                _write_and_move(mailbox, name, copy.pieces)
            except FileNotFoundError:
                self._make(mailbox)  # Somebody removed the mailbox while we ran.
                _write_and_move(mailbox, name, copy.pieces)
        except OSError as error:
            return f"cannot write to the mailbox {mailbox}: {error.strerror}"
        return ""

    def _make(self, mailbox: Path) -> None:
        for part in ("tmp", "new", "cur"):
            (mailbox / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (mailbox, mailbox.parent, self._root):
            sync_folder(folder)
        self._made.add(mailbox)

    def _file_name(self, copy: Copy) -> str:
        moment = copy.accepted_at
        return (
            f"{int(moment.timestamp())}.M{moment.microsecond:06d}Q{queue_name(copy.message)}"
            f"R{copy.position}.{self._host}"
        )


def _write_and_move(mailbox: Path, name: str, pieces: tuple[bytes, ...]) -> None:
    waiting = f"{mailbox}/tmp/{name}"  # noqa: S108
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, pieces)
        os.fsync(descriptor)
    except OSError:
        os.unlink(waiting)  # noqa: PTH108
        raise
    finally:
        os.close(descriptor)
    os.rename(waiting, f"{mailbox}/new/{name}")  # noqa: PTH104


def _write_all(descriptor: int, pieces: tuple[bytes, ...]) -> None:
    written, whole = os.writev(descriptor, pieces), sum(map(len, pieces))
    if written < whole:
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _synced(folder: Path) -> str:
    try:
        sync_folder(folder)
    except OSError as error:
        return f"cannot write to {folder}: {error.strerror}"
    return ""


def _folder_name(text: str) -> str:
    name = quote(text, safe=_SAFE)
    # No hidden folders, and none that leads upwards.
    return name.replace(".", "%2E", 1) if name.startswith(".") else name
