"""Replication on the screen: where a certificate stands, and how long it takes to get there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mailtrust.agent.look import Assessment
from mailtrust.agent.replication import standings, subject
from mailtrust.agent.site import Site
from mailtrust.cli.progress import in_short, in_words
from mailtrust.cli.render import place_name, symbol
from mailtrust.core.clean import clean
from mailtrust.core.model.certificate import short
from mailtrust.core.model.server import ServerName
from mailtrust.core.sites import Controller, Latency, latency
from mailtrust.directory.base import ReplicaState
from mailtrust.texts import Texts


def spread(seen: Assessment, server: ServerName) -> RenderableType | None:
    """Where the certificate that counts stands, replica by replica; None where there is none to speak of."""
    leaf = subject(seen.view, server, seen.policy, seen.checked_at)
    found = standings(seen.view, server, leaf, seen.policy, seen.checked_at) if leaf else ()
    if leaf is None or len(found) < 2:
        return None
    table = Table.grid(padding=(0, 1))
    for one in found:
        there = None if one.look.found is None else one.held is not None
        marks = f"{'*' if one.look.home else ''}{'+' if one.look.primary else ''}"
        name = clean(f"{place_name(one.look.place)}{marks}")
        table.add_row(" ", symbol(there=there), name, clean(in_words(one, seen.checked_at)))
    return Group(Text(f"  {short(leaf.fingerprint)} on the replicas:", "dim"), table)


def latency_to(site: Site, state: ReplicaState) -> Latency | None:
    """How long a write at the primary may take to get there, by the directory's own links, where it tells."""
    found = site.directory.discovery
    if found is None or site.config.directory.latency is not None:
        return None
    here = found.found.controllers.get(state.url)
    there = found.found.controllers.get(site.directory.primary.url)
    if here is None or there is None or here is there:
        return None
    return latency(found.found.forest, there.site, here.site)


def controller_of(site: Site, state: ReplicaState) -> Controller | None:
    """The domain controller that a replica is; None where it is none, or was not found."""
    return site.directory.discovery.found.controllers.get(state.url) if site.directory.discovery else None


def described(
    site: Site, state: ReplicaState, measured: Mapping[str, tuple[timedelta, ...]], texts: Texts
) -> Iterator[str]:
    """What is known of one replica besides what it holds, a sentence each."""
    own = controller_of(site, state)
    if own is not None:
        kind = "read-only controller" if own.read_only else "controller"
        copies = f", copies from {', '.join(own.partners)}" if own.partners else ""
        yield f"{kind} in site {own.site}{copies}"
    if state.took is not None:
        yield f"answers in {state.took.total_seconds() * 1000:.0f} ms"
    due = latency_to(site, state)
    if due is not None:
        steps = "; ".join(texts.say(step) for step in due.steps)
        yield f"replication is due within {in_short(due.longest)}: {steps}"
    elif state.url != site.directory.primary.url:
        yield f"replication is due within {in_short(site.policy.latency)} (directory.latency)"
    if took := measured.get(state.url):
        longest = f", at most {_exactly(max(took))} of the last {len(took)}" if len(took) > 1 else ""
        yield f"replication took {_exactly(took[-1])} when it was last measured{longest}"


def _exactly(took: timedelta) -> str:
    seconds = took.total_seconds()
    return f"{seconds:.1f}s" if seconds < 60 else in_short(took)
