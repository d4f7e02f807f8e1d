"""
The way to a next hop: connect, see who answers, and believe it before it hears of any mail.

In report mode a next hop that is not believed gets its mail all the same, even in the clear, as it did
before anybody looked; what enforce would have held back is counted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mailtrust.core.events.catalog import PEER_NOT_TRUSTED_OUTBOUND, SNAPSHOT_STALE
from mailtrust.core.model.certificate import Certificate, Fingerprint, certificate, fingerprint_of, short
from mailtrust.core.model.server import Endpoint, is_address
from mailtrust.core.model.trust import Stranger, Trusted
from mailtrust.core.sessions import Met, Reason, Way
from mailtrust.errors import NotACertificate
from mailtrust.transports.base import Raised, Report
from mailtrust.transports.hub.credential import Contexts, Presented
from mailtrust.transports.hub.outbound import HopUnavailable, Outbound
from mailtrust.transports.hub.settings import HubSettings
from mailtrust.transports.hub.tally import Tally
from mailtrust.transports.hub.trust import Trust

# Sessions that open together meet the same stranger.
_REPORT_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class Session:
    """An open session with a next hop that may be given mail."""

    outbound: Outbound
    contexts: Contexts
    """What we presented."""
    presented: Certificate | None
    believed: bool
    """False only in report mode."""
    mails: int = 0


class NextHop:
    """One next hop.  Raises of every method: HopUnavailable."""

    def __init__(
        self,
        hop: Endpoint,
        settings: HubSettings,
        presented: Presented,
        trust: Trust,
        report: Report,
        tally: Tally,
    ) -> None:
        self._hop = hop
        self._settings = settings
        self._presented = presented
        self._trust = trust
        self._report = report
        self._tally = tally
        self._reported: dict[Fingerprint, float] = {}

    async def open(self) -> Session:
        """A session with whoever answers there, if we may give it mail."""
        try:
            return await self._open(tls=True)
        except HopUnavailable as refused:
            if not refused.no_tls:
                raise
            self._count(Reason.NO_TLS)
            if not self._reports_only:
                raise HopUnavailable(
                    f"{PEER_NOT_TRUSTED_OUTBOUND.code} TLS is required: {refused.why}", refused.reply
                ) from refused
        return await self._open(tls=False)

    def still_good(self, session: Session) -> bool:
        """False when it must not be used for the next mail: a new one decides anew."""
        if not session.outbound.alive or session.mails >= self._settings.relay.messages_per_session:
            return False
        if not self._presented.is_fresh or session.contexts is not self._presented.contexts:
            return False
        return not session.believed or not self._doubt(session.presented)

    @property
    def _reports_only(self) -> bool:
        return self._settings.mode_towards(self._hop.host) == "report"

    async def _open(self, *, tls: bool) -> Session:
        limits = self._settings.relay
        contexts = await self._presented.refresh()
        outbound = await Outbound.connect(
            self._hop,
            self._settings.name,
            tls=tls,
            timeout=limits.connect_timeout,
            patience=limits.reply_timeout,
        )
        try:
            await outbound.greet(contexts.client, tls_name(self._hop.host))
            doubt, leaf = await self._judge(outbound.presented)
            if tls:
                self._count(self._reason(outbound.presented, leaf), leaf)
            if doubt and not self._reports_only:
                raise HopUnavailable(doubt)
        except BaseException:
            await outbound.close()
            raise
        return Session(outbound, contexts, leaf, believed=not doubt)

    async def _judge(self, der: bytes | None) -> tuple[str, Certificate | None]:
        if der is None:
            return f"{PEER_NOT_TRUSTED_OUTBOUND.code} {self._hop} presented no certificate", None
        try:
            leaf = certificate(der)
        except NotACertificate:
            name = fingerprint_of(der)
            self._report_stranger("unreadable", name)
            code = PEER_NOT_TRUSTED_OUTBOUND.code
            return f"{code} the certificate {short(name)} of {self._hop} cannot be read", None
        if isinstance(await self._trust.judge_again(leaf), Stranger):
            self._report_stranger(leaf.subject, leaf.fingerprint)
        return self._doubt(leaf), leaf

    def _doubt(self, leaf: Certificate | None) -> str:
        """Why whoever presented *leaf* is not believed by now; empty when it is."""
        verdict = self._trust.judge(leaf)
        if not isinstance(verdict, Trusted):
            name = short(leaf.fingerprint) if leaf is not None else "none"
            return (
                f"{PEER_NOT_TRUSTED_OUTBOUND.code} nobody publishes the key of certificate {name}"
                f" that {self._hop} presented"
            )
        if self._settings.on_stale == "defer" and self._trust.is_stale:
            return f"{SNAPSHOT_STALE.code} our view of the directory is too old to trust anybody"
        return ""

    def _reason(self, der: bytes | None, leaf: Certificate | None) -> Reason:
        if der is None:
            return Reason.NO_CERTIFICATE
        if leaf is None:
            return Reason.UNREADABLE
        if not self._doubt(leaf):
            return Reason.PUBLISHED
        return Reason.OLD_VIEW if isinstance(self._trust.judge(leaf), Trusted) else Reason.UNKNOWN_KEY

    def _count(self, reason: Reason, leaf: Certificate | None = None) -> None:
        verdict = self._trust.judge(leaf)
        server = verdict.server if isinstance(verdict, Trusted) else ""
        named = (leaf.fingerprint, leaf.pin) if leaf is not None else ("", "")
        self._tally.add(Met(self._hop.host, Way.TO, reason, server, *named))

    def _report_stranger(self, subject: str, fingerprint: Fingerprint) -> None:
        moment = asyncio.get_running_loop().time()
        if moment - self._reported.get(fingerprint, float("-inf")) < _REPORT_AGAIN_SECONDS:
            return
        # The last one alone is remembered: a hop that shows a new one each time must not fill our memory.
        self._reported = {fingerprint: moment}
        address = str(self._hop)
        values = {"subject": subject, "fingerprint": fingerprint, "address": address}
        self._report(Raised(PEER_NOT_TRUSTED_OUTBOUND, self._settings.name, address, values))


def tls_name(host: str) -> str | None:
    """What the TLS client hello names (RFC 6066 section 3: never an address)."""
    return None if is_address(host) else host
