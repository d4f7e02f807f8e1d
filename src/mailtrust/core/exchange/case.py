"""
One Exchange server, and everything that a judgement may look at.

Its attribute has one value, so controllers that differ do not add up.  Of two writes the one with the higher
version wins in the end, then the later, then that of the greater writer; the other controllers are on their
way to it.  An empty value can win too: then it was taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailtrust.core.exchange.facts import (
    STARTTLS,
    X_ANONYMOUSTLS,
    Connector,
    Controller,
    ExchangeServer,
    Organization,
    Role,
    StoreCertificate,
)
from mailtrust.core.exchange.selection import Answering, answering
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.event import Said
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, Unparsable, WireFailure, WireSighting
from mailtrust.core.policy import Policy

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on the server's object at one controller that answered."""

    look: ReplicaSighting
    controller: Controller
    stamp: Stamp | None
    """The last write of the attribute there; None where there was none, or it is not told."""
    told: bool
    """Whether that controller tells who wrote what."""

    @property
    def leaf(self) -> Certificate | None:
        """The certificate there, if there is one."""
        return self.look.found[0].certificate if self.look.found else None

    @property
    def garbage(self) -> Unparsable | None:
        """The value there that is no certificate."""
        return self.look.unparsable[0] if self.look.unparsable else None

    @property
    def name(self) -> str:
        """What names the value: a fingerprint or a digest; empty where nothing stands."""
        value = self.leaf
        return value.fingerprint if value else self.garbage.digest if self.garbage else ""

    @property
    def is_empty(self) -> bool:
        """True where the controller answered, and nothing stands there."""
        return not self.name

    @property
    def written_at(self) -> datetime | None:
        """When what stands there was written, as far as the directory tells."""
        if self.stamp is not None:
            return self.stamp.written_at
        published = [one.published_at for one in self.look.found or ()]
        times = published or [one.published_at for one in self.look.unparsable]
        return times[0] if times else None

    @property
    def precedence(self) -> tuple[int, int, float, str]:
        """Orders as the directory does; without stamps a value outranks none, and the later the former."""
        if self.stamp is not None:
            return 2, self.stamp.version, self.stamp.written_at.timestamp(), self.stamp.writer
        at = self.written_at
        return (1, 0, at.timestamp(), self.name) if at is not None else (0, 0, 0.0, "")


