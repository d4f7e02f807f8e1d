"""
A directory server to ask: many questions and watches at once, each with its own patience.

    async with await Wire.open("ldaps://dc1.example.org", credentials=..., timeout=patience) as wire:
        for entry in await wire.search(Search("dc=example", wanted=...), timeout=patience): ...

Whatever stops waiting, by its time-out or because it was cancelled, tells the server to forget the question.
When the connection is lost, everybody who waits hears why.  *A write that got no answer may have been done*:
the error says so, and only reading tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from mailtrust.directory.ldap_answers import Box, doing, lost, raise_unless
from mailtrust.directory.ldap_bind import Anonymous, Credentials
from mailtrust.directory.ldap_channel import Channel, Settings
from mailtrust.directory.ldap_open import opened
from mailtrust.directory.ldap_url import Resolve
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap import controls as extras
from mailtrust.ldap.requests import WHO_AM_I, Add, Change, Delete, Extended, Modify, Request, Search
from mailtrust.ldap.responses import Control, Entry, Reference, Response, Result
from mailtrust.ldap.results import Code

_EMPTY_PAGES = 100
Attributes = Iterable[tuple[str, Iterable[bytes]]]


class Wire:
    """
    One open connection; `open` makes it.

    Every method raises DirectoryUnavailable when there is no answer, and for an answer that says no, unless
    its code is in *also*; a refused write is PublishRefused.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._places = asyncio.Semaphore(channel.settings.requests)
        self._paging = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        credentials: Credentials | None = None,
        ca_file: Path | None = None,
        timeout: timedelta,
        settings: Settings | None = None,
        resolve: Resolve | None = None,
    ) -> Self:
        """
        Connect to the one server that *url* names, behind TLS, and sign in; nobody's account by default.

        *ca_file* names the authorities to believe, else the system's are.  Raises: BadInput for a URL or a
        file that cannot be used, DirectoryUnavailable.
        """
        return cls(
            await opened(url, credentials or Anonymous(), ca_file, timeout, settings or Settings(), resolve)
        )

    @property
    def url(self) -> str:
        """The server, with its port."""
        return self._channel.url

    @property
    def why_ended(self) -> str | None:
        """Why nothing can be asked any more, to stand behind the URL; None while something can."""
        return self._channel.why_ended

    @property
    def channel_binding(self) -> bytes:
        """What ties a signing in to this TLS connection; empty where there is none."""
        return self._channel.link.channel_binding

    async def close(self) -> None:
        """Say goodbye; whoever still waits hears of it.  May be repeated."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def search(
        self,
        search: Search,
        controls: Iterable[Control] = (),
        *,
        timeout: timedelta,
        also: Collection[int] = (),
        most: int = 10_000,
    ) -> list[Entry]:
        """What is found, in one answer: for few entries.  Active Directory gives 1000; see `stream`."""
        answers = await self.ask(search, controls, timeout=timeout, also=also, most=most)
        return [one.answer for one in answers if isinstance(one.answer, Entry)]

    async def stream(
        self,
        search: Search,
        controls: Iterable[Control] = (),
        *,
        timeout: timedelta,
        page: int = 500,
    ) -> AsyncGenerator[Entry, None]:
        """What is found, however much it is, as `pages` has it."""
        async with aclosing(self.pages(search, controls, timeout=timeout, page=page)) as pages:
            async for found in pages:
                for one in found:
                    yield one

    async def pages(
        self,
        search: Search,
        controls: Iterable[Control] = (),
        *,
        timeout: timedelta,
        page: int = 500,
    ) -> AsyncGenerator[list[Entry], None]:
        """
        What is found, however much it is, page by page; *timeout* is for each page.

        A server that refuses pages of this size is asked for smaller ones (``size.pr`` of slapd-config(5)).
        One stream at a time: another one waits, for OpenLDAP keeps one place per connection.
        """

        def asked(cookie: bytes) -> asyncio.Task[tuple[Response, ...]]:
            also = () if cookie or page == 1 else (Code.ADMIN_LIMIT_EXCEEDED,)
            with_page = (*controls, extras.paged(page, cookie))
            return asyncio.create_task(self.ask(search, with_page, timeout=timeout, also=also, most=page))

        async with self._patience(search, timeout):
            await self._paging.acquire()
        answers = asked(b"")
        try:
            cookie: bytes | None = b""
            empty = 0
            while cookie is not None:
                *found, last = await answers
                if isinstance(last.answer, Result) and not last.answer.done:
                    page //= 2
                    answers = asked(b"")
                    continue
                cookie = extras.page_cookie(last) or None
                empty = 0 if found else empty + 1
                if empty > _EMPTY_PAGES:
                    raise DirectoryUnavailable(f"{self.url} sends empty pages and comes to no end")
                if cookie is not None:
                    # The server reads its next page while we read this one.
                    answers = asked(cookie)
                    await asyncio.sleep(0)
                yield [one.answer for one in found if isinstance(one.answer, Entry)]
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            self._paging.release()

    async def modify(
        self,
        name: str,
        *changes: Change,
        controls: Iterable[Control] = (),
        timeout: timedelta,
        also: Collection[int] = (),
    ) -> Response:
        """All of these changes or none."""
        return (await self.ask(Modify(name, changes), controls, timeout=timeout, also=also))[-1]

    async def add(
        self,
        name: str,
        attributes: Attributes,
        *,
        controls: Iterable[Control] = (),
        timeout: timedelta,
        also: Collection[int] = (),
    ) -> Response:
        """A new entry."""
        held = tuple((attribute, tuple(values)) for attribute, values in attributes)
        return (await self.ask(Add(name, held), controls, timeout=timeout, also=also))[-1]

    async def delete(
        self,
        name: str,
        *,
        controls: Iterable[Control] = (),
        timeout: timedelta,
        also: Collection[int] = (),
    ) -> Response:
        """An entry that has none below it."""
        return (await self.ask(Delete(name), controls, timeout=timeout, also=also))[-1]

    async def who_am_i(self, *, timeout: timedelta) -> str:
        """Whom the server takes us for: ``dn:cn=mx1,…`` or ``u:EXAMPLE\\mx1$``; empty for nobody."""
        result = (await self.ask(Extended(WHO_AM_I), timeout=timeout))[-1].answer
        value = result.value if isinstance(result, Result) else None
        return (value or b"").decode("utf-8", "replace")

    async def watch(
        self,
        search: Search,
        controls: Iterable[Control],
        *,
        timeout: timedelta | None = None,
        also: Collection[int] = (),
    ) -> AsyncGenerator[Response, None]:
        """
        Everything that a search which stays tells, each with its controls; the result comes last, if it ends.

        *timeout* is the longest silence to bear; without it a live server may be silent for ever, and a
        hung one is left (`Settings.quiet`).  Leaving the loop ends the watch.
        """
        self._channel.begin_watch()
        box = None
        try:
            box = self._channel.post(search, controls)
            while True:
                async with self._patience(search, timeout):
                    response = await self._next(box, search)
                raise_unless(self.url, search, response, also)
                yield response
                if response.is_last:
                    return
        finally:
            if box is not None:
                self._channel.drop(box)
            self._channel.end_watch()

    async def ask(
        self,
        request: Request,
        controls: Iterable[Control] = (),
        *,
        timeout: timedelta,
        also: Collection[int] = (),
        most: int = 10_000,
    ) -> tuple[Response, ...]:
        """All answers to a request, the result last; more than *most* of them before it are too many."""
        self._refuse_giant(request)
        async with self._patience(request, timeout) as sent, self._places:
            box = self._channel.post(request, controls)
            sent.append(box)
            try:
                answers = await self._all(box, request, most)
            finally:
                self._channel.drop(box)
        raise_unless(self.url, request, answers[-1], also)
        return tuple(answers)

    async def _all(self, box: Box, request: Request, most: int) -> list[Response]:
        answers: list[Response] = []
        counted = held_bytes = 0
        while True:
            held, size = await box.all_held()
            if not held:
                break
            answers += held
            held_bytes += size
            # Active Directory points to its other naming contexts beside a page that is full already.
            counted += sum([not isinstance(one.answer, (Reference, Result)) for one in held])
            if counted > most or held_bytes > self._channel.settings.held_bytes:
                raise DirectoryUnavailable(
                    f"{self.url} sent more than was asked for: {len(answers)} answers, {held_bytes} bytes",
                    hint="ask page by page",
                )
            if held[-1].is_last:
                return answers
        raise lost(self.url, request, box.why_lost or "closed the connection")

    async def _next(self, box: Box, request: Request) -> Response:
        response = await box.next()
        if response is None:
            raise lost(self.url, request, box.why_lost or "closed the connection")
        return response

    @asynccontextmanager
    async def _patience(self, request: Request, timeout: timedelta | None) -> AsyncIterator[list[Box]]:
        sent: list[Box] = []
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                yield sent
        except TimeoutError as error:
            seconds = timeout.total_seconds() if timeout else 0
            why = f"did not {doing(request)} within {seconds:g} seconds"
            raise lost(self.url, request, why, sent=bool(sent)) from error

    def _refuse_giant(self, request: Request) -> None:
        limit = self._channel.settings.message_bytes
        if isinstance(request, Modify | Add) and len(request.encode()) > limit:
            raise BadInput(f"what is to be written to {request.name} is longer than {limit} bytes")
