"""Who is who among hosts: names in tables and next hops, led back to the host that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailtrust.core.adopt.facts import Host
from mailtrust.core.adopt.receiving import Listener, listeners
from mailtrust.core.adopt.sending import Route, routes
from mailtrust.core.model.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Place:
    """A host with what its configuration comes to."""

    host: Host
    listeners: tuple[Listener, ...]
    routes: tuple[Route, ...]

    @property
    def name(self) -> str:
        """The host's name, in lower case."""
        return self.host.name.lower()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All that it presents, to whomever."""
        shown = [leaf for one in self.listeners for leaf in one.presents]
        return tuple(dict.fromkeys(shown + [leaf for one in self.routes for leaf in one.presents]))

    @property
    def unread(self) -> tuple[str, ...]:
        """Tables that would say more."""
        found = [name for one in self.listeners for name in one.unread]
        found += [one.policy_unread for one in self.routes if one.policy_unread]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Places:
    """All hosts, to be found by name or address."""

    all: tuple[Place, ...]
    _by_name: Mapping[str, Place] = field(repr=False)

    def find(self, name: str, resolved: Mapping[str, tuple[str, ...]] | None = None) -> Place | None:
        """The host of that name or address, or of an address that the name has where it was *resolved*."""
        tried = (name.lower(), *((resolved or {}).get(name.lower(), ())))
        return next((self._by_name[one] for one in tried if one in self._by_name), None)


def places(hosts: Iterable[Host]) -> Places:
    """What each host's own Postfix comes to; of a host that was collected twice, what is newer."""
    newest: dict[str, Host] = {}
    for host in hosts:
        known = newest.get(host.name.lower())
        if known is None or known.collected_at < host.collected_at:
            newest[host.name.lower()] = host
    found = tuple(
        Place(
            host,
            tuple(one for instance in host.instances for one in listeners(instance)),
            tuple(one for instance in host.instances for one in routes(instance)),
        )
        for host in newest.values()
    )
    by_name: dict[str, Place] = {}
    for place in found:
        for name in _names(place):
            by_name.setdefault(name, place)
    # A short name means somebody only where it means one.
    short = [place.name.partition(".")[0] for place in found]
    for place in found:
        name = place.name.partition(".")[0]
        if short.count(name) == 1:
            by_name.setdefault(name, place)
    return Places(found, by_name)


def _names(place: Place) -> Iterator[str]:
    yield place.name
    for instance in place.host.instances:
        yield instance.parameters.get("myhostname", place.name).lower()
    yield from place.host.addresses or ()
