"""
What the hub presents: the store's current certificate, as TLS contexts.

The store's *stamp* is cheap and changes with the certificate, so that every new session can ask for
it.  Sessions that run keep the context they began with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL

from mailtrust.core.events.catalog import FALLBACK_TO_NAME
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.server import ServerName
from mailtrust.errors import MailtrustError
from mailtrust.transports.base import Raised, Report
from mailtrust.transports.hub.tls import Credential, client_context, server_context


@dataclass(frozen=True, slots=True)
class Contexts:
    """The two sides of one certificate; without one there is only the client's, which shows nothing."""

    client: SSL.Context
    server: SSL.Context | None = None
    fingerprint: Fingerprint | None = None


class Presented:
    """The contexts of the current certificate, made anew when the store's stamp changes."""

    def __init__(
        self,
        name: ServerName,
        credential: Callable[[], Credential | None],
        stamp: Callable[[], object],
        report: Report,
    ) -> None:
        self._name = name
        self._credential = credential
        self._stamp = stamp
        self._report = report
        self._made_from: object = object()
        self._making = asyncio.Lock()
        self._frozen = False
        self.contexts = Contexts(client_context(None))

    @property
    def is_fresh(self) -> bool:
        """True while the store has not changed since the contexts were made."""
        return self._frozen or self._stamp() == self._made_from

    def freeze(self) -> None:
        """Keep what there is from now on, whatever becomes of the store."""
        self._frozen = True

    async def refresh(self) -> Contexts:
        """
        The contexts of the certificate that is current now.

        One that cannot be used leaves the old ones in place and is reported once, as 12023.
        """
        async with self._making:
            stamp = self._stamp()
            if stamp != self._made_from and not self._frozen:
                try:
                    self.contexts = await asyncio.to_thread(self._make)
                except MailtrustError as error:
                    self._report_fallback(error)
                # Read before the certificate: a change in between is seen by the next session.
                self._made_from = stamp
        return self.contexts

    def _make(self) -> Contexts:
        held = self._credential()
        if held is None:
            return Contexts(client_context(None))
        return Contexts(client_context(held), server_context(held), held.certificate.fingerprint)

    def _report_fallback(self, error: MailtrustError) -> None:
        used = self.contexts.fingerprint or "none"
        values = {"fingerprint": "unknown", "used": used, "why": error.message}
        self._report(Raised(FALLBACK_TO_NAME, self._name, "store", values))
