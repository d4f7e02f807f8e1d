"""Builders: one line for what a test is about, sensible values for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin, certificate
from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import (
    Act,
    History,
    Installed,
    Published,
    RehearsalSighting,
    ReplicaSighting,
    Sighting,
    Slot,
    StoreSighting,
    Unparsable,
    View,
    WireFailure,
    WireSighting,
)

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HUB1 = ServerName("hub1.example.test")
HUB2 = ServerName("hub2.example.test")
DC1, DC2, DC3 = (f"sqlite:///srv/dc{number}.db" for number in (1, 2, 3))
ENDPOINT = Endpoint("127.0.0.1", 2525)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def days(count: float) -> timedelta:
    return timedelta(days=count)


@cache
def a_key(label: str = "a", kind: str = "p256") -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """One key per label for the whole run: making them is what costs time."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


def an_x509(
    name: str = HUB1,
    *,
    key: str = "a",
    kind: str = "p256",
    not_before: datetime = NOON - timedelta(days=30),
    life: timedelta = timedelta(days=1825),
    serial: int | None = None,
    issuer: str | None = None,
    names: Iterable[str] | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> x509.Certificate:
    """A real certificate for *name*, signed by its own key."""
    private = a_key(key, kind)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]) if issuer else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(private.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + life)
    )
    held = [name] if names is None else list(names)
    if held:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in held]), False
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(private, hashes.SHA256())


AUTHORITY = ((x509.BasicConstraints(ca=True, path_length=None), True),)
"""The extension by which a certificate may issue others; `openssl req -x509` makes it unless told not to."""


def der(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.DER)


def half_readable() -> tuple[bytes, ...]:
    """Certificates that load, complete handshakes, and hold an extension that cannot be read."""
    x400_address = x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, b"\x30\x02\xa3\x00")
    private = [
        x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{last}"), b"\x05\x00") for last in (4, 5)
    ]
    odd_name = an_x509(names=(), serial=7, extensions=[(x400_address, False)])
    twice = der(an_x509(serial=8, extensions=[(one, False) for one in private]))
    return der(odd_name), twice.replace(b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04")


def a_certificate(name: str = HUB1, **options: object) -> Certificate:
    """The same, as mailtrust's own value."""
    return certificate(der(an_x509(name, **options)))  # type: ignore[arg-type]


def installed(
    leaf: Certificate,
    slot: Slot = Slot.NONE,
    *,
    arrived_at: datetime = NOON - timedelta(days=1),
    has_key: bool = True,
) -> Installed:
    return Installed(leaf, slot, arrived_at, has_key)


def a_store(*held: Installed, server: ServerName = HUB1, exposed: tuple[str, ...] = ()) -> StoreSighting:
    return StoreSighting(server, "/srv/hub1", held, NOON, exposed=exposed)


def an_unread_store(server: ServerName = HUB1) -> StoreSighting:
    return StoreSighting(server, "/srv/hub1", None, NOON, why="permission denied")


def a_replica(
    url: str,
    *leaves: Certificate,
    server: ServerName = HUB1,
    published_at: datetime = NOON - timedelta(days=1),
    unparsable: tuple[Unparsable, ...] = (),
    withdrawn: Mapping[Fingerprint, datetime] | None = None,
    withdrawn_pins: frozenset[Pin] = frozenset(),
    home: bool | None = None,
    listeners: tuple[Endpoint, ...] = (),
    written: Stamp | None = None,
    **more: Any,
) -> ReplicaSighting:
    """
    What one replica publishes, by the write *written*.  DC1 is home and primary unless said otherwise.
    """
    return ReplicaSighting(
        server,
        url,
        tuple(Published(leaf, published_at, written) for leaf in leaves),
        NOON,
        unparsable=unparsable,
        withdrawn=withdrawn or {},
        withdrawn_pins=withdrawn_pins,
        listeners=listeners,
        home=url == DC1 if home is None else home,
        primary=url == DC1,
        **more,
    )


def an_unread_replica(url: str, *, server: ServerName = HUB1, home: bool | None = None) -> ReplicaSighting:
    is_home = url == DC1 if home is None else home
    return ReplicaSighting(server, url, None, NOON, why="no answer in 10 s", home=is_home, primary=url == DC1)


def a_wire(
    *leaves: Certificate,
    server: ServerName = HUB1,
    endpoint: Endpoint = ENDPOINT,
    asks: bool | None = True,
) -> WireSighting:
    return WireSighting(
        server, endpoint, leaves, NOON, verb="STARTTLS", protocol="TLSv1.3", asks_client_certificate=asks
    )


def a_dead_wire(failure: WireFailure = WireFailure.UNREACHABLE, *, server: ServerName = HUB1) -> WireSighting:
    return WireSighting(server, ENDPOINT, None, NOON, "connection refused", failure, "connect")


def garbage(data_digest: str = "ab" * 32) -> Unparsable:
    return Unparsable(Fingerprint(data_digest), 7, NOON - timedelta(hours=1))


def enabled(
    leaf: Certificate, *, at: datetime = NOON - timedelta(hours=2), place: str = DC1, failed: str = ""
) -> Act:
    return Act("enable", HUB1, leaf.fingerprint, at, place, failed)


def a_rehearsal(
    leaf: Certificate, peer: str = HUB2, *, accepted: bool | None, seen_at: datetime = NOON
) -> RehearsalSighting:
    return RehearsalSighting(HUB1, peer, leaf.fingerprint, accepted, seen_at, "454 4.7.1 1036")


def since(*seen: tuple[str, Certificate, float]) -> History:
    """Since how many minutes HUB1's certificates are where they are."""
    moments = {(HUB1, place, leaf.fingerprint): NOON - minutes(ago) for place, leaf, ago in seen}
    return History(since=moments)


def a_view(*looks: Sighting, acts: tuple[Act, ...] = (), history: History | None = None) -> View:
    return View(history=history or History(acts)).see(looks)
