"""
Answers on their way to whoever asked, and what a directory's "no" means to them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection

from mailtrust.errors import DirectoryUnavailable, MailtrustError, PublishRefused
from mailtrust.ldap.requests import Add, Delete, Extended, Modify, Request, SaslBind, Search, SimpleBind
from mailtrust.ldap.responses import Entry, Response, Result
from mailtrust.ldap.results import Code

_OF_THE_MOMENT = frozenset({Code.BUSY, Code.UNAVAILABLE, Code.OPERATIONS_ERROR})
_HINTS: dict[int, str] = {
    Code.INSUFFICIENT_ACCESS_RIGHTS: "check that this account may write that entry",
    Code.REFERRAL: "name a server that takes writes; a password is never sent where a server points",
    Code.INVALID_CREDENTIALS: "check the account's name and the password file",
    Code.INAPPROPRIATE_AUTHENTICATION: "this directory lets nobody in without an account",
    Code.UNWILLING_TO_PERFORM: "it may take no writes at all: name one that does as directory.primary",
    Code.BUSY: "try again later",
    Code.UNAVAILABLE: "try again later",
    Code.SIZE_LIMIT_EXCEEDED: "read it page by page, or raise the server's limit for this account",
    Code.ADMIN_LIMIT_EXCEEDED: "raise what the server may look through for this account",
    Code.CONFIDENTIALITY_REQUIRED: "use ldaps://",
    Code.STRONGER_AUTH_REQUIRED: "use ldaps://",
    Code.AUTH_METHOD_NOT_SUPPORTED: "does the server know the certificate, and ask for it?",
}


_IS_IT_RUNNING = "is the server running, and can it be reached from here?"


class Box:
    """The answers to one request, in the order in which they came, until they are taken."""

    __slots__ = ("_freed", "_held", "_held_bytes", "_waiter", "is_finished", "number", "why_lost")

    def __init__(self, number: int, freed: Callable[[int], None]) -> None:
        self.number = number
        self.is_finished = False
        """True once the result has come."""
        self.why_lost: str | None = None
        self._freed = freed
        self._held: deque[Response] = deque()
        self._held_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    def put(self, response: Response) -> int:
        """Hold an answer; about how many bytes of memory that takes."""
        size = weight(response)
        self._held.append(response)
        self._held_bytes += size
        self.is_finished = self.is_finished or response.is_last
        self._wake()
        return size

    def lose(self, why: str) -> None:
        """Nothing more will come; *why* stands behind the server's name."""
        if not self.is_finished and self.why_lost is None:
            self.why_lost = why
            self._wake()

    async def next(self) -> Response | None:
        """The next answer; None if there will be none, and then `why_lost` says why."""
        if not await self._has_some():
            return None
        response = self._held.popleft()
        self._free(weight(response))
        return response

    async def all_held(self) -> tuple[tuple[Response, ...], int]:
        """The answers that came meanwhile, and their weight; none if there will be none, as in `next`."""
        await self._has_some()
        held, size = tuple(self._held), self._held_bytes
        self.forget()
        return held, size

    def forget(self) -> None:
        """Nobody wants what is held."""
        self._held.clear()
        self._free(self._held_bytes)

    async def _has_some(self) -> bool:
        while not self._held and self.why_lost is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return bool(self._held)

    def _free(self, size: int) -> None:
        self._held_bytes -= size
        self._freed(size)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def weight(response: Response) -> int:
    """About how many bytes of memory it holds."""
    answer = response.answer
    attributes = len(answer.attributes) if isinstance(answer, Entry) else 0
    return 1000 + 100 * attributes + response.size_bytes


def is_write(request: Request) -> bool:
    """True if it may change something."""
    return isinstance(request, Modify | Add | Delete)


def doing(request: Request) -> str:
    """What the request does, for a sentence: ``change cn=mx1,dc=example``."""
    match request:
        case Search(base):
            return f"search {base or 'its root'}"
        case Modify(name):
            return f"change {name}"
        case Add(name):
            return f"add {name}"
        case Delete(name):
            return f"delete {name}"
        case SimpleBind() | SaslBind():
            return "let us in"
        case Extended(number):
            return f"do {number}"


def refusal(url: str, request: Request, result: Result) -> MailtrustError:
    """What to raise when a server answered no: PublishRefused to a write, else DirectoryUnavailable."""
    kind = PublishRefused if is_write(request) and result.code not in _OF_THE_MOMENT else DirectoryUnavailable
    elsewhere = f" (it points to {', '.join(result.referrals)})" if result.referrals else ""
    return kind(f"{url} did not {doing(request)}: {result}{elsewhere}", hint=_HINTS.get(result.code, ""))


def lost(url: str, request: Request, why: str, *, sent: bool = True) -> DirectoryUnavailable:
    """What to raise when no answer will come; *why* stands behind the server's name."""
    if not is_write(request):
        return DirectoryUnavailable(f"{url} {why}", hint=_IS_IT_RUNNING)
    if not sent:
        return DirectoryUnavailable(f"{url} {why}; nothing was changed", hint=_IS_IT_RUNNING)
    return DirectoryUnavailable(
        f"{url} {why}; the outcome is unknown: it was asked to {doing(request)}", hint="read the entry again"
    )


def raise_unless(url: str, request: Request, response: Response, also: Collection[int] = ()) -> None:
    """Raise `refusal` unless it was done, or answered by a code in *also*."""
    result = response.answer
    if isinstance(result, Result) and not result.done and result.code not in also:
        raise refusal(url, request, result)
