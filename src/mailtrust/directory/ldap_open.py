"""
From a URL to a connection on which one has signed in, within one deadline.

Nothing is said in the clear but "let us turn to TLS", or the steps of Kerberos that end in encryption: not
only a password must not be read, what we read must not be forged either, for peers believe it.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from mailtrust.directory.ldap_answers import lost, refusal
from mailtrust.directory.ldap_bind import Credentials
from mailtrust.directory.ldap_channel import Channel, Settings
from mailtrust.directory.ldap_tls import Session, client_context
from mailtrust.directory.ldap_url import Place, Resolve, address, place
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.connection import Ended
from mailtrust.ldap.requests import START_TLS, Bind, Extended, SimpleBind
from mailtrust.ldap.responses import Result

_HINT = "name the file of the authority that issued it, and the server as its certificate does"


async def opened(
    url: str,
    credentials: Credentials,
    ca_file: Path | None,
    timeout: timedelta,
    settings: Settings,
    resolve: Resolve | None,
) -> Channel:
    """
    A connection to the server, signed in.

    Raises: BadInput for a URL or a file that cannot be used, DirectoryUnavailable.
    """
    where = place(url)
    channel = Channel(str(where), settings, confidential=where.scheme == "ldapi")
    opening = _Opening(where, channel, credentials, ca_file)
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            await opening.run(resolve)
    except TimeoutError as error:
        channel.abort("was given up")
        raise DirectoryUnavailable(
            f"{where} did not answer within {timeout.total_seconds():g} seconds, {opening.stage}",
            hint="is the server hung, or something between us?",
        ) from error
    except BaseException:
        channel.abort("was given up")
        raise
    return channel


def _why(error: OSError) -> str:
    # asyncio puts the address there, which we say already.
    return os.strerror(error.errno) if error.errno else str(error)


class _Opening:
    """The steps, and the server as credentials see it."""

    def __init__(
        self, where: Place, channel: Channel, credentials: Credentials, ca_file: Path | None
    ) -> None:
        self._where = where
        self._channel = channel
        self._credentials = credentials
        self._ca_file = ca_file
        self.url = str(where)
        self.host = where.host
        self.channel_binding = b""
        self.stage = "looking up its name"

    async def run(self, resolve: Resolve | None) -> None:
        """All of it."""
        scheme = self._where.scheme
        addresses = () if scheme == "ldapi" else await address(self._where, resolve)
        self.stage = "connecting to it"
        try:
            await self._channel.link.connect(self._where, addresses)
        except OSError as error:
            raise DirectoryUnavailable(
                f"{self._where} cannot be reached: {_why(error)}", hint="is the server running?"
            ) from error
        if scheme == "ldaps" or (scheme == "ldap" and not self._credentials.brings_encryption):
            await self._turn_to_tls()
        await self._sign_in()

    async def bind(self, request: Bind) -> Result:
        """One step of signing in."""
        return await self._say(request)

    @property
    def is_confidential(self) -> bool:
        """True if nobody else can read it."""
        return self._channel.connection.is_confidential

    async def _turn_to_tls(self) -> None:
        self.stage = "turning to TLS"
        channel = self._channel
        shown = await self._credentials.shown()
        # Reading files may take long, on a disk that is far away, and must not stop everybody else.
        context = await asyncio.to_thread(client_context, self._ca_file, shown)
        if self._where.scheme == "ldap":
            result = await self._say(Extended(START_TLS))
            if not result.done:
                raise DirectoryUnavailable(
                    f"{self._where} does not turn to TLS ({result}), so it was told and asked nothing",
                    hint="give the server a certificate, or use ldaps://",
                )
        await channel.link.secure(Session(context, self._where.name))
        if channel.why_ended is not None:
            raise DirectoryUnavailable(
                f"{self._where} {channel.why_ended}", hint=_HINT if "certificate" in channel.why_ended else ""
            )
        self._is_secured()
        self.channel_binding = channel.link.channel_binding

    async def _sign_in(self) -> None:
        self.stage = "signing in"
        ended = await self._credentials.sign_in(self)
        if not ended.result.done:
            raise refusal(str(self._where), SimpleBind(), ended.result)
        if ended.layer is not None:
            self._channel.link.encrypt_by(ended.layer)
            self._is_secured()
        if not self.is_confidential:
            raise DirectoryUnavailable(f"{self.url} was signed in to, and nothing encrypts what follows")

    def _is_secured(self) -> None:
        for ended in self._channel.connection.secured():
            why = ended.why if isinstance(ended, Ended) else "said too much"
            raise DirectoryUnavailable(f"{self.url} {why}")

    async def _say(self, request: Bind | Extended) -> Result:
        box = self._channel.post(request)
        try:
            response = await box.next()
            if response is None:
                raise lost(str(self._where), request, box.why_lost or "closed the connection")
            if not isinstance(response.answer, Result):
                raise DirectoryUnavailable(f"{self._where} answered with something else than was asked")
            return response.answer
        finally:
            if box.is_finished:
                self._channel.drop(box)
