"""Hosts as they were collected, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from mailtrust.core.adopt.facts import Chain, Host, Instance, MasterEntry, Table
from mailtrust.core.adopt.pairs import Adoption, Pair, Published, adoption
from mailtrust.core.adopt.receiving import Listener, listeners
from mailtrust.core.adopt.sending import Route, routes
from mailtrust.core.model.certificate import Certificate
from tests.make import NOON, a_certificate

PUBLIC = MasterEntry("smtp", receives=True)
MX1, MX2 = "mx1.example.test", "mx2.example.test"
TO_MX2 = {"transport_maps": "hash:/t", "hash:/t": {"mx2.test": "smtp:[192.0.2.2]:25"}}
HUB_TO_MX2 = {"transport_maps": "hash:/t", "hash:/t": {"mx2.test": "hub:[192.0.2.2]:2525"}}
BY_CERTIFICATE = {
    "relay_clientcerts": "hash:/c",
    "smtpd_relay_restrictions": "permit_tls_clientcerts, defer_unauth_destination",
}


@cache
def leaf(name: str) -> Certificate:
    return a_certificate(name, key=name)


def inner(**options: str) -> MasterEntry:
    """The listener that mailtrust sets up."""
    ours = {
        "syslog_name": "postfix/inner",
        "relay_clientcerts": "lmdb:/ours",
        "smtpd_client_restrictions": "permit_tls_clientcerts, defer",
        "smtpd_relay_restrictions": "permit_tls_clientcerts, defer",
    }
    return MasterEntry("192.0.2.2:2525", receives=True, options={**ours, **options})


def instance(
    *services: MasterEntry, presents: Certificate | None = None, unread: tuple[str, ...] = (), **said: Any
) -> Instance:
    """A Postfix by its parameters; one whose name has a colon or slash is a table with its rows."""
    parameters = {name: value for name, value in said.items() if isinstance(value, str)}
    chains = {}
    if presents is not None:
        for name in ("smtp_tls_chain_files", "smtpd_tls_chain_files"):
            parameters.setdefault(name, "/chain.pem")
        chains["/chain.pem"] = Chain(presents)
    tables = {name: Table(tuple(rows.items())) for name, rows in said.items() if isinstance(rows, Mapping)}
    tables |= {name: Table(None, "it cannot be read") for name in unread}
    transports = [MasterEntry(name, receives=False) for name in ("smtp", "relay", "hub")]
    given = {one.name for one in services if not one.receives}
    usual = (PUBLIC,) if not services else ()
    everything = (*usual, *services, *(one for one in transports if one.name not in given))
    return Instance("/etc/postfix", "3.7.11", parameters, everything, tables, chains)


def host(name: str, *services: MasterEntry, addresses: tuple[str, ...] | None = None, **said: Any) -> Host:
    """It has one instance and presents a certificate of its own."""
    number = name[2:3]
    resolved = said.pop("resolved", {})
    at = (f"192.0.2.{number}",) if addresses is None else addresses
    made = instance(*services, **{"presents": leaf(name), **said})
    return Host(name, NOON, at, (made,), resolved)


def adopted(*hosts: Host, published: Published | None = None) -> Adoption:
    return adoption(hosts, published or {})


def pair(found: Adoption, sender: str = MX1, receiver: str = MX2) -> Pair:
    [one] = [one for one in found.pairs if (one.sender, one.receiver) == (sender, receiver)]
    return one


def route(**said: Any) -> Route:
    [one] = routes(instance(**said))
    return one


def listener(*services: MasterEntry, **said: Any) -> Listener:
    [one] = listeners(instance(*services, **said))
    return one
