"""
Whether a key was published at some moment, for sessions that are judged after they are over.

A log is read later than it is written, and meanwhile the directory went on: a key that was withdrawn at noon
was good in the morning, and one that was published at noon was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.digests import Digests
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.core.sessions import Reason, Withdrawn

_LOG_ROUNDS = timedelta(seconds=1)
"""A syslog leaves out fractions of a second."""


@dataclass(frozen=True, slots=True)
class Vouching:
    """What one look at the directory tells of every key, and since when."""

    published: Digests[tuple[ServerName, datetime]]
    withdrawn_at: Mapping[str, tuple[ServerName, datetime]] = field(default_factory=dict)
    """By fingerprint: a directory forgets the rest of what it holds no longer."""

    def judge(self, digests: Iterable[str], at: datetime) -> tuple[Reason, str]:
        """What enforcing would have made of who presented any of *digests* then, and whose key it is."""
        asked = tuple(filter(None, digests))
        for digest in asked:
            for _, (server, since) in self.published.find(digest):
                if since <= at + _LOG_ROUNDS:
                    return Reason.PUBLISHED, server
        for digest in asked:
            if (gone := self.withdrawn_at.get(digest)) is not None:
                server, until = gone
                return (Reason.PUBLISHED if at + _LOG_ROUNDS <= until else Reason.WITHDRAWN_KEY), server
        return Reason.UNKNOWN_KEY, ""

    @property
    def withdrawn(self) -> Withdrawn:
        """The same for sessions that a hub judged when they came."""
        return Withdrawn({digest: server for digest, (server, _) in self.withdrawn_at.items()})


def vouching(view: View) -> Vouching | None:
    """
    By the home replica of each server's entry, else by one that could be read.

    None where none could: then nothing can be said of anybody.
    """
    looks = tuple(filter(None, (_decisive(view, server) for server in view.servers())))
    if not looks:
        return None
    held = [
        (one.certificate, (look.server, one.published_at))
        for look in looks
        for one in look.found or ()
        if not one.certificate.is_ca and one.certificate.pin not in look.withdrawn_pins
    ]
    gone = dict(_forgotten(view))
    for server in view.servers():
        gone |= {digest: (server, at) for digest, at in view.withdrawals(server).items()}
    return Vouching(Digests(held), gone)


def _forgotten(view: View) -> Iterator[tuple[str, tuple[ServerName, datetime]]]:
    """What stood on a replica when we first looked, and stands nowhere now: it was published then."""
    looks = [one for server in view.servers() for one in view.replicas(server)]
    places = {one.place for one in looks}
    published = {each.certificate.fingerprint for one in looks for each in one.found or ()}
    unread = {one.server for one in looks if one.found is None}
    for (server, place, fingerprint), at in view.history.first_seen.items():
        if place in places and fingerprint not in published and server not in unread:
            yield fingerprint, (server, at)


def _decisive(view: View, server: ServerName) -> ReplicaSighting | None:
    looks = [one for one in view.replicas(server) if one.found is not None]
    return next(iter(sorted(looks, key=lambda one: not one.home)), None)
