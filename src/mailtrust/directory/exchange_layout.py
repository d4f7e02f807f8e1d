"""
Which controllers are worth a look, and what they showed, laid out server by server.

The configuration of the forest stands on each of its controllers, whatever their domains.  Those count that
an Exchange server may read: writable ones in the servers' own sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailtrust.core import sites
from mailtrust.core.exchange.facts import Connector, Controller, Direction, ExchangeServer, Organization
from mailtrust.core.model.certificate import certificate, fingerprint_of
from mailtrust.core.model.event import Said
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Published, ReplicaSighting, Unparsable
from mailtrust.directory.ad_forest import Root
from mailtrust.directory.exchange_entries import Key, ServerEntry
from mailtrust.directory.exchange_read import Contents
from mailtrust.directory.ldap_url import beside, place
from mailtrust.errors import NotACertificate
from mailtrust.ldap.metadata import certificate_in
from mailtrust.ldap.names import Name

_MOST_CERTIFICATE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Choice:
    """Which controllers are read: those *listed*; where none are, all, or those in sites with Exchange."""

    listed: tuple[str, ...] = ()
    """Names, short or full, or URLs."""
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """The controller that answered first."""

    url: str
    root: Root
    forest: sites.Forest
    contents: Contents = field(repr=False)
    account: str = ""
    """As whom it was read; empty where it does not tell."""
    in_vain: tuple[tuple[str, str], ...] = ()
    """The URLs that were tried before it, and why they did not answer."""

    @property
    def site(self) -> str:
        """Where it stands itself: ``CN=NTDS Settings,CN=DC1,CN=Servers,CN=the site,CN=Sites,…``."""
        return Name(self.root.settings.steps[3:]).leaf


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at one controller; *contents* is None where nothing can be said of it."""

    controller: Controller
    contents: Contents | None
    seen_at: datetime


def controllers(start: Start, choice: Choice) -> tuple[Controller, ...]:
    """
    Every controller of the forest, those that are to be asked, and those that somebody named.

    Exchange servers never read a read-only controller.  Where the site of no server is to be seen, that of
    the controller to begin with stands for it.
    """
    of_servers = {one.site.lower() for one in start.contents.servers.values() if one.site}
    in_sites = of_servers or {start.site.lower()}
    near = in_sites | {start.site.lower()}
    urls = dict(_typed((*choice.listed, *(url for url, _ in start.in_vain))))
    listed = tuple(map(_host, choice.listed))

    def is_asked(one: sites.Controller) -> bool:
        if listed:
            return any(_means(name, one.host) for name in listed)
        return choice.everywhere or one.host == start.root.host or one.site.lower() in near

    known = tuple(
        Controller(
            one.host,
            start.url if one.host == start.root.host else urls.get(one.host) or beside(start.url, one.host),
            one.site,
            one.read_only,
            in_site=one.site.lower() in in_sites and not one.read_only,
            asked=is_asked(one),
            writer=one.writer,
        )
        for one in _known(start)
    )
    return (*known, *_strangers(start, choice.listed, known))


def laid_out(start: Start, looks: Sequence[Look]) -> Organization:
    """What all controllers showed, as one organization; servers by name."""
    contents = [start.contents, *(one.contents for one in looks if one.contents is not None)]
    entries: dict[Key, ServerEntry] = {}
    for one in reversed(contents):
        entries.update(one.servers)
    holders = {key for one in contents for key, entry in one.servers.items() if entry.holds_credentials}
    asked = [(one, _blank(one, start.forest)) for one in looks if one.controller.asked]
    servers = (
        replace(
            _server(entry, asked),
            # Where this account is shown nobody's, it may be that it is not to see them.
            takes_part_in_edgesync=key in holders if holders else None,
        )
        for key, entry in entries.items()
    )
    organization = start.contents.organization or Name()
    return Organization(
        organization.leaf,
        str(organization),
        _forest(start.root.configuration),
        account=start.account,
        controllers=tuple(one.controller for one in looks),
        servers=tuple(sorted(servers, key=_by_name)),
        connectors=tuple(sorted(start.contents.connectors, key=_by_name)),
        notes=tuple(_notes(start)),
    )


