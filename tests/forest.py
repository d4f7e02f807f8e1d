"""Builders of an Exchange organization: a line for what a test is about, the rest as it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache

from mailtrust.core.exchange.facts import (
    STARTTLS,
    X_ANONYMOUSTLS,
    Collected,
    Connector,
    Controller,
    Direction,
    ExchangeServer,
    Organization,
    Role,
    StoreCertificate,
    Version,
)
from mailtrust.core.model.certificate import (
    Certificate,
    Fingerprint,
    Pin,
    Thumbprint,
    certificate,
    fingerprint_of,
)
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import (
    Published,
    ReplicaSighting,
    Unparsable,
    WireFailure,
    WireSighting,
)
from tests.make import NOON, an_x509, der

DOMAIN = "corp.example"
SERVERS = (
    "CN=Servers,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN=Corp,"
    "CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=corp,DC=example"
)
FROM = "10.0.0.9"
MAILBOX = Role(16439)
EXCHANGE_2019 = Version(15, 2, 1118, 7)
SHA256_WITH_RSA, SHA1_WITH_RSA = (
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05",
)

DC1 = Controller("dc1.corp.example", "ldaps://dc1.corp.example", "HQ", writer="a1", seen={"b2": 900})
DC2 = Controller("dc2.corp.example", "ldaps://dc2.corp.example", "HQ", writer="b2", seen={"a1": 900})
ONE_KEY = "forest"
GARBAGE = b"not a certificate"

Value = Certificate | bytes | None
"""What stands at a controller: a certificate, bytes that are none, or nothing."""


@cache
def its_own(
    name: str,
    *,
    key: str = "",
    life: timedelta = timedelta(days=1826),
    age: timedelta = timedelta(days=400),
    names: tuple[str, ...] | None = None,
    kind: str = "rsa2048",
    sha1: bool = False,
) -> Certificate:
    """A certificate as New-ExchangeCertificate makes it: of both names, self-signed, for five years."""
    label = repr((name, key, life, age, names, kind, sha1))
    both = (name, f"{name.lower()}.{DOMAIN}") if names is None else names
    begins = NOON - age
    made = an_x509(
        both[0], key=ONE_KEY, kind=kind, not_before=begins, life=life, names=both, serial=_number(label)
    )
    # SHA-1 is not signed with any more; who looks at a certificate does not verify it.
    signed = der(made).replace(SHA256_WITH_RSA, SHA1_WITH_RSA) if sha1 else der(made)
    return _named(signed, label, f"{key or name}{kind}")


@cache
def in_memory(name: str, *, key: str = "memory") -> Certificate:
    """As Exchange makes it when it cannot use its own: for twelve months."""
    return its_own(name, key=f"{key} of {name}", life=timedelta(days=365), age=timedelta(days=3))


@cache
def public(
    name: str = f"mail.{DOMAIN}",
    *,
    issuer: str = "Public CA",
    key: str = "public",
    life: timedelta = timedelta(days=397),
    age: timedelta = timedelta(days=60),
    kind: str = "rsa2048",
) -> Certificate:
    """A certificate for STARTTLS, from a public authority."""
    label = repr((name, issuer, key, life, age, kind))
    begins = NOON - age
    made = an_x509(
        name, key=ONE_KEY, kind=kind, not_before=begins, life=life, issuer=issuer, serial=_number(label)
    )
    return _named(der(made), label, f"{key}{kind}")


def _named(made: bytes, label: str, key: str) -> Certificate:
    """With names that do not change from run to run, as keys do; making those is what costs time."""
    return replace(
        certificate(made),
        fingerprint=Fingerprint(hashlib.sha256(label.encode()).hexdigest()),
        pin=Pin(hashlib.sha256(key.encode()).hexdigest()),
        thumbprint=Thumbprint(hashlib.sha1(label.encode()).hexdigest()),
    )


def _number(label: str) -> int:
    return int(hashlib.sha256(label.encode()).hexdigest()[:30], 16)


def a_stamp(
    writer: str = "a1", number: int = 500, *, age: timedelta = timedelta(days=30), version: int = 1
) -> Stamp:
    return Stamp(writer, number, NOON - age, version)


def a_look(
    server: str,
    controller: Controller,
    value: Value,
    stamp: Stamp | None = None,
    *,
    age: timedelta = timedelta(days=30),
) -> ReplicaSighting:
    """What one controller that answered has for a server."""
    written_at = stamp.written_at if stamp else NOON - age
    found = (Published(value, written_at, stamp),) if isinstance(value, Certificate) else ()
    bad = (Unparsable(fingerprint_of(value), len(value), written_at),) if isinstance(value, bytes) else ()
    return ReplicaSighting(
        _full(server),
        controller.url,
        found,
        NOON,
        unparsable=bad,
        writer=controller.writer,
        seen=controller.seen,
    )


def an_unread_look(server: str, controller: Controller, why: str = "no answer in 10 s") -> ReplicaSighting:
    return ReplicaSighting(_full(server), controller.url, None, NOON, why)


def a_wire(server: str, verb: str, leaf: Certificate | None, port: int = 25) -> WireSighting:
    """A look at one port; None: SMTP answers without the verb."""
    endpoint = Endpoint(_full(server), port)
    if leaf is not None:
        return WireSighting(_full(server), endpoint, (leaf,), NOON, verb=verb, protocol="TLSv1.2")
    return WireSighting(
        _full(server),
        endpoint,
        None,
        NOON,
        "not offered",
        WireFailure.NOT_OFFERED,
        "ehlo",
        verb,
    )


def a_dead_wire(
    server: str, verb: str, port: int = 25, failure: WireFailure = WireFailure.UNREACHABLE
) -> WireSighting:
    return WireSighting(
        _full(server),
        Endpoint(_full(server), port),
        None,
        NOON,
        "connection refused",
        failure,
        "connect",
        verb,
    )


def a_server(
    name: str = "MBX1",
    *,
    at: Mapping[str, Value] | None = None,
    stamps: Mapping[str, Stamp | None] | None = None,
    presents: Certificate | str | None = "",
    starttls: Certificate | str | None = "",
    controllers: Iterable[Controller] = (DC1, DC2),
    **rest: object,
) -> ExchangeServer:
    """
    A mailbox server in order: its own certificate everywhere, presented on both ports, and a public one.

    *at*, *stamps*: by controller's url, where it differs.  *presents*: None for not offered.
    """
    leaf = its_own(name)
    values: dict[str, Value] = {one.url: leaf for one in controllers} | dict(at or {})
    written: dict[str, Stamp | None] = {one.url: a_stamp() for one in controllers} | dict(stamps or {})
    shown = leaf if isinstance(presents, str) else presents
    public_leaf = public() if isinstance(starttls, str) else starttls
    is_edge = rest.get("roles") == Role.EDGE
    ports = (25,) if is_edge else (25, 2525)
    settings: dict[str, object] = {
        "roles": MAILBOX,
        "version": EXCHANGE_2019,
        "site": "HQ",
        "published": tuple(a_look(name, one, values[one.url], written[one.url]) for one in controllers),
        "written": written,
        "takes_part_in_edgesync": False,
        "wires": tuple(
            a_wire(name, verb, one, port)
            for port in ports
            for verb, one in ((X_ANONYMOUSTLS, shown), (STARTTLS, public_leaf))
        ),
    }
    return ExchangeServer(name, _full(name), f"CN={name},{SERVERS}", **{**settings, **rest})


def everywhere(value: Value, controllers: Iterable[Controller] = (DC1, DC2)) -> dict[str, Value]:
    return {one.url: value for one in controllers}


def nowhere_written(controllers: Iterable[Controller] = (DC1, DC2)) -> dict[str, Stamp | None]:
    return {one.url: None for one in controllers}


def a_receive_connector(server: str = "MBX1", name: str = "Default Frontend", **rest: object) -> Connector:
    settings: dict[str, object] = {
        "fqdn": f"mail.{DOMAIN}",
        "bindings": ("0.0.0.0:25", "[::]:25"),
        "remote_ranges": ("0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        "auth": frozenset({"Tls", "Integrated", "BasicAuth", "ExchangeServer"}),
        "enabled": True,
    }
    return Connector(
        Direction.RECEIVE,
        f"{server}\\{name} {server}",
        (server,),
        **{**settings, **rest},
    )


def a_send_connector(*servers: str, name: str = "To the Internet", **rest: object) -> Connector:
    return Connector(Direction.SEND, name, servers or ("MBX1",), **rest)


def an_organization(*servers: ExchangeServer, **rest: object) -> Organization:
    settings: dict[str, object] = {
        "dn": SERVERS.partition("CN=Corp")[1] + SERVERS.partition("CN=Corp")[2],
        "forest": DOMAIN,
        "seen_from": "jump.corp.example",
        "account": "CORP\\auditor",
        "controllers": (DC1, DC2),
        "servers": servers,
        "sources": {wire.endpoint: FROM for one in servers for wire in one.wires},
    }
    return Organization("Corp", **{**settings, **rest})


def stored(leaf: Certificate, **rest: object) -> StoreCertificate:
    settings: dict[str, object] = {
        "services": frozenset({"SMTP"}),
        "has_key": True,
        "network_service_reads": True,
    }
    return StoreCertificate(leaf.thumbprint, leaf, **{**settings, **rest})


def collected(name: str, *held: StoreCertificate, **rest: object) -> Collected:
    settings: dict[str, object] = {"internal_thumbprint": None}
    return Collected(
        name,
        _full(name),
        NOON - timedelta(hours=1),
        "mbx.json",
        held,
        **{**settings, **rest},
    )


def with_store(server: ExchangeServer, *held: StoreCertificate, **rest: object) -> ExchangeServer:
    return replace(server, collected=collected(server.name, *held, **rest))


def nine_servers() -> Organization:
    """One of each condition, and one in order; all in one site, to which the Edge is subscribed."""
    newer = its_own("MBX2", key="newer", age=timedelta(days=10))
    gone = f"<I>CN=Old CA<S>CN=mail.{DOMAIN}"
    return an_organization(
        a_server("MBX1", at=everywhere(None), stamps=nowhere_written(), presents=None),
        a_server("MBX2", presents=newer),
        a_server("MBX3", at=everywhere(GARBAGE), presents=None),
        a_server("MBX4", at=everywhere(its_own("MBX9")), presents=its_own("MBX9")),
        a_server(
            "MBX5",
            at={DC2.url: None},
            stamps={DC1.url: a_stamp(number=950, age=timedelta(hours=2)), DC2.url: None},
        ),
        a_server("MBX6", presents=in_memory("MBX6")),
        a_server("MBX7"),
        a_server("EDGE1", roles=Role.EDGE, presents=its_own("EDGE1", key="new edge", age=timedelta(days=2))),
        a_server("MBX9", at=everywhere(its_own("MBX9")), takes_part_in_edgesync=True),
        connectors=(a_receive_connector("MBX7", tls_certificate_name=gone), a_receive_connector("MBX9")),
    )


def _full(name: str) -> ServerName:
    return ServerName(f"{name.lower()}.{DOMAIN}")
