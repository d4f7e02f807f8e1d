"""
Does mail flow from here, or from another server, to somebody?  `mailtrust flow FROM TO`.

From here a real session is taken and each stage of it is seen.  From another server none can be taken: what
is seen is its certificate and the receiver's, and what follows from these is concluded, and called so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mailtrust import clock
from mailtrust.agent.arrival import Arrival, Marked, arrival
from mailtrust.agent.look import look, plans_of
from mailtrust.agent.route import Leg, Target, Way, listeners, named, neighbours, target, way
from mailtrust.agent.site import Site
from mailtrust.agent.walk import Envelope, walk
from mailtrust.certificates.store import Credential
from mailtrust.core.checks import diagnose
from mailtrust.core.flow import Hop, Memory, Picture, Stage, Stop, Trace, Verdict, judge, worst
from mailtrust.core.flow.conclude import concluded, no_route, nowhere
from mailtrust.core.flow.send import arrived
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import View, WireFailure, WireSighting
from mailtrust.core.model.trust import Column, Snapshot
from mailtrust.core.why import Facts
from mailtrust.directory import snapshot as snapshots
from mailtrust.errors import BadInput, MailtrustError, StoreUnavailable
from mailtrust.smtp.rehearsal import POSTMASTER

_TLS_VERBS = ("X-ANONYMOUSTLS", "STARTTLS")
_MOST_OTHERS = 3
"""Listeners of the same server that are looked at to compare."""
_REMEMBERED_FOR = timedelta(days=30)
_ARRIVES_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Flow:
    """The whole way."""

    sender: ServerName
    asked: str
    """What was asked for, in full."""
    at: datetime
    hops: tuple[Hop, ...]
    # As in `look`: `asyncio.run` would write out a whole organization in words.
    view: View = field(repr=False)
    ends: Said | None = None
    message: Marked | None = None
    arrival: Arrival | None = None
    notes: tuple[Said, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What holds for the whole way."""
        return worst(tuple(one.verdict for one in self.hops))


@dataclass(frozen=True, slots=True)
class Walked:
    """One session, with what is needed to judge it."""

    leg: Leg
    trace: Trace
    picture: Picture
    memory: Memory


@dataclass(frozen=True, slots=True)
class Desk:
    """What all sessions of one call share."""

    site: Site
    view: View = field(repr=False)
    credential: Credential | None
    trust: Snapshot | None = field(repr=False)
    """Whom our transport believes; None where no picture of the directory can be had."""
    patience: timedelta


async def open_desk(site: Site, timeout: timedelta | None = None) -> Desk:
    """Look at the directory and at our own listeners.  *timeout* is for each answer.  Never raises."""
    limit = timeout or site.config.policy.probe_timeout
    (view, _), trust, credential = await asyncio.gather(
        look(site, timeout=limit), _trust(site), asyncio.to_thread(_credential, site)
    )
    return Desk(site, view, credential, trust, limit)


async def flow(desk: Desk, sender: str | None, to: str, message: Marked | None = None) -> Flow:
    """
    The way of mail from *sender* (None: this server) to *to*; with *message* it is handed over.

    Raises: BadInput for what is neither a server, a domain, an address nor an endpoint, and for a sender
    that the directory does not know; Refused for a message of another server.
    """
    site = desk.site
    name = named(sender, desk.view) if sender is not None else site.server
    wanted = target(to, desk.view)
    if name != site.server:
        return await _from_elsewhere(desk, name, wanted)
    found = await asyncio.to_thread(way, site, desk.view, wanted)
    if not found.legs:
        return Flow(name, wanted.text, clock.now(), (no_route(name, wanted.text),), desk.view)
    walked, view = await _walked(desk, found, message)
    hops = _judged(desk, view, found, walked, sends=message is not None)
    said = Said("flow.only-published", {"server": name, "to": wanted.text})
    notes = (said,) if found.no_route else ()
    done = Flow(name, wanted.text, clock.now(), hops, view, found.ends, message, None, notes)
    return await _with_arrival(desk, done, found, message) if message is not None else done


async def take(
    desk: Desk, leg: Leg, recipient: str, message: Marked | None = None, *, otherwise: str = ""
) -> Walked:
    """
    One session along *leg*, which has an endpoint; what is remembered of that listener comes with it.

    Without a *recipient* nothing is asked for: it ends with the handshake, and without our certificate.
    *otherwise* is asked for where the recipient is refused for good.
    """
    assert leg.where is not None  # noqa: S101  # the caller has one to go to
    site = desk.site
    picture = Picture(None)

    def believes(leaf: Certificate | None) -> bool:
        nonlocal picture
        picture = _picture(desk, leg, leaf)
        return picture.is_good and bool(recipient)

    content = message.content if message is not None else None
    shown = desk.credential if recipient else None
    envelope = Envelope(site.server, recipient or POSTMASTER, shown, content, otherwise)
    others = [one for one in listeners(desk.view, leg.receiver) if one != leg.where][:_MOST_OTHERS]
    trace, memory = await asyncio.gather(
        walk(leg.where, envelope, believes, desk.patience), _memory(desk, leg.where, others)
    )
    await asyncio.to_thread(_remember, site, leg.receiver, trace, memory)
    return Walked(leg, trace, picture, memory)


