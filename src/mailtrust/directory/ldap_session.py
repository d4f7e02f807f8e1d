"""
One LDAP server to work with: a connection that is made when it is needed, and made again when it was lost.

What a caller does with it is a function of the connection, and may be done twice: a server that was started
anew has forgotten us.  So everything done here is "look, change what is missing, look again".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from mailtrust.directory.ldap_bind import Anonymous, Credentials
from mailtrust.directory.ldap_url import place
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable, MailtrustError
from mailtrust.ldap.names import Name
from mailtrust.ldap.results import Code

_Result = TypeVar("_Result")
_USUAL_PORTS = (389, 636)
_OF_THE_DEADLINE = 0.9
"""Which part of it connecting may take, so that the reason arrives before it."""
_OVERTAKEN = (
    Code.ATTRIBUTE_OR_VALUE_EXISTS, Code.NO_SUCH_ATTRIBUTE, Code.ENTRY_ALREADY_EXISTS, Code.NO_SUCH_OBJECT,
)  # fmt: skip
ATTEMPTS = 10
"""How often to look again after somebody else was faster."""


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """What one has to know of an LDAP directory besides its servers' URLs."""

    base: Name
    """The entry below which every mail server has its own."""
    credentials: Credentials = field(default_factory=Anonymous)
    ca_file: Path | None = None
    """Whom to believe that a server is itself; None: whom the system believes."""
    members: Name | None = None
    """Active Directory: the group or organizational unit whose computers are mail servers."""


class Session:
    """
    One server.  Making one touches nothing.

    Raises: BadInput for a URL that names no server.
    """

    def __init__(self, url: str, settings: LdapSettings, timeout: timedelta) -> None:
        self._place = place(url)
        self.url = url
        self.timeout = timeout
        self._settings = settings
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()

    @property
    def server(self) -> str:
        """The one server, written in one way; the usual ports for LDAP lead to the same one."""
        where = self._place
        if where.scheme == "ldapi":
            return str(where)
        return where.host if where.port in _USUAL_PORTS else f"{where.host}:{where.port}"

    def why(self, error: DirectoryUnavailable) -> str:
        """What stopped us, to stand behind the server's name: without that name in front."""
        for name in (str(self._place), self.url):
            if error.message.startswith(name):
                return error.message[len(name) :].lstrip(": ")
        return error.message

    async def do(self, work: Callable[[Wire], Awaitable[_Result]]) -> _Result:
        """The result of *work* within the time-out.  Raises: DirectoryUnavailable, PublishRefused."""
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                return await self._on_a_live_connection(work)
        except TimeoutError as error:
            # A hung server may stay hung on this connection, when others are answered already.
            await self.leave()
            raise DirectoryUnavailable(
                f"{self.url} did not answer within {self.timeout.total_seconds():g} seconds",
                hint="if something was to be written it may have been: look again",
            ) from error
        except DirectoryUnavailable:
            raise
        except MailtrustError as error:
            raise DirectoryUnavailable(f"{self.url}: {error.message}", hint=error.hint) from error

    async def wire(self) -> Wire:
        """The connection itself, for a watch.  Raises: DirectoryUnavailable."""

        async def work(wire: Wire) -> Wire:
            return wire

        return await self.do(work)

    async def leave(self) -> None:
        """Say goodbye; whoever still waits hears of it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _on_a_live_connection(self, work: Callable[[Wire], Awaitable[_Result]]) -> _Result:
        kept, wire = self._wire, await self._connected()
        try:
            return await work(wire)
        except DirectoryUnavailable:
            if wire is not kept or wire.why_ended is None:
                raise
        return await work(await self._connected())

    async def _connected(self) -> Wire:
        async with self._opening:
            if self._wire is None or self._wire.why_ended is not None:
                self._wire = await Wire.open(
                    self.url,
                    credentials=self._settings.credentials,
                    ca_file=self._settings.ca_file,
                    timeout=self.timeout * _OF_THE_DEADLINE,
                )
            return self._wire


def overtaken(attempt: int) -> tuple[int, ...]:
    """
    Which refusals mean that somebody wrote between our look and our change; in the last of ATTEMPTS they
    are refusals like others.
    """
    return _OVERTAKEN if attempt < ATTEMPTS - 1 else ()
