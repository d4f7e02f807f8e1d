"""
Hosts beside each other: for each pair how the one knows the other today, and what of that is stale.

What was not collected is unknown, and never nothing: a host of which there is no file, a table that could not
be listed.  A fingerprint is *stale* where the host that it is meant for is known and presents another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailtrust.core.adopt.facts import Host
from mailtrust.core.adopt.places import Place, Places, places
from mailtrust.core.adopt.receiving import Listener
from mailtrust.core.adopt.sending import Pinned, Route
from mailtrust.core.digests import Digests, digests_of, function_of
from mailtrust.core.model.certificate import Certificate

Published = Mapping[str, tuple[Certificate, ...]]
"""The directory's certificates, by server."""


class How(StrEnum):
    """By what one host knows another."""

    PUBLISHED = "published"
    """By mailtrust's own listener and tables already."""
    CERTIFICATE = "certificate"
    """By a fingerprint that somebody wrote down."""
    AUTHORITY = "authority"
    """By a certificate's name, as an authority or DNSSEC vouches for it."""
    PASSWORD = "password"  # noqa: S105  # a word, and no secret
    ADDRESS = "address"
    NOTHING = "nothing"
    STALE = "stale"
    """A fingerprint is written down, and is that of no certificate that is presented: mail waits, or will."""
    UNKNOWN = "unknown"


class State(StrEnum):
    """What a written fingerprint is worth."""

    CURRENT = "current"
    STALE = "stale"
    UNKNOWN = "unknown"
    OTHER_FUNCTION = "other-function"
    """The mail server computes another digest, so that this one never matches."""
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Proof:
    """One way in which a host knows another, and where that stands."""

    how: How
    by: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Mail from one host to another."""

    sender: str
    receiver: str
    hops: tuple[str, ...]
    """The sender's next hops that lead there; empty where it names none."""
    known_by: tuple[Proof, ...]
    """How the receiver knows the sender, the strongest first."""
    believes: tuple[Proof, ...]
    """How the sender knows the receiver; empty where it has no next hop there."""
    receiver_collected: bool = True

    @property
    def on_old_rules(self) -> tuple[Proof, ...]:
        """The proofs that are to go once the directory decides."""
        old = (How.CERTIFICATE, How.PASSWORD, How.ADDRESS, How.STALE)
        return tuple(one for one in self.known_by if one.how in old)

    @property
    def is_switched(self) -> bool:
        """True where mail takes the way that the directory decides."""
        return any(one.how is How.PUBLISHED for one in self.known_by)


@dataclass(frozen=True, slots=True)
class Written:
    """A fingerprint in a table, and what became of whom it names."""

    host: str
    table: str
    text: str
    label: str
    """What stands beside it, or the next hop that it is for."""
    state: State
    owner: str = ""
    """Whose certificate it is, or was meant to be; empty where nobody knows."""
    function: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """All that was read, hosts beside each other."""

    places: Places
    pairs: tuple[Pair, ...]
    written: tuple[Written, ...]


def adoption(hosts: Iterable[Host], published: Published) -> Adoption:
    """Every pair of *hosts*, and of a host and a next hop of which nothing was collected."""
    found = places(hosts)
    known = Digests(_known(found, published))
    return Adoption(found, tuple(_pairs(found, published)), tuple(_written(found, known, published)))


def older(found: Adoption, hosts: Iterable[Host]) -> tuple[Host, ...]:
    """Those of *hosts* that were left aside, because the same host was collected again later."""
    taken = {id(place.host) for place in found.places.all}
    return tuple(one for one in hosts if id(one) not in taken)


def _known(found: Places, published: Published) -> Iterator[tuple[Certificate, str]]:
    for place in found.all:
        for leaf in place.certificates:
            yield leaf, place.name
    for server, leaves in published.items():
        for leaf in leaves:
            yield leaf, server


# Pairs


def _pairs(found: Places, published: Published) -> Iterator[Pair]:
    for sender in found.all:
        leading: dict[str, list[Route]] = {}
        for route in sender.routes:
            target = found.find(route.host, sender.host.resolved)
            leading.setdefault(target.name if target is not None else route.host, []).append(route)
        for receiver in found.all:
            if receiver is not sender:
                yield _pair(sender, receiver, tuple(leading.pop(receiver.name, ())))
        leading.pop(sender.name, None)
        for name, ways in leading.items():
            yield _pair_unseen(sender, name, tuple(ways), published.get(name, ()))


def _pair(sender: Place, receiver: Place, ways: tuple[Route, ...]) -> Pair:
    known, believes = list[Proof](), list[Proof]()
    for way in ways:
        at = [one for one in receiver.listeners if one.port == way.port]
        shown = tuple(leaf for one in at or receiver.listeners for leaf in one.presents)
        known += _known_by(sender, at or [one for one in receiver.listeners if not one.is_ours], way)
        believes.append(_believes(way, shown))
    if not ways:
        known += _known_by(sender, [one for one in receiver.listeners if not one.is_ours], None)
    hops = tuple(one.hop for one in ways)
    return Pair(sender.name, receiver.name, hops, _ordered(known), _ordered(believes) if ways else ())