def sighting(server: ServerName, trace: Trace) -> WireSighting:
    """The same look as the checks know it."""
    stage = trace.stopped_at
    passage = trace.passages[stage] if stage is not None else None
    leaf = (trace.leaf,) if trace.leaf is not None else None
    failure, phase, why = None, "done", ""
    if leaf is None:
        unreadable = trace.unreadable is not None
        failure = WireFailure.HANDSHAKE if unreadable else _FAILURES.get(stage, WireFailure.UNREACHABLE)
        phase = {Stage.VERBS: "starttls"}.get(stage, stage.value) if stage is not None else "handshake"
        why = passage.said if passage is not None else "what it presents cannot be read"
        if passage is not None and passage.stop is Stop.NO_VERB:
            failure = WireFailure.NOT_OFFERED
            why = passage.said or "the answer to EHLO does not offer X-ANONYMOUSTLS or STARTTLS"
        elif passage is not None and passage.stop is Stop.OUR_LIMIT:
            failure = WireFailure.NO_ANSWER
    return WireSighting(
        server, trace.endpoint, leaf, trace.began_at, why, failure, phase, trace.verb, trace.protocol,
        trace.asked if leaf is not None else None,
    )  # fmt: skip


_FAILURES: Mapping[Stage | None, WireFailure] = {
    Stage.HANDSHAKE: WireFailure.HANDSHAKE,
    None: WireFailure.HANDSHAKE,
}


def facts_of(desk: Desk, view: View, leg: Leg, servers: Collection[ServerName] = ()) -> Facts:
    """Both sides of a hop, as the checks see them; *servers*: all that are diagnosed."""
    site, now = desk.site, clock.now()
    scope = tuple(sorted({site.server, leg.receiver, *servers}))
    diagnosis = diagnose(view, plans_of(site, view, now), site.policy, now, scope, site.server)
    transport = site.config.transport
    postfix = transport.kind == "postfix"
    return Facts(
        view, diagnosis, site.policy, now, site.server, leg.receiver, leg.known, leg.hop or str(leg.where),
        restart=f"postfix -c {transport.postfix} reload" if postfix else "mailtrust hub",
        one_process=transport.kind == "hub",
        compile="mailtrust postfix compile" if postfix else "",
    )  # fmt: skip


async def _walked(desk: Desk, found: Way, message: Marked | None) -> tuple[tuple[Walked | None, ...], View]:
    """A session with the first hop, and looks at whoever takes part further on."""
    first, *further = found.legs
    if first.where is None:
        return (None, *(None for _ in further)), desk.view
    # Our certificate is shown to the first alone: further on it is somebody else who calls.
    # Not every server has its own name among its domains, and every one has a postmaster.
    otherwise = POSTMASTER if found.target.is_server and message is None else ""
    looks = [take(desk, first, found.target.recipient, message, otherwise=otherwise)]
    looks += [take(desk, leg, "") for leg in further if leg.where]
    walked = tuple(await asyncio.gather(*looks))
    view = desk.view.see(sighting(one.leg.receiver, one.trace) for one in walked)
    return walked, view


def _judged(
    desk: Desk, view: View, found: Way, walked: tuple[Walked | None, ...], *, sends: bool
) -> tuple[Hop, ...]:
    first = walked[0]
    if first is None:
        return (nowhere(facts_of(desk, view, found.legs[0]), found.legs[0].route),)
    facts = facts_of(desk, view, first.leg)
    hop = judge(first.trace, facts, first.picture, first.memory, sends=sends)
    hops = [replace(hop, route=first.leg.route)]
    for one in walked[1:]:
        if one is not None:
            told = facts_of(desk, view, one.leg, (one.leg.sender,))
            hops.append(replace(concluded(one.leg.sender, told, one.trace), route=one.leg.route))
    return tuple(hops)


