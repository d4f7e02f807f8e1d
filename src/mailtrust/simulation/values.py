"""The world's smallest things: moments, names, and certificates that cost no key."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache

from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin, Thumbprint
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.policy import Policy

BEGINNING = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""Minute 0 of every world."""
POLICY = Policy(
    spread=timedelta(minutes=30),
    settle=timedelta(hours=1),
    snapshot_max_age=timedelta(minutes=20),
    latency=timedelta(minutes=15),
)
"""The world's pace: between spread and a snapshot's greatest age there is room for a clock's error."""
LINGERS = 45.0
"""How many minutes a process may go on with the file that it has read."""
_LIFE = timedelta(days=1825)


def moment(minutes: float) -> datetime:
    """That many minutes after the beginning."""
    return BEGINNING + timedelta(minutes=minutes)


def host_name(number: int) -> ServerName:
    """``hub1`` and so on, in full."""
    return ServerName(f"hub{number + 1}.example.test")


def replica_name(number: int) -> str:
    """``dc1`` and so on."""
    return f"dc{number + 1}"


def listener(number: int) -> Endpoint:
    """Where that host presents."""
    return Endpoint(f"hub{number + 1}.example.test", 25)


def letter(number: int) -> str:
    """A certificate as people speak of it: A, B, C, …"""
    return chr(ord("A") + number) if number < 26 else f"Z{number - 25}"


@cache
def certificate_of(host: int, number: int, days_left: int = 1795) -> Certificate:
    """The *number*-th certificate of that host; equal in every world, so that it is built once."""
    name, seed = host_name(host), f"{host}/{number}/{days_left}".encode()
    ends = BEGINNING + timedelta(days=days_left)
    return Certificate(
        Fingerprint(hashlib.sha256(b"certificate " + seed).hexdigest()),
        Pin(hashlib.sha256(b"key " + seed).hexdigest()),
        Thumbprint(hashlib.sha256(b"thumbprint " + seed).hexdigest()[:40]),
        (name,), ends - _LIFE, ends, "RSA", 2048, "sha256",
        self_signed=True, is_ca=False, subject=f"CN={name}", issuer=f"CN={name}", der=b"",
    )  # fmt: skip