@dataclass(frozen=True, slots=True)
class Case:
    """The looks at one server, in its organization, with the thresholds and the time to judge them by."""

    server: ExchangeServer
    organization: Organization
    policy: Policy
    now: datetime
    holders: Mapping[Pin, tuple[ExchangeServer, ...]] = field(default_factory=dict)
    """Every server that publishes a key anywhere, in the order in which they were read."""

    @property
    def name(self) -> ServerName:
        """The name that its findings go by."""
        return self.server.server

    @property
    def standings(self) -> tuple[Standing, ...]:
        """One per controller that answered, in the controllers' order."""
        looks = {look.place: look for look in self.server.published if look.found is not None}
        return tuple(
            Standing(looks[one.url], one, self._stamp(looks[one.url]), one.url in self.server.written)
            for one in self.organization.controllers
            if one.url in looks
        )

    @property
    def unread(self) -> tuple[Controller, ...]:
        """The controllers that were to be asked about it, and could not."""
        read = {one.controller.url for one in self.standings}
        return tuple(one for one in self.organization.controllers if one.asked and one.url not in read)

    @property
    def newest(self) -> Standing | None:
        """Where that stands which will stand everywhere; None where no controller answered."""
        return max(self.standings, key=lambda one: one.precedence, default=None)

    @property
    def published(self) -> Certificate | None:
        """The certificate that wins; None where there is none, garbage won, or nobody answered."""
        return self.newest.leaf if self.newest else None

    @property
    def behind(self) -> tuple[Standing, ...]:
        """The controllers where another state still stands."""
        newest = self.newest
        return tuple(one for one in self.standings if newest is not None and one.name != newest.name)

    @property
    def holding(self) -> tuple[Standing, ...]:
        """The controllers where the winning state stands."""
        newest = self.newest
        return tuple(one for one in self.standings if newest is not None and one.name == newest.name)

    @property
    def in_own_site(self) -> tuple[Standing, ...]:
        """The controllers that it reads itself: those of its site; empty where no site is known."""
        site = self.server.site.lower()
        return tuple(one for one in self.standings if site and one.controller.site.lower() == site)

    @property
    def pins(self) -> frozenset[Pin]:
        """Every key that any controller publishes for it."""
        return frozenset(one.leaf.pin for one in self.standings if one.leaf is not None)

    @property
    def internal(self) -> tuple[WireSighting, ...]:
        """The looks by X-ANONYMOUSTLS, which shows the internal transport certificate."""
        return tuple(wire for wire in self.server.wires if wire.verb == X_ANONYMOUSTLS)

    @property
    def was_seen_silent(self) -> bool:
        """True where SMTP answered and did not offer X-ANONYMOUSTLS; not where nobody could look."""
        return any(look.failure is WireFailure.NOT_OFFERED for look in self.internal)

    @property
    def public(self) -> tuple[WireSighting, ...]:
        """The looks by STARTTLS, which has nothing to do with what the directory publishes."""
        return tuple(wire for wire in self.server.wires if wire.verb == STARTTLS)

    @property
    def internal_certificate(self) -> Certificate | None:
        """
        The one that it works with: presented and published, else published, else presented.

        Where only its own collector knows it, the one in its store.
        """
        leaves = [leaf for _, leaf in shown(self.internal)]
        known = [leaf for leaf in leaves if leaf.pin in self.pins]
        stored = self.stored(self.own_view) if self.own_view else None
        by_own_account = stored.certificate if stored else None
        return next((one for one in (*known, self.published, *leaves, by_own_account) if one), None)

    @property
    def store(self) -> tuple[StoreCertificate, ...] | None:
        """Its own store, where the collector saw it."""
        return self.server.collected.certificates if self.server.collected else None

    @property
    def connectors(self) -> tuple[Connector, ...]:
        """Its own, as the directory has them; else as the collector saw them."""
        found = tuple(one for one in self.organization.connectors if _is_among(self.server.name, one.servers))
        collected = self.server.collected
        return found or (collected.connectors if collected else None) or ()

    @property
    def mailbox_servers(self) -> tuple[ExchangeServer, ...]:
        """The other servers of the forest that carry mail."""
        others = (one for one in self.organization.servers if one.server != self.name)
        return tuple(one for one in others if one.has_transport and not one.is_edge)

    @property
    def trusting(self) -> tuple[ExchangeServer, ...]:
        """
        Those that compare what it presents with what is published for it.

        An Edge and the mailbox servers of the site that it is subscribed to; where a site is not known, all.
        """
        others = [one for one in self.organization.servers if one.has_transport and one.server != self.name]
        known = {one.name.lower() for one in others}
        others += (one for one in self._subscribed if one.name.lower() not in known)
        return tuple(
            one
            for one in others
            if one.is_edge is not self.server.is_edge and _may_be_one_site(one.site, self.server.site)
        )

    @property
    def knows_edges(self) -> bool:
        """False where neither the directory nor the server itself told which Edge servers there are."""
        collected = self.server.collected
        return bool(self.organization.dn) or (
            collected is not None and collected.edge_subscriptions is not None
        )

    @property
    def _subscribed(self) -> Iterator[ExchangeServer]:
        """Edge servers that the server itself told of."""
        collected = self.server.collected
        for one in (collected.edge_subscriptions if collected else None) or ():
            yield ExchangeServer(one.name, "", "", Role.EDGE, site=one.site)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Its short and its full name, as Exchange puts both into a certificate that it makes."""
        return tuple(dict.fromkeys(one for one in (self.server.name, self.server.fqdn) if one))

    def is_named_by(self, leaf: Certificate) -> bool:
        """True if the certificate carries one of its names."""
        return any(leaf.covers(name) for name in self.own_names)

    def say(self, phrase: str, **values: str) -> Said:
        """A phrase about this server."""
        return Said(phrase, {"server": self.server.name, "site": self.server.site or "-", **values})

    @property
    def controllers(self) -> str:
        """Those that answered, by their short names."""
        return some(self.label(one.controller) for one in self.standings)

    @property
    def own_view(self) -> str | None:
        """
        The thumbprint that the server itself reads from the directory, by the collector; empty: none.

        None where it is not known, or older than what stands there now.
        """
        collected = self.server.collected
        if collected is None or collected.internal_thumbprint is None:
            return None
        written = self.newest.written_at if self.newest else None
        is_old = written is not None and written > collected.collected_at
        return None if is_old else collected.internal_thumbprint.lower()

    def stored(self, thumbprint: str) -> StoreCertificate | None:
        """That certificate in its store; None where it is not there, or the store is not known."""
        return next((one for one in self.store or () if one.thumbprint == thumbprint), None)

    def latency(self, standing: Standing) -> timedelta:
        """How long the write that wins may take to that controller."""
        stamp = self.newest.stamp if self.newest else None
        known = standing.look.latencies.get(stamp.writer) if stamp is not None else None
        return self.policy.latency if known is None else known

    def label(self, controller: Controller) -> str:
        """A controller's short name, where no other has it, and its site."""
        short = controller.name.partition(".")[0]
        names = [one.name.partition(".")[0].lower() for one in self.organization.controllers]
        name = short if names.count(short.lower()) < 2 else controller.name
        return f"{name} ({controller.site})" if controller.site else name

    def answering(self, wire: WireSighting) -> Answering:
        """The Receive connectors that may have answered a look."""
        return answering(self.connectors, self.organization.sources.get(wire.endpoint), wire.endpoint)

    def source(self, wire: WireSighting) -> str:
        """The address of ours that a look came from."""
        return self.organization.sources.get(wire.endpoint) or self.organization.seen_from

    def _stamp(self, look: ReplicaSighting) -> Stamp | None:
        found = look.found[0].stamp if look.found else None
        return self.server.written.get(look.place) or found


def shown(wires: Iterable[WireSighting]) -> Iterator[tuple[WireSighting, Certificate]]:
    """The looks that came to a certificate, each with it."""
    return ((wire, leaf) for wire in wires for leaf in wire.found or ())


def some(names: Iterable[str]) -> str:
    """The first few, and how many more: a fleet would otherwise fill the page."""
    each = list(dict.fromkeys(names))
    rest = len(each) - _MOST_NAMES
    return ", ".join(each[:_MOST_NAMES]) + (f" (+{rest})" if rest > 0 else "")


def thumb(leaf: Certificate | StoreCertificate) -> str:
    """A certificate as Exchange shows it, shortened: who compares has its lists before them."""
    return leaf.thumbprint[:12].upper()


def _is_among(name: str, names: Iterable[str]) -> bool:
    return name.lower() in (one.lower() for one in names)


def _may_be_one_site(one: str, other: str) -> bool:
    return not one or not other or one.lower() == other.lower()