def _pair_unseen(sender: Place, name: str, ways: tuple[Route, ...], leaves: tuple[Certificate, ...]) -> Pair:
    """To somebody whose own rules were not collected: what the sender offers there is all that is seen."""
    known = [Proof(How.PASSWORD, one.password) for one in ways if one.password] or [Proof(How.UNKNOWN)]
    believes = [_believes(one, leaves or None) for one in ways]
    hops = tuple(one.hop for one in ways)
    return Pair(sender.name, name, hops, _ordered(known), _ordered(believes), receiver_collected=False)


def _known_by(sender: Place, at: Iterable[Listener], way: Route | None) -> Iterator[Proof]:
    leaves = way.presents if way is not None else sender.certificates
    for listener in at:
        mine = [one for one in listener.clients if one.digest in _digests(leaves, one.digest)]
        meant = [one for one in listener.clients if _means(one.label, sender)]
        yield from (
            Proof(How.PUBLISHED if listener.is_ours else How.CERTIFICATE, one.table)
            for one in mine
            if not one.other_function
        )
        if meant and not mine:
            yield from (Proof(How.STALE, one.table) for one in meant)
        if listener.any_certificate and leaves:
            yield Proof(How.AUTHORITY, "permit_tls_all_clientcerts")
        if way is not None and way.password and listener.takes_passwords:
            yield Proof(How.PASSWORD, way.password)
        yield from _by_address(sender, listener)
        yield from (Proof(How.UNKNOWN, name) for name in listener.unread)


def _by_address(sender: Place, listener: Listener) -> Iterator[Proof]:
    if sender.host.addresses is None:
        if listener.networks:
            yield Proof(How.UNKNOWN, listener.networks_of)
        return
    for address in sender.host.addresses:
        if network := listener.trusts_address(address):
            yield Proof(How.ADDRESS, f"{listener.networks_of} {network}")


def _believes(way: Route, shown: tuple[Certificate, ...] | None) -> Proof:
    """How a sender knows who answers; *shown* is None where nobody knows what is presented there."""
    if way.policy_unread:
        return Proof(How.UNKNOWN, way.policy_unread)
    if way.checks_names:
        return Proof(How.AUTHORITY, way.level)
    if way.level != "fingerprint":
        return Proof(How.NOTHING, way.level)
    table = next((one.table for one in way.pinned), "")
    if shown is None:
        return Proof(How.UNKNOWN, table)
    if any(one.digest in _digests(shown, one.digest) for one in way.pinned):
        return Proof(How.CERTIFICATE, table)
    return Proof(How.STALE, table)


def _ordered(proofs: Iterable[Proof]) -> tuple[Proof, ...]:
    """Each once, the strongest first; *nothing* only where there is nothing else."""
    order = list(How)
    found = sorted(dict.fromkeys(proofs), key=lambda one: order.index(one.how))
    if any(one.how is not How.NOTHING for one in found):
        found = [one for one in found if one.how is not How.NOTHING]
    return tuple(found) or (Proof(How.NOTHING),)


# What is written in tables


def _written(found: Places, known: Digests[str], published: Published) -> Iterator[Written]:
    for place in found.all:
        for listener in place.listeners:
            if listener.is_ours:
                continue
            for one in listener.clients:
                state, owner = _state(one.digest, known, _named(one.label, found, published))
                if one.other_function:
                    state = State.OTHER_FUNCTION
                yield Written(place.name, one.table, one.text, one.label, state, owner, one.other_function)
        for way in place.routes:
            target = found.find(way.host, place.host.resolved)
            expected = target.name if target is not None else way.host
            for pinned in way.pinned:
                yield _pinned_at(
                    place, way, pinned, known, expected if target or expected in published else ""
                )


def _pinned_at(place: Place, way: Route, pinned: Pinned, known: Digests[str], expected: str) -> Written:
    state, owner = _state(pinned.digest, known, expected)
    if state is State.CURRENT and expected and owner != expected:
        # It is somebody's, and not of the one who answers there.
        state, owner = State.STALE, expected
    function = function_of(pinned.digest) if pinned.digest else ""
    return Written(place.name, pinned.table, pinned.text, way.hop, state, owner, function)


def _state(digest: str | None, known: Digests[str], meant: str) -> tuple[State, str]:
    if digest is None:
        return State.MALFORMED, meant
    owners = sorted({owner for _, owner in known.find(digest)})
    if owners:
        return State.CURRENT, meant if meant in owners else owners[0]
    return (State.STALE, meant) if meant else (State.UNKNOWN, "")


def _named(label: str, found: Places, published: Published) -> str:
    """Whom a label means, if it is somebody whose certificates are known."""
    for word in label.lower().split():
        place = found.find(word)
        if place is not None:
            return place.name if place.certificates else ""
        if word in published:
            return word
    return ""


def _means(label: str, place: Place) -> bool:
    return bool({place.name, place.name.partition(".")[0]} & set(label.lower().split()))


def _digests(leaves: Iterable[Certificate], digest: str | None) -> frozenset[str]:
    if digest is None:
        return frozenset()
    return frozenset(one for leaf in leaves for one in digests_of(leaf, function_of(digest)))
