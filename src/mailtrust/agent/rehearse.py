"""
Rehearse: a real SMTP session with each peer that presents a certificate which is not current yet.

It goes as far as the peer's yes or no, and takes everything back: no mail is moved, nothing is changed but a
line in the journal.  What cannot be asked is an answer of its own, with the reason; nothing here raises for a
peer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta

from mailtrust import clock
from mailtrust.agent.site import Site
from mailtrust.certificates.store import Credential
from mailtrust.core.events.catalog import BY_CODE
from mailtrust.core.model.certificate import Certificate, Fingerprint, certificate, short
from mailtrust.core.model.rehearsal import Rehearsed, Verdict
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import Act, RehearsalSighting, View
from mailtrust.core.model.trust import Column, Snapshot, Trusted
from mailtrust.errors import MailtrustError, NotACertificate, StoreUnavailable, UnknownCertificate
from mailtrust.probes.tls import tell_when_asked
from mailtrust.smtp.rehearsal import POSTMASTER, Taken, TurnedAway
from mailtrust.transports.hub.next_hop import tls_name
from mailtrust.transports.hub.outbound import HopUnavailable, Outbound
from mailtrust.transports.hub.tls import client_context

Peer = tuple[ServerName, Endpoint]

AT_ONCE = 20
"""A peer counts connections, and ours come from one address; they also come while mail does."""
_STEPS = 3
"""A session has several answers to wait for; for all of them so many times what one probe may take."""
_NUMBER = re.compile(r"\b(\d{4,5})\b")


async def rehearse(
    site: Site,
    fingerprint: Fingerprint,
    peers: Iterable[Peer],
    *,
    timeout: timedelta | None = None,
    told: Callable[[Rehearsed], None] | None = None,
) -> tuple[Rehearsed, ...]:
    """
    What each peer says to that certificate of our store, in the order of *peers*; *told* hears each at once.

    *timeout* is for a whole session with one peer.  Raises: StoreUnavailable, KeyMismatch, NotACertificate,
    UnknownCertificate, where the certificate cannot be presented.
    """
    asked = tuple(peers)
    credential = await asyncio.to_thread(site.store.credential, fingerprint)
    if credential is None:
        raise UnknownCertificate(f"the store has no certificate {short(fingerprint)}")
    believed = await _snapshot(site)
    patience = timeout or site.config.policy.probe_timeout * _STEPS
    room = asyncio.Semaphore(AT_ONCE)

    async def one(peer: Peer) -> Rehearsed:
        async with room:
            heard = await _ask(site.server, credential, peer, believed, patience)
        if told is not None:
            told(heard)
        return heard

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(peer)) for peer in asked]
    found = tuple(task.result() for task in running)
    await asyncio.to_thread(_record, site, found)
    return found


def peers_in(view: View, own: ServerName) -> tuple[Peer, ...]:
    """Every other server that says in the directory where it presents: by home, else by whichever knows."""
    return tuple(
        (server, endpoint)
        for server in view.servers()
        if server != own
        for endpoint in _listeners(view, server)
    )


async def rehearse_with_everybody(
    site: Site, view: View, fingerprint: Fingerprint
) -> tuple[RehearsalSighting, ...]:
    """
    The answers of every peer in *view* as evidence for a rotation.  Never raises: where the certificate
    cannot be presented at all, nobody could be asked.
    """
    try:
        found = await rehearse(site, fingerprint, peers_in(view, site.server))
    except MailtrustError as error:
        now = clock.now()
        return (RehearsalSighting(site.server, site.server, fingerprint, None, now, error.message),)
    return tuple(one.sighting_of(site.server) for one in found)


async def _ask(
    server: ServerName, credential: Credential, peer: Peer, believed: Snapshot | None, patience: timedelta
) -> Rehearsed:
    name, endpoint = peer
    asked: list[bool] = []
    context = client_context(credential)
    tell_when_asked(context, lambda: asked.append(True))
    outbound: Outbound | None = None
    verdict, why = Verdict.UNKNOWN, ""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            outbound = await Outbound.connect(endpoint, server, tls=True, timeout=patience, patience=patience)
            await outbound.greet(context, tls_name(endpoint.host))
            # The second address is one that only those may send to whom the peer trusts.
            answer = await outbound.rehearse((POSTMASTER, f"{POSTMASTER}@{server}"))
            match answer:
                case Taken():
                    verdict, why = Verdict.ACCEPTED, str(answer.reply)
                case TurnedAway() if not asked:
                    # It would say the same to the certificate that we present today.
                    why = f"it did not ask for our certificate, so that this is not about it: {answer.reply}"
                case TurnedAway():
                    verdict = Verdict.REFUSED if answer.reply.permanent else Verdict.DEFERRED
                    why = str(answer.reply)
                case _:
                    why = answer.why
            await outbound.quit()
    except HopUnavailable as unavailable:
        why = why or unavailable.why
    except TimeoutError:
        why = why or f"it did not answer within {patience.total_seconds():g} s"
    finally:
        if outbound is not None:
            await outbound.close()
    leaf = _leaf(outbound)
    trusts = None if leaf is None or believed is None else isinstance(believed.judge(leaf), Trusted)
    return Rehearsed(
        name, endpoint, credential.certificate.fingerprint, verdict, clock.now(), why,
        _event(why) if verdict is not Verdict.ACCEPTED else None, bool(asked), leaf, trusts,
    )  # fmt: skip


async def _snapshot(site: Site) -> Snapshot | None:
    """Whom we would believe ourselves, by home; None where it cannot be read."""
    try:
        column: Column = await site.directory.home.column(clock.now())
    except MailtrustError:
        return None
    return Snapshot().renewed(column, site.directory.home.url, clock.now())


def _listeners(view: View, server: ServerName) -> tuple[Endpoint, ...]:
    looks = sorted(view.replicas(server), key=lambda one: not one.home)
    return next((one.listeners for one in looks if one.listeners), ())


def _leaf(outbound: Outbound | None) -> Certificate | None:
    der = outbound.presented if outbound is not None else None
    try:
        return certificate(der) if der is not None else None
    except NotACertificate:
        return None


def _event(reply: str) -> int | None:
    numbers: Iterator[int] = (int(one) for one in _NUMBER.findall(reply))
    return next((one for one in numbers if one in BY_CODE), None)


def _record(site: Site, found: tuple[Rehearsed, ...]) -> None:
    """One line for all of them, with whoever says no: two thousand peers are asked at each rotation."""
    if not found:
        return
    yes = sum(one.verdict is Verdict.ACCEPTED for one in found)
    no = "; ".join(f"{one.peer} {one.endpoint}: {one.why}" for one in found if one.holds_back)
    first = found[0]
    place = f"{yes} of {len(found)} peers"
    act = Act("rehearse", site.server, first.fingerprint, first.seen_at, place, no)
    # It costs the line and not the answer.
    with suppress(StoreUnavailable):
        site.journal.record_act(act)
