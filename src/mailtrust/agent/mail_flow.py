"""
The mail of one server: who authenticated to whom, and why what waits does not go.

Nothing is written.  What Postfix logged since `mailtrust report` was last typed is not among the sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mailtrust.agent.site import Site
from mailtrust.agent.supervision import told_fault
from mailtrust.agent.why import Answers, ask
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.sessions import Count, Withdrawn
from mailtrust.core.traffic import Leg, legs, losses
from mailtrust.core.vouching import vouching
from mailtrust.errors import MailtrustError


@dataclass(frozen=True, slots=True)
class MailFlow:
    """The mail of one server over some days; what could not be looked at is None, with why."""

    server: ServerName
    carries: bool
    """False where the server has no transport that we know: then there is no mail to speak of."""
    is_report: bool
    """Its transport only counts whom it would defer."""
    legs: tuple[Leg, ...] | None
    lost: tuple[date, ...]
    """Days of which lines of the log were gone before they were read."""
    sessions_why: str
    """Why the sessions cannot be told; empty where they can."""
    waiting: Answers | None
    """Of each next hop for which mail waits, why."""
    waiting_why: str
    """Why the queue cannot be looked at; empty where it can."""

    @property
    def blocked(self) -> int:
        """On how many routes mail waits that will not go by itself, as far as we could look."""
        return sum(one.conclusion.is_trouble for one in self.waiting.found) if self.waiting is not None else 0

    @property
    def told(self) -> Iterator[str]:
        """Everything in which it can differ; how often all went well aside, which it does all day."""
        yield f"{self.sessions_why}{self.waiting_why}{self.lost}"
        for leg in self.legs or ():
            yield f"{leg.caller}{leg.called}{leg.fingerprint}{leg.taken > 0}{dict(leg.deferred)}"
        for one in self.waiting.found if self.waiting is not None else ():
            yield f"{one.reason}{one.blocked.count if one.blocked is not None else 0}"


async def mail_flow(
    site: Site, view: View, now: datetime, days: int, *, timeout: timedelta | None = None
) -> MailFlow:
    """
    What is known of the mail of *site* in the last *days*, today included.

    *view* is a look at everybody's entry that was made a moment ago.  Never raises.
    """
    carries = site.config.transport.kind != "none"
    counts, sessions_why = await asyncio.to_thread(_counted, site)
    since = (now - timedelta(days=days - 1)).date()
    known = vouching(view)
    withdrawn = known.withdrawn if known is not None else Withdrawn()
    found = None if sessions_why else legs(site.server, counts, withdrawn, since)
    waiting, waiting_why = await _waiting(site, view, timeout) if carries else (None, "")
    is_report = site.config.transport.mode == "report"
    return MailFlow(
        site.server, carries, is_report, found, losses(counts, since), sessions_why, waiting, waiting_why
    )


async def _waiting(site: Site, view: View, timeout: timedelta | None) -> tuple[Answers | None, str]:
    try:
        return await ask(site, None, seen=view, timeout=timeout, on_its_way=False), ""
    except MailtrustError as error:
        return None, error.message
    except Exception as fault:  # noqa: BLE001  # whoever watches everything must not go blind over one queue
        return None, told_fault("the look at the queue met a fault", fault)


def _counted(site: Site) -> tuple[tuple[Count, ...], str]:
    try:
        return site.journal.sessions(), ""
    except MailtrustError as error:
        return (), error.message
