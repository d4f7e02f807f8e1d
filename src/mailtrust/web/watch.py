"""
What one look cannot tell, and the looks before it can: what arrived at a replica in between, and the mail.

It is kept in memory, and bounded: the dashboard writes nothing.  What was seen before it was started, the
journal knows, where somebody kept one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from mailtrust.agent.look import Assessment
from mailtrust.agent.mail_flow import MailFlow, mail_flow
from mailtrust.agent.site import Site
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.server import ServerName
from mailtrust.core.punctuality import Arrival

MAIL_DAYS = 7
_MOST_ARRIVALS = 500
_MAIL_EVERY = timedelta(seconds=10)
"""Whoever mail waits for is called each time, and may take long to answer."""
_ANSWER_WITHIN = timedelta(seconds=3)
_NOTHING = timedelta(0)


class Watch:
    """What was noticed through one configuration, look after look."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before: dict[tuple[ServerName, str], frozenset[Fingerprint]] = {}
        self._arrivals: deque[Arrival] = deque(maxlen=_MOST_ARRIVALS)
        self._mail: tuple[datetime, MailFlow] | None = None

    def arrivals(self, seen: Assessment) -> tuple[Arrival, ...]:
        """Everything that came since the first look, after another one."""
        for server in seen.scope:
            self._arrivals.extend(self._came(seen, server))
        return tuple(self._arrivals)

    async def mail(self, seen: Assessment) -> MailFlow:
        """The mail, as it was known a moment ago at most."""
        if self._mail is None or seen.checked_at - self._mail[0] >= _MAIL_EVERY:
            found = await mail_flow(self._site, seen.view, seen.checked_at, MAIL_DAYS, timeout=_ANSWER_WITHIN)
            self._mail = seen.checked_at, found
        return self._mail[1]

    def _came(self, seen: Assessment, server: ServerName) -> Iterator[Arrival]:
        for look in seen.view.replicas(server):
            if look.found is None:
                continue
            here = frozenset(one.certificate.fingerprint for one in look.found)
            before = self._before.get((server, look.place))
            self._before[server, look.place] = here
            # Where it is written it is at once; and of the first look nobody knows since when it is true.
            if before is None or look.primary:
                continue
            for one in look.found:
                if one.certificate.fingerprint not in before:
                    took = max(seen.checked_at - one.published_at, _NOTHING)
                    yield Arrival(look.place, server, one.certificate.fingerprint, seen.checked_at, took)
