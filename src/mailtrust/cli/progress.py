"""
Watching a certificate arrive at every replica: live on a terminal, one line per change elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.table import Table

from mailtrust import clock
from mailtrust.agent.replication import Standing, standings
from mailtrust.agent.site import Site
from mailtrust.cli.output import is_terminal, say, screen
from mailtrust.cli.render import place_name, symbol
from mailtrust.config import Config
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import said_duration, when
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    from rich.live import Live

_BEYOND_LATENCY = timedelta(minutes=1)


def patience(config: Config) -> timedelta:
    """How long a wait may last where nobody says: what replication may take, and a little more."""
    return config.core_policy().latency + _BEYOND_LATENCY


def replica_url(config: Config, text: str) -> str:
    """
    The configured replica that *text* names, by its URL or its short name.

    Raises: BadInput for one that is none of ours, or for two.
    """
    urls = config.directory.replicas
    found = [url for url in urls if text == url] or [url for url in urls if text == place_name(url)]
    if len(found) != 1:
        raise BadInput(
            f"{text!r} names {'several' if found else 'none'} of this server's replicas",
            hint=f"they are {', '.join(urls)}",
        )
    return found[0]


def holds(look: ReplicaSighting, certificate: Certificate) -> bool | None:
    """True where that replica publishes its key; None where we could not look."""
    return None if look.found is None else look.publication(certificate.pin) is not None


class Spread:
    """Shows, look by look, which replicas have a certificate."""

    def __init__(self, site: Site, certificate: Certificate, live: Live | None, *, quiet: bool) -> None:
        self._site = site
        self._certificate = certificate
        self._live = live
        self._quiet = quiet
        self._told: dict[str, str] = {}

    def see(self, view: View) -> None:
        """Show what changed since the last look."""
        now = clock.now()
        server, policy = self._site.server, self._site.policy
        found = standings(view, server, self._certificate, policy, now)
        if self._live is not None:
            self._live.update(_table(found, now))
        elif not self._quiet:
            for one in found:
                # Not by the words that tell the time: they differ at each look.
                state = in_words(one, now)
                if one.look.place not in self._told or self._told[one.look.place] != _kind(one):
                    say(f"{place_name(one.look.place)}: {state}")
                self._told[one.look.place] = _kind(one)


@contextmanager
def spread_of(site: Site, certificate: Certificate, *, quiet: bool) -> Iterator[Spread]:
    """A `Spread` on this terminal; with *quiet* it shows nothing."""
    if quiet or not is_terminal():
        yield Spread(site, certificate, None, quiet=quiet)
        return
    from rich.live import Live

    with Live(console=screen(), refresh_per_second=8) as live:
        yield Spread(site, certificate, live, quiet=False)


def in_words(one: Standing, now: datetime) -> str:
    """Since when a replica has it, or since when and until when it is behind."""
    look, lack = one.look, one.lack
    if look.found is None:
        return f"could not be read: {look.why}"
    if one.held is not None:
        return f"has it, written {when(one.held.published_at)}"
    if lack is None:
        return "does not have it"
    behind = f"behind by {in_short(now - lack.published_at)}"
    if lack.fate is Fate.LOST:
        return "saw the write and does not have it: taken out there, or lost"
    if now < lack.deadline:
        return f"{behind}, due in {in_short(lack.deadline - now)}"
    proof = ": says itself that it has not arrived" if lack.fate is Fate.LATE else ""
    return f"{behind}, overdue since {when(lack.deadline)}{proof}"


def in_short(span: timedelta) -> str:
    """A time as people say it: ``1m 15s``."""
    return said_duration(max(span.total_seconds(), 0))


def _kind(one: Standing) -> str:
    """What a line is about; the same for two that differ by the time alone."""
    if one.lack is None:
        return f"{one.look.found is None} {one.held is not None} {one.look.why}"
    return f"{one.lack.fate} {one.look.seen_at >= one.lack.deadline}"


def _table(found: Iterable[Standing], now: datetime) -> Table:
    table = Table.grid(padding=(0, 1))
    for one in found:
        there = None if one.look.found is None else one.held is not None
        table.add_row(" ", symbol(there=there), place_name(one.look.place), in_words(one, now))
    return table
