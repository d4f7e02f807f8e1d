"""Whom a host takes mail from, by rules of its own: a table of certificates, a password, an address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from mailtrust.core.adopt.facts import Instance, MasterEntry, listed
from mailtrust.core.digests import digest, function_of
from mailtrust.core.model.certificate import Certificate
from mailtrust.errors import BadInput

OWN_LISTENER = "/inner"
"""How the listener that mailtrust sets up for peers alone signs its lines in the log."""

CHAINS = ("smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_dcert_file")
RESTRICTIONS = tuple(
    f"smtpd_{stage}_restrictions" for stage in ("client", "helo", "sender", "relay", "recipient")
)
_PERMITS = ("ok", "permit", "relay")


@dataclass(frozen=True, slots=True)
class Listed:
    """A fingerprint in a table of clients."""

    table: str
    text: str
    label: str
    """What stands beside it: often the name of whoever wrote it down meant."""
    digest: str | None
    """None: it is no fingerprint."""
    other_function: str = ""
    """The function that made it, where the listener computes another one: then it never matches."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What receives, and by which of the old rules it relays or takes mail."""

    service: MasterEntry | None
    """None: no line of master.cf receives, or it was not collected."""
    clients: tuple[Listed, ...]
    any_certificate: bool
    """Whoever has a certificate that an authority vouches for (`permit_tls_all_clientcerts`)."""
    networks: tuple[str, ...]
    """Addresses that need no proof, first match wins, ``!`` for one that does."""
    networks_of: str
    """Where these stand."""
    takes_passwords: bool
    asks_for_certificate: bool
    presents: tuple[Certificate, ...]
    unread: tuple[str, ...]
    """Tables that would say more, and could not be listed."""

    @property
    def is_ours(self) -> bool:
        """True for the listener that mailtrust set up."""
        name = self.service.options.get("syslog_name", "") if self.service is not None else ""
        return name.endswith(OWN_LISTENER)

    @property
    def port(self) -> str:
        """Where it listens."""
        return self.service.port if self.service is not None else "25"

    def trusts_address(self, address: str) -> str:
        """The network by which that address needs no proof; empty where it needs one."""
        at = ipaddress.ip_address(address)
        for text in self.networks:
            network = _network(text.lstrip("!"))
            if network is not None and at.version == network.version and at in network:
                return "" if text.startswith("!") else text
        return ""


def listeners(instance: Instance) -> tuple[Listener, ...]:
    """Each service that receives; what main.cf says where master.cf has none."""
    services: Iterable[MasterEntry | None] = [one for one in instance.services if one.receives] or [None]
    return tuple(_listener(instance, one) for one in services)


def _listener(instance: Instance, service: MasterEntry | None) -> Listener:
    words = tuple(_words(instance, service))
    names = _certificate_tables(instance, service, words)
    unread = [name for name in names if instance.table(name).rows is None]
    networks, networks_of, unread_too = _networks(instance, service, words)
    sasl = instance.yes(service, "smtpd_sasl_auth_enable") and "permit_sasl_authenticated" in words
    return Listener(
        service,
        tuple(_clients(instance, service, names)),
        "permit_tls_all_clientcerts" in words,
        networks,
        networks_of,
        sasl,
        instance.yes(service, "smtpd_tls_ask_ccert") or instance.yes(service, "smtpd_tls_req_ccert"),
        tuple(_presented(instance, service)),
        (*unread, *unread_too),
    )


def _words(instance: Instance, service: MasterEntry | None) -> Iterator[str]:
    """The words of all restrictions, those of classes that somebody made included."""
    classes = frozenset(listed(instance.setting(service, "smtpd_restriction_classes")))
    waiting = [word for name in RESTRICTIONS for word in listed(instance.setting(service, name))]
    seen = set[str]()
    while waiting:
        word = waiting.pop(0)
        if word in classes and word not in seen:
            seen.add(word)
            waiting[:0] = listed(instance.setting(service, word))
            continue
        yield word


def _certificate_tables(
    instance: Instance, service: MasterEntry | None, words: tuple[str, ...]
) -> tuple[str, ...]:
    names = _behind("check_ccert_access", words)
    if "permit_tls_clientcerts" in words:
        names = (*listed(instance.setting(service, "relay_clientcerts")), *names)
    return tuple(dict.fromkeys(names))


def _behind(word: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(table for at, table in pairwise(words) if at == word)


def _clients(instance: Instance, service: MasterEntry | None, names: tuple[str, ...]) -> Iterator[Listed]:
    function = instance.setting(service, "smtpd_tls_fingerprint_digest").strip().lower()
    for name in names:
        for _, (key, value) in instance.rows(name):
            try:
                found = digest(key)
            except BadInput:
                yield Listed(name, key, value, None)
                continue
            other = function_of(found)
            yield Listed(name, key, value, found, "" if function in ("", other) else other)


def _networks(
    instance: Instance, service: MasterEntry | None, words: tuple[str, ...]
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    found, unread, places = list[str](), list[str](), list[str]()
    if "permit_mynetworks" in words:
        places.append("mynetworks")
        for one in listed(instance.setting(service, "mynetworks")):
            if _network(one.lstrip("!")) is not None:
                found.append(one)
            elif instance.table(one).rows is None:
                unread.append(one)
            else:
                found += [key for _, (key, _) in instance.rows(one)]
    for name in _behind("check_client_access", words):
        rows = instance.table(name).rows
        if rows is None:
            unread.append(name)
        permitted = [key for key, value in rows or () if value.lower().startswith(_PERMITS)]
        if addresses := [key for key in permitted if _network(key) is not None]:
            places.append(name)
            found += addresses
    return tuple(found), ", ".join(places), tuple(unread)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _presented(instance: Instance, service: MasterEntry | None) -> Iterator[Certificate]:
    for name in CHAINS:
        for file in listed(instance.setting(service, name)):
            chain = instance.chains.get(file)
            if chain is not None and chain.certificate is not None:
                yield chain.certificate
