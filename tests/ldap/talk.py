"""The plainest driver of a `Connection` there is: one blocking socket, for conversations in tests."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from mailtrust.ldap.connection import Connection, Ended, Event
from mailtrust.ldap.requests import START_TLS, Extended, Request
from mailtrust.ldap.responses import Control, Entry, Response, Result

PATIENCE_SECONDS = 20


class Talk:
    """One connection to a server on this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._socket = socket.create_connection((host, port), PATIENCE_SECONDS)
        self.connection = Connection(confidential=False)
        self._events: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.unbind()
        self._flush()
        self._socket.close()

    def turn_to_tls(self, trusted: Path) -> None:
        self.result(Extended(START_TLS))
        context = ssl.create_default_context(cafile=trusted)
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        assert self.connection.secured() == ()

    def send(self, request: Request, *controls: Control) -> int:
        number = self.connection.send(request, controls)
        self._flush()
        return number

    def abandon(self, number: int) -> None:
        self.connection.abandon(number)
        self._flush()

    def next(self, number: int) -> Response:
        """The next answer to that request; those to others wait."""
        while True:
            for event in self._events:
                assert not isinstance(event, Ended), event.why
                if event.message_id == number:
                    self._events.remove(event)
                    return event
            self._events += self.connection.receive(self._socket.recv(65536))

    def answers(self, request: Request, *controls: Control) -> list[Response]:
        """All answers, the result last."""
        number = self.send(request, *controls)
        found = [self.next(number)]
        while not found[-1].is_last:
            found.append(self.next(number))
        return found

    def result(self, request: Request, *controls: Control, code: int = 0) -> Response:
        last = self.answers(request, *controls)[-1]
        assert isinstance(last.answer, Result)
        assert last.answer.code == code, str(last.answer)
        return last

    def entries(self, request: Request, *controls: Control) -> list[Entry]:
        *found, last = self.answers(request, *controls)
        assert isinstance(last.answer, Result)
        assert last.answer.done, str(last.answer)
        return entries_in(found)

    def _flush(self) -> None:
        self._socket.sendall(self.connection.take_output())


def entries_in(found: Iterable[Response]) -> list[Entry]:
    return [one.answer for one in found if isinstance(one.answer, Entry)]