async def _from_elsewhere(desk: Desk, sender: ServerName, wanted: Target) -> Flow:
    view, site = desk.view, desk.site
    if sender not in view.servers():
        raise BadInput(
            f"no replica that could be read has an entry for {sender}",
            hint="`mailtrust status --all` lists the servers of the directory",
        )
    beside = neighbours(site).get(sender)
    routed = beside.transport.routes.get(wanted.domain) if beside is not None else None
    server = ServerName(wanted.domain) if wanted.domain in view.servers() else None
    own = site.config.server.listeners if server == site.server else ()
    places = (*((wanted.where,) if wanted.where else ()), *((routed,) if routed else ()), *own)
    if server is None and not places:
        raise BadInput(
            f"which way {sender} sends mail for {wanted.text} cannot be seen from here",
            hint=f"ask there: mailtrust flow {sender} {wanted.text}; or name a server of the directory",
        )
    places = (*places, *(listeners(view, server) if server is not None else ()))
    receiver = server or ServerName(str(places[0].host))
    said = Said("flow.route-published", {"server": receiver})
    leg = Leg(sender, receiver, places[0] if places else None, said, server is not None)
    theirs = Leg(site.server, sender, next(iter(listeners(view, sender)), None), said, known=True)
    # Neither hears of our certificate: it is not us who would call.
    seen = await asyncio.gather(*(take(desk, one, "") for one in (leg, theirs) if one.where))
    view = view.see(sighting(one.leg.receiver, one.trace) for one in seen)
    facts = facts_of(desk, view, leg, (sender,))
    now = clock.now()
    if leg.where is None:
        return Flow(sender, wanted.text, now, (nowhere(replace(facts, here=sender), said),), view)
    hop = replace(concluded(sender, facts, seen[0].trace), route=said)
    ask_there = Said("flow.ask-there", {"server": sender, "to": wanted.text})
    return Flow(sender, wanted.text, now, (hop,), view, notes=(ask_there,))


# What our transport goes by


async def _trust(site: Site) -> Snapshot | None:
    """By home; where it cannot be read, by what the transport kept of it."""
    try:
        column: Column = await site.directory.home.column(clock.now())
    except MailtrustError:
        file = site.config.server.store / snapshots.SNAPSHOT_FILE
        try:
            return await asyncio.to_thread(snapshots.load, file) if file.exists() else None
        except StoreUnavailable:
            return None
    return Snapshot().renewed(column, site.directory.home.url, clock.now())


def _credential(site: Site) -> Credential | None:
    with suppress(MailtrustError):
        return site.store.credential()
    return None


def _picture(desk: Desk, leg: Leg, leaf: Certificate | None) -> Picture:
    if desk.trust is None:
        return Picture(None)
    config = desk.site.config
    told = config.transport.next_hops.get(leg.hop, ()) if config.transport.kind == "postfix" else ()
    stale = desk.trust.is_stale(clock.now(), config.policy.snapshot_max_age)
    too_old = config.transport.on_stale == "defer" and stale
    return Picture(desk.trust.judge(leaf), frozenset(told) or None, too_old)


# What is remembered of a listener


async def _memory(desk: Desk, where: Endpoint, others: list[Endpoint]) -> Memory:
    before, at = await asyncio.to_thread(_remembered, desk.site, where)
    envelope = Envelope(desk.site.server, POSTMASTER, None)
    looks = [walk(one, envelope, lambda _: False, desk.patience) for one in others]
    traces = await asyncio.gather(*looks)
    directly = {one.endpoint: _verbs(one) for one in traces if one.offered is not None}
    return Memory(before, at, directly)


def _remembered(site: Site, where: Endpoint) -> tuple[tuple[str, ...], datetime | None]:
    with suppress(StoreUnavailable, ValueError):
        kept = site.journal.bookmark(_source(where))
        if kept is not None:
            at, *verbs = kept.split()
            moment = datetime.fromisoformat(at)
            if clock.now() - moment < _REMEMBERED_FOR:
                return tuple(verbs), moment
    return (), None


def _remember(site: Site, server: ServerName, trace: Trace, memory: Memory) -> None:
    """For the day on which something takes a verb out.  It costs a line in the journal and not the answer."""
    verbs, now = _verbs(trace), clock.now()
    if not verbs or set(memory.before) - set(verbs) or site.journal.read_only:
        return
    with suppress(StoreUnavailable):
        source = _source(trace.endpoint)
        written = " ".join((now.astimezone(UTC).isoformat(), *verbs))
        site.journal.read_on(source, site.journal.bookmark(source), (), written, now)
        site.journal.record_seen([sighting(server, trace)], now)


def _source(where: Endpoint) -> str:
    return f"verbs at {where}"


def _verbs(trace: Trace) -> tuple[str, ...]:
    return tuple(one for one in _TLS_VERBS if one in (trace.offered or ()))


async def _with_arrival(desk: Desk, done: Flow, found: Way, message: Marked) -> Flow:
    first = done.hops[0]
    if first.trouble is not None:
        return done
    beside = neighbours(desk.site)
    servers = [(leg.receiver, beside[leg.receiver]) for leg in found.legs if leg.receiver in beside]
    seen = await arrival(message, servers, _ARRIVES_WITHIN)
    last = arrived(
        done.hops[-1], message.id,
        place=seen.place, server=seen.server, waits=seen.waits, took=seen.took,
    )  # fmt: skip
    return replace(done, hops=(*done.hops[:-1], last), arrival=seen)
