"""
How two ends that Kerberos has made known to each other agree to encrypt, and frames of what is encrypted.

The server offers *layers* and says how long a frame it takes; the client picks one and says the same of
itself (RFC 4752 section 3.1).  From then on everything is cut into frames, each behind its length in four
bytes (RFC 4422 section 3.7); what is in a frame only the security context can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from mailtrust.errors import NotLdap

MECHANISM = "GSSAPI"
GREATEST_FRAME_BYTES = 2**24 - 1
"""Three bytes tell it; Windows sends a whole answer as one frame."""

_LENGTH_BYTES = 4


class Layers(IntFlag):
    """What may be done to everything that follows signing in."""

    NONE = 1
    INTEGRITY = 2
    CONFIDENTIALITY = 4


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers."""

    layers: Layers
    frame_bytes: int
    """The longest frame that it takes, its length not counted; 0 where it takes none."""


def offered(token: bytes) -> Offer:
    """The server's offer, out of its token.  Raises: NotLdap."""
    if len(token) != _LENGTH_BYTES:
        raise NotLdap(f"an offer of {len(token)} bytes, which has four")
    return Offer(Layers(token[0] & 7), int.from_bytes(token[1:], "big"))


def chosen(layer: Layers, frame_bytes: int = 0) -> bytes:
    """Our choice, and the longest frame that we take; without a layer that is none."""
    return bytes((layer,)) + frame_bytes.to_bytes(3, "big")


def framed(sealed: bytes) -> bytes:
    """What is encrypted, as a frame."""
    return len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed


class Frames:
    """Bytes as they arrive in, the content of whole frames out; none is longer than *limit_bytes*."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """
        The frames that these bytes complete; take them all.

        Raises: NotLdap as soon as a frame says that it will be too long.
        """
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> bytes | None:
        if len(self._buffer) < _LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if not 0 < size <= self._limit:
            raise NotLdap(f"a frame of {size} bytes, where 1 to {self._limit} are agreed on")
        end = _LENGTH_BYTES + size
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[_LENGTH_BYTES:end])
        del self._buffer[:end]
        return frame
