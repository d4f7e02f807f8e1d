"""A file that is said to be an event log: what it is by its first bytes, and its events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mailtrust.agent.windows_log.evtx import events_of_evtx
from mailtrust.agent.windows_log.evtx_frame import CHUNK_MAGIC, FILE_MAGIC, HEADER_BYTES
from mailtrust.agent.windows_log.xml_log import encoding_of, events_of_xml
from mailtrust.core.eventlog.event import Damage, Fault, WindowsEvent
from mailtrust.errors import BadInput

Progress = Callable[[int], None]

_LOOKED_AT = HEADER_BYTES + len(CHUNK_MAGIC)
_ZIP, _OLD_LOG, _CLIXML = b"PK\x03\x04", b"LfLe", b"<Objs "
_FOREIGN = {
    "zip": ("it is a ZIP archive", "unpack it first"),
    "evt": (
        "it is an event log of before Windows Vista (.evt)",
        "open it in Event Viewer on Windows, and save it as .evtx",
    ),
    "clixml": (
        "it is what Export-Clixml writes, which is not an event log",
        "export with: Get-WinEvent … | ForEach-Object { $_.ToXml() } | Out-File events.xml",
    ),
    "text": (
        "it is a text without events: Event Viewer's text and CSV lists do not hold what an event says",
        "save the log as .evtx or as XML: docs/events-import.md says how",
    ),
    "empty": ("it is empty", "export it again"),
    "binary": (
        "it is no Windows event log",
        "save the log as .evtx or as XML: docs/events-import.md says how",
    ),
}


def events_of(path: Path, progress: Progress | None = None) -> Iterator[WindowsEvent | Fault]:
    """
    What stands in the file, event by event, with the places where it broke; ``-`` is standard input.

    *progress* hears how many bytes more were read.  The file is opened when the first event is asked for.
    Raises: BadInput where it cannot be read, or is something else than an event log.
    """
    try:
        with _opened(path) as raw:
            yield from _events(_Watched(raw, progress), path)
    except FileNotFoundError as error:
        raise BadInput(f"there is no file {path}", hint="check the path") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder", hint="name the files in it") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read", hint="check that this account may read it") from error


def _opened(path: Path) -> BinaryIO:
    return open(sys.stdin.fileno(), "rb", closefd=False) if str(path) == "-" else path.open("rb")


def _events(file: _Watched, path: Path) -> Iterator[WindowsEvent | Fault]:
    head = file.peek(_LOOKED_AT)
    if head.startswith(FILE_MAGIC) or head[HEADER_BYTES:] == CHUNK_MAGIC:
        yield from events_of_evtx(file)
        return
    encoding = encoding_of(head)
    if (kind := _foreign(head, encoding.name)) is not None:
        raise _refused(path, kind)
    found = False
    for one in events_of_xml(file, encoding):
        if isinstance(one, Fault) and one.damage is Damage.REFUSED:
            found = True
        found = found or isinstance(one, WindowsEvent) or one.damage is not Damage.CUT_OFF
        yield one
    if not found and b"Event" not in head.replace(b"\0", b""):
        raise _refused(path, "text")


def _refused(path: Path, kind: str) -> BadInput:
    what, hint = _FOREIGN[kind]
    return BadInput(f"{path} cannot be used: {what}", hint=hint)


def _foreign(head: bytes, encoding: str) -> str | None:
    if not head:
        return "empty"
    if head.startswith(_ZIP):
        return "zip"
    if head[4:8] == _OLD_LOG:
        return "evt"
    text = head.decode(encoding, "replace").lstrip("\ufeff \r\n\t")
    if _CLIXML.decode() in text[:512]:
        return "clixml"
    # A console's prompt may stand before the events that were copied out of it.
    if not text.startswith("<") and "<Event" not in text:
        return "binary" if b"\0" in head and encoding == "utf-8" else "text"
    return None


class _Watched:
    """A stream that can be looked into before it is read, and that tells how far it is."""

    def __init__(self, raw: BinaryIO, progress: Progress | None) -> None:
        self._raw = raw
        self._ahead = b""
        self._progress = progress

    def peek(self, size: int) -> bytes:
        self._ahead += self._raw.read(size - len(self._ahead))
        return self._ahead

    def read(self, size: int, /) -> bytes:
        octets, self._ahead = self._ahead[:size], self._ahead[size:]
        while len(octets) < size:
            more = self._raw.read(size - len(octets))
            if not more:
                break
            octets += more
        if self._progress is not None:
            self._progress(len(octets))
        return octets
