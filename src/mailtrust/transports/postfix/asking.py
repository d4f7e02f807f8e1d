"""Asking root's part to change the instance, for a process that may not do so itself."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix import requests
from mailtrust.transports.postfix.compile import Differences, Tables
from mailtrust.transports.postfix.instance import Reloaded
from mailtrust.transports.postfix.processes import Daemon
from mailtrust.transports.postfix.requests import Answer, Install, Reload, Request

_PATIENCE_SECONDS = 90
_LONGEST_ANSWER_BYTES = 1 << 20
_HINT = "docs/transports/postfix-helper.md says how it is set up; its words are in the system's log"


class Asking:
    """
    `Hands` of root's part, at the end of a socket or as a program.

    *where* is the socket's path, or the words that start the program.
    """

    def __init__(self, where: Path | Sequence[str]) -> None:
        self._where = where
        self._program: subprocess.Popen[bytes] | None = None
        self._line: tuple[IO[bytes], IO[bytes]] | None = None

    def write(self, tables: Tables) -> None:
        """As `Hands.write`."""
        self._ask(requests.writing(tables))

    def change(self, differences: Differences) -> None:
        """As `Hands.change`."""
        self._ask(requests.changing(differences))

    def install(self, pem: bytes) -> None:
        """As `Hands.install`."""
        self._ask(Install(pem.decode("ascii")))

    def reload(self) -> Reloaded:
        """As `Hands.reload`."""
        answer = self._ask(Reload())
        if answer.older is None:
            return Reloaded(None, answer.why)
        return Reloaded(tuple(Daemon(one.pid, one.name, one.started_seconds) for one in answer.older))

    def close(self) -> None:
        """Hang up; what was asked is done."""
        line, self._line = self._line, None
        program, self._program = self._program, None
        for end in line or ():
            # What could not be sent is dropped with the pipe.
            with suppress(OSError):
                end.close()
        if program is not None:
            program.wait()

    def _ask(self, request: Request) -> Answer:
        try:
            asking, answering = self._line = self._line or self._called()
            asking.write(requests.line(request) + b"\n")
            asking.flush()
            said = answering.readline(_LONGEST_ANSWER_BYTES)
            answer = requests.read_answer(said) if said else None
        except (OSError, msgspec.MsgspecError) as error:
            self.close()
            raise TransportUnavailable("the helper that writes Postfix's files fails", hint=_HINT) from error
        if answer is None:
            self.close()
            raise TransportUnavailable("the helper that writes Postfix's files hung up", hint=_HINT)
        if answer.error:
            raise TransportUnavailable(answer.error, hint=answer.hint)
        return answer

    def _called(self) -> tuple[IO[bytes], IO[bytes]]:
        if isinstance(self._where, Path):
            with socket.socket(socket.AF_UNIX) as plug:
                plug.settimeout(_PATIENCE_SECONDS)
                plug.connect(str(self._where))
                return plug.makefile("wb"), plug.makefile("rb")
        self._program = subprocess.Popen(self._where, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._program.stdin is not None  # noqa: S101  # pipes were asked for
        assert self._program.stdout is not None  # noqa: S101
        return self._program.stdin, self._program.stdout
