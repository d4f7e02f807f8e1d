"""
Sessions, counted from the log that Postfix writes: what a hub counts by itself.

Postfix knows nobody by the directory while old rules decide, and it need not: its log says what each client
showed, and the directory says whose that is.  Reading changes nothing but our own journal.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mailtrust.agent.look import Scope, look
from mailtrust.agent.site import Site
from mailtrust.core.adopt.receiving import OWN_LISTENER
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import View
from mailtrust.core.sessions import OTHERS, Count, Met, PeerReport, Reason, Way, Withdrawn, gathered, reports
from mailtrust.core.vouching import Vouching, vouching
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.log import DAEMON, Logged
from mailtrust.transports.postfix.maillog import JOURNAL, Loss, Maillog
from mailtrust.transports.postfix.settings import settings

_OWN_LISTENER = f"{OWN_LISTENER}/{DAEMON}"
"""How the listener for peers alone signs its lines: whoever calls there is one, or means to be."""

_USUAL_LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"))
_NAMES_WITHIN = timedelta(seconds=10)
_GATHER_AT = 10_000


@dataclass(frozen=True, slots=True)
class Report:
    """What was counted so far, and what was not."""

    peers: tuple[PeerReport, ...]
    notes: tuple[Said, ...]
    """Why some sessions may be missing, and what to do about it."""


async def report(site: Site, now: datetime, days: int | None = None) -> Report:
    """
    Every peer's sessions of the last *days*, today included; of Postfix, after reading on in its log.

    Raises: StoreUnavailable where the journal cannot be read or written.
    """
    view, _ = await look(site, Scope(everybody=True), wire=False)
    known = vouching(view)
    notes: list[Said] = []
    if site.config.transport.kind == "postfix":
        notes += await _read_on(site, view, known, now)
    elif known is None:
        notes.append(Said("counting.directory-unread"))
    since = None if days is None else (now - timedelta(days=days - 1)).date()
    withdrawn = known.withdrawn if known is not None else Withdrawn()
    counts = await asyncio.to_thread(site.journal.sessions)
    return Report(reports(counts, withdrawn, since), tuple(notes))


async def _read_on(site: Site, view: View, known: Vouching | None, now: datetime) -> Iterable[Said]:
    if known is None:
        # What is read now would be judged by nothing; it is still there the next time.
        return (Said("counting.directory-unread"),)
    addresses, unresolved = await _addresses(view, site.server)
    peers = addresses | site.config.transport.peer_modes.keys()
    try:
        source, notes = await asyncio.to_thread(_source, site)
        await asyncio.to_thread(_count, site, source, known, peers, now)
    except TransportUnavailable as error:
        return (Said("counting.log-unread", {"why": f"{error.message}; {error.hint}".rstrip("; ")}),)
    if unresolved:
        notes = (*notes, Said("counting.no-address", {"servers": ", ".join(unresolved)}))
    return notes


def _source(site: Site) -> tuple[str, tuple[Said, ...]]:
    """Where Postfix logs, and what it does not log."""
    transport = site.config.transport
    said = settings(
        transport.postfix,
        ("maillog_file", "smtpd_tls_loglevel", "smtpd_tls_ask_ccert", "smtpd_tls_req_ccert"),
    )
    notes = []
    if "peercert" not in said["smtpd_tls_loglevel"]:
        notes.append(Said("counting.not-logged"))
    if "yes" not in (said["smtpd_tls_ask_ccert"], said["smtpd_tls_req_ccert"]):
        notes.append(Said("counting.not-asked"))
    if transport.log != "auto":
        return transport.log, tuple(notes)
    named = said["maillog_file"]
    found = [Path(named)] if named else [one for one in _USUAL_LOGS if one.exists()]
    return str(found[0]) if found else JOURNAL, tuple(notes)


def _count(site: Site, source: str, known: Vouching, peers: Collection[str], now: datetime) -> None:
    began = site.journal.bookmark(source)
    reading = Maillog(source, began, now)
    counts: list[Count] = []
    for one in reading.sessions():
        if one.tag.endswith(_OWN_LISTENER) or one.reason is None or one.address in peers:
            counts.append(_judged(one, known))
        if len(counts) > _GATHER_AT:
            counts = list(gathered(counts))
    if reading.loss is not None:
        counts += _lost(reading.loss)
    site.journal.read_on(source, began, gathered(counts), reading.place, now)


def _judged(one: Logged, known: Vouching) -> Count:
    reason, server = one.reason, ""
    if reason is None:
        reason, server = known.judge((one.pin, one.fingerprint), one.at)
    met = Met(one.address, Way.FROM, reason, server, one.fingerprint, one.pin)
    return Count(met, 1, one.at, one.at)


def _lost(loss: Loss) -> Iterable[Count]:
    """Each day between the last line that was read and the first one that is left."""
    at = loss.since or loss.until
    while at.date() <= loss.until.date():
        yield Count(Met(OTHERS, Way.FROM, Reason.LOG_LOST), 1, at, at)
        at += timedelta(days=1)


async def _addresses(view: View, own: ServerName) -> tuple[frozenset[str], tuple[str, ...]]:
    """Where the directory's servers call from, as far as their names tell; and whose do not."""
    hosts = {
        endpoint.host: server
        for server in view.servers()
        if server != own
        for look in view.replicas(server)
        for endpoint in look.listeners
    }
    for server in view.servers():
        if server != own:
            hosts.setdefault(server, server)
    found = await _resolved(tuple(hosts))
    known = {hosts[host] for host in found}
    addresses = frozenset(address for held in found.values() for address in held)
    return addresses, tuple(sorted(set(hosts.values()) - known))


async def _resolved(hosts: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    loop, found = asyncio.get_running_loop(), dict[str, frozenset[str]]()

    async def ask(host: str) -> None:
        try:
            async with asyncio.timeout(_NAMES_WITHIN.total_seconds()):
                answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            return
        found[host] = frozenset(str(one[4][0]) for one in answers)

    await asyncio.gather(*map(ask, hosts))
    return found
