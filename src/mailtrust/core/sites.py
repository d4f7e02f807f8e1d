"""
How long a write may take from one Active Directory controller to another, by the forest's own topology.

Within a site a controller tells its partners 15 seconds after a write, one after the other with 3 seconds
between, and the ring that the directory builds has at most three hops (Microsoft KB 214678).  Between sites a
link is used every so many minutes while its schedule is open, or at once where it notifies.  The directory
takes the cheapest path, and a write may just have missed every link on it: so the waits are added up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mailtrust.core.model.event import Said

HOPS_WITHIN_SITE = 3
FIRST_PARTNER = timedelta(seconds=15)
NEXT_PARTNER = timedelta(seconds=3)
LINK_INTERVAL = timedelta(minutes=180)
"""Of a site link that does not say."""
LINK_COST = 100
MARGIN = timedelta(minutes=1)
"""For a controller that is busy at the wrong moment: a false alarm costs more than a minute."""
_SLOT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Notice:
    """When a controller tells its partners in the same site of a write."""

    first: timedelta = FIRST_PARTNER
    following: timedelta = NEXT_PARTNER


@dataclass(frozen=True, slots=True)
class SiteLink:
    """A connection between sites, as administrators set it up."""

    name: str
    sites: frozenset[str]
    cost: int = LINK_COST
    interval: timedelta = LINK_INTERVAL
    notifies: bool = False
    """It passes a write on as within a site."""
    longest_closed: timedelta = timedelta(0)
    """The longest time for which its schedule keeps it shut."""


@dataclass(frozen=True, slots=True)
class Controller:
    """One domain controller, as the forest knows it."""

    host: str
    """Its DNS name, lower case."""
    site: str
    settings: str
    """The name of its NTDS Settings entry."""
    writer: str
    """How its writes are signed: its invocationId."""
    read_only: bool = False
    partners: tuple[str, ...] = ()
    """The hosts that it copies from."""
    contexts: tuple[str, ...] = ()
    """The naming contexts that it holds; empty where it does not tell."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The controllers, and what connects their sites."""

    controllers: tuple[Controller, ...] = ()
    links: tuple[SiteLink, ...] = ()
    notice: Notice = field(default_factory=Notice)

    def at(self, host: str) -> Controller | None:
        """The controller of that name."""
        return next((one for one in self.controllers if one.host == host.lower()), None)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long it may take, and how that comes about."""

    longest: timedelta
    steps: tuple[Said, ...]


def latency(forest: Forest, source: str, target: str) -> Latency | None:
    """From site *source* to site *target*; None where no links connect them."""
    path = _cheapest(forest.links, source, target)
    if path is None:
        return None
    margin = MARGIN, Said("latency.margin", {"seconds": f"{MARGIN.total_seconds():g}"})
    steps = [_within(forest, source)]
    for link, arrived in path:
        steps += [_across(link, forest.notice), _within(forest, arrived)]
    steps.append(margin)
    return Latency(sum((wait for wait, _ in steps), timedelta(0)), tuple(said for _, said in steps))


def latencies(forest: Forest, target: Controller) -> Mapping[str, timedelta]:
    """How long the writes of each controller may take to reach *target*, by writer."""
    found = ((one.writer, latency(forest, one.site, target.site)) for one in forest.controllers)
    return {writer: known.longest for writer, known in found if known is not None}


def longest_closed(slots: Sequence[bool]) -> timedelta:
    """
    The longest time for which a week's schedule is shut; *slots* are quarters of an hour, open or not.

    A schedule that is never open counts as always open: the directory ignores it.
    """
    if not any(slots):
        return timedelta(0)
    longest = run = 0
    # Twice around, because a week has no end.
    for is_open in (*slots, *slots):
        run = 0 if is_open else run + 1
        longest = max(longest, run)
    return longest * _SLOT


def _within(forest: Forest, site: str) -> tuple[timedelta, Said]:
    count = sum(one.site == site for one in forest.controllers)
    hops = min(HOPS_WITHIN_SITE, max(count - 1, 0))
    notice = forest.notice
    wait = hops * (notice.first + notice.following * max(min(count - 1, HOPS_WITHIN_SITE) - 1, 0))
    values = {"site": site, "hops": str(hops), "seconds": f"{wait.total_seconds():g}"}
    return wait, Said("latency.within-site", values)


def _across(link: SiteLink, notice: Notice) -> tuple[timedelta, Said]:
    values = {"link": link.name, "minutes": f"{link.interval.total_seconds() / 60:g}"}
    if link.notifies:
        seconds = f"{notice.first.total_seconds():g}"
        return notice.first, Said("latency.link-notifies", {**values, "seconds": seconds})
    if not link.longest_closed:
        return link.interval, Said("latency.link", values)
    closed = f"{link.longest_closed.total_seconds() / 60:g}"
    return link.interval + link.longest_closed, Said("latency.link-closed", {**values, "closed": closed})


def _cheapest(links: Iterable[SiteLink], source: str, target: str) -> tuple[tuple[SiteLink, str], ...] | None:
    """The links to take, each with the site that it leads to."""
    waiting: list[tuple[int, int, str, tuple[tuple[SiteLink, str], ...]]] = [(0, 0, source, ())]
    done: set[str] = set()
    order = 0
    links = tuple(links)
    while waiting:
        cost, _, site, path = heapq.heappop(waiting)
        if site == target:
            return path
        if site in done:
            continue
        done.add(site)
        for link in links:
            for beyond in sorted(link.sites - done) if site in link.sites else ():
                order += 1
                heapq.heappush(waiting, (cost + link.cost, order, beyond, (*path, (link, beyond))))
    return None
