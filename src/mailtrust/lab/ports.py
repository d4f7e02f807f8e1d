"""Ports of this machine that are free for a lab, and likely to stay so until its servers take them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from itertools import islice

from mailtrust.errors import TransportUnavailable

LOOPBACK = "127.0.0.1"

# Below the range from which a kernel hands out ephemeral ports.
_PORTS = range(13000, 20000)
_SHORT = range(3000, 10000)


def free_ports(count: int) -> tuple[int, ...]:
    """That many free ports.  Raises: TransportUnavailable."""
    found = (port for port in _from_our_own_start(_PORTS, 97) if _is_free(port))
    return _enough(found, count)


def free_neighbours(count: int) -> tuple[int, ...]:
    """
    Up to nine free ports in a row, of four digits, the last one counting from 1: screens call a server so.

    Raises: TransportUnavailable.
    """
    rows = (range(tens + 1, tens + count + 1) for tens in _from_our_own_start(_SHORT[::10], 7))
    free = (row for row in rows if all(map(_is_free, row)))
    return _enough(next(free, ()), count)


def _from_our_own_start(ports: range, stride: int) -> Iterator[int]:
    """Two labs that start together must not look at the same ports."""
    start = os.getpid() * stride
    return (ports[(start + offset) % len(ports)] for offset in range(len(ports)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _enough(found: Iterable[int], count: int) -> tuple[int, ...]:
    held = tuple(islice(found, count))
    if len(held) < count:
        raise TransportUnavailable(f"{count} ports for the lab are not free on {LOOPBACK}")
    return held