def _by_name(one: ExchangeServer | Connector) -> tuple[str, str]:
    return one.name.lower(), one.dn


def _known(start: Start) -> Iterator[sites.Controller]:
    yield from start.forest.controllers
    if start.forest.at(start.root.host) is None:
        yield sites.Controller(start.root.host, start.site, str(start.root.settings), start.contents.writer)


def _strangers(start: Start, listed: Iterable[str], known: Sequence[Controller]) -> Iterator[Controller]:
    """Those that were named, and that the forest does not know by that name."""
    hosts = [one.name for one in known]
    for url, why in start.in_vain:
        if not any(_means(_host(url), host) for host in hosts):
            yield Controller(_host(url), url, in_site=False, why=why)
    for name in listed:
        if not any(_means(_host(name), host) for host in hosts):
            yield Controller(_host(name), name if "://" in name else beside(start.url, name))


def _typed(urls: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((_host(one), one) for one in urls if "://" in one)


def _host(name_or_url: str) -> str:
    return place(name_or_url).host.lower() if "://" in name_or_url else name_or_url.rstrip(".").lower()


def _means(name: str, host: str) -> bool:
    """Whether *name* is that host's, or its first label."""
    return name in (host, host.partition(".")[0])


def _blank(look: Look, forest: sites.Forest) -> ReplicaSighting:
    """The sighting of any server at a controller that could not be looked at."""
    controller = look.controller
    own = forest.at(controller.name)
    return ReplicaSighting(
        ServerName(""), controller.url, None, look.seen_at, controller.why,
        writer=controller.writer,
        seen=controller.seen,
        partners=own.partners if own else (),
        latencies=sites.latencies(forest, own) if own else {},
        read_only=controller.read_only,
        far=not controller.in_site,
    )  # fmt: skip


def _server(entry: ServerEntry, looks: Iterable[tuple[Look, ReplicaSighting]]) -> ExchangeServer:
    known = ExchangeServer(entry.name, entry.fqdn, str(entry.dn), entry.roles, entry.version, entry.site)
    key = entry.dn.key
    published, written = [], {}
    for look, blank in looks:
        sighting = replace(blank, server=known.server)
        contents = look.contents
        if contents is not None:
            stamps = contents.stamps or {}
            sighting = _sighting(sighting, contents.servers.get(key), stamps.get(key))
            if key in stamps:
                written[sighting.place] = stamps[key]
        published.append(sighting)
    return replace(known, published=tuple(published), written=written)


def _sighting(blank: ReplicaSighting, entry: ServerEntry | None, stamp: Stamp | None) -> ReplicaSighting:
    # Where the server is not there yet its value is not, either.
    if entry is None or entry.value is None:
        return replace(blank, found=())
    at = stamp.written_at if stamp else entry.changed_at or blank.seen_at
    try:
        leaf = certificate(certificate_in(entry.value[:_MOST_CERTIFICATE_BYTES]))
    except NotACertificate:
        spoilt = Unparsable(fingerprint_of(entry.value), len(entry.value), at)
        return replace(blank, found=(), unparsable=(spoilt,))
    return replace(blank, found=(Published(leaf, at, stamp),))


def _forest(configuration: Name) -> str:
    """Its root domain, below whose name the configuration stands, as DNS writes it."""
    return ".".join(Name((step,)).leaf for step in configuration.parent.steps)


def _notes(start: Start) -> Iterator[Said]:
    values = {"controller": start.root.host}
    if not start.contents.servers:
        yield Said("unseen.servers", values)
    elif not any(one.direction is Direction.RECEIVE for one in start.contents.connectors):
        yield Said("unseen.receive-connectors", values)
