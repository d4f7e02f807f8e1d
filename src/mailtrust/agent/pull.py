"""
Bringing one server's certificates to the replicas that lack them, without waiting for the next round.

Where a replica can be told to fetch one entry (Active Directory) it is told.  Where it cannot, or not by us,
the directory's administrator can, and gets the command that does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.sites import Controller
from mailtrust.directory.ad import AdReplica
from mailtrust.errors import DirectoryUnavailable


@dataclass(frozen=True, slots=True)
class Pulled:
    """One certificate that a replica lacked, and what came of telling it to fetch it."""

    replica: str
    leaf: Certificate
    source: str
    """Where it stands."""
    done: bool
    why: str = ""
    commands: tuple[str, ...] = ()
    """What the directory's administrator can type instead."""


async def pull(site: Site, server: ServerName, *, dry_run: bool = False) -> tuple[Pulled, ...]:
    """
    Tell every readable replica to fetch what it lacks of that server; empty where none lacks anything.

    With *dry_run* nobody is told anything.
    """
    looks = await site.directory.look((server,), clock.now())
    view = {look.place: look for look in looks if look.found is not None}
    withdrawn = {fingerprint for fingerprint, _ in site.journal.history().withdrawn(server)}
    results = []
    for look in view.values():
        for leaf, held in _lacking(look, view):
            if leaf.fingerprint not in withdrawn:
                results.append(await _pull(site, look.place, leaf, held, server, dry_run=dry_run))
    return tuple(results)


def _lacking(
    look: ReplicaSighting, view: Mapping[str, ReplicaSighting]
) -> Sequence[tuple[Certificate, ReplicaSighting]]:
    """What others publish and it does not, each with a look that found it."""
    held = {one.certificate.fingerprint for one in look.found or ()}
    missing: dict[Certificate, ReplicaSighting] = {}
    for other in view.values():
        for one in other.found or ():
            if one.certificate.fingerprint not in held:
                missing.setdefault(one.certificate, other)
    return tuple(missing.items())


async def _pull(
    site: Site, place: str, leaf: Certificate, held: ReplicaSighting, server: ServerName, *, dry_run: bool
) -> Pulled:
    replica, found = site.directory.replica(place), site.directory.discovery
    if not isinstance(replica, AdReplica) or found is None:
        why = "this kind of directory fetches no single entry; its replication has to be mended"
        return Pulled(place, leaf, held.place, done=False, why=why, commands=_usual(site, place, held))
    source = held.place
    here, there = (found.found.controllers.get(url) for url in (place, source))
    if here is None or there is None:
        return Pulled(
            place, leaf, source, done=False, why="the forest does not tell which controllers they are"
        )
    commands: tuple[str, ...] = ()
    try:
        commands = _commands(here, there, await replica.entry_of(server, leaf.der))
        if not dry_run:
            await replica.pull(server, leaf.der, there)
    except DirectoryUnavailable as error:
        return Pulled(place, leaf, source, done=False, why=error.message, commands=commands)
    return Pulled(place, leaf, source, done=not dry_run, commands=commands)


def _commands(here: Controller, there: Controller, entry: str) -> tuple[str, ...]:
    context = next((one for one in here.contexts if entry.lower().endswith(one.lower())), "")
    samba = f"samba-tool drs replicate {here.host} {there.host} '{context}'"
    windows = f'repadmin /replsingleobj {here.host} {there.host} "{entry}"'
    return windows, samba


def _usual(site: Site, place: str, held: ReplicaSighting) -> tuple[str, ...]:
    if not site.policy.replicates_itself:
        return ("mailtrust directory replicate --once",)
    if held.changed is None:
        # OpenLDAP numbers its changes for everybody to see, 389 DS does not.
        return (f"dsconf {held.place} replication monitor",)
    base = site.config.directory.base
    return (f"ldapsearch -H {place} -s base -b '{base}' contextCSN", "systemctl restart slapd")
