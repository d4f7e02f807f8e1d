"""
The stages of one hop, in their order, and what was seen at each.

A *trace* is what a real session showed, without a word about what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.server import Endpoint


class Stage(StrEnum):
    """Where a session may stop."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    VERBS = "verbs"
    """Whether a verb for TLS is offered, and its answer."""
    HANDSHAKE = "handshake"
    THEIR_CERTIFICATE = "their-certificate"
    """What the receiver presents, beside what is published for it."""
    OUR_CERTIFICATE = "our-certificate"
    """Whether the receiver asks for the sender's certificate and takes it, beside what is published."""
    EHLO_AGAIN = "ehlo-again"
    MAIL = "mail"
    RCPT = "rcpt"
    MESSAGE = "message"
    """DATA; only where a message is sent."""
    RSET = "rset"
    """Taking it all back; only where none is sent."""
    QUIT = "quit"
    ARRIVAL = "arrival"


BEFORE = (Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.VERBS, Stage.HANDSHAKE)
"""Up to the end of the handshake."""
OF_A_MESSAGE = (Stage.MESSAGE, Stage.ARRIVAL)
TIMED_LIMITS: Mapping[Stage, timedelta] = {
    Stage.RESOLVE: timedelta(milliseconds=500),
    Stage.CONNECT: timedelta(milliseconds=500),
    Stage.BANNER: timedelta(seconds=2),
    Stage.EHLO: timedelta(seconds=1),
    Stage.VERBS: timedelta(seconds=1),
    Stage.HANDSHAKE: timedelta(seconds=1),
    Stage.EHLO_AGAIN: timedelta(seconds=1),
    Stage.MAIL: timedelta(seconds=1),
    Stage.RCPT: timedelta(seconds=2),
    Stage.MESSAGE: timedelta(seconds=5),
    Stage.RSET: timedelta(seconds=1),
    Stage.QUIT: timedelta(seconds=1),
    Stage.ARRIVAL: timedelta(seconds=30),
}
"""Slower than that is slow, in a network of one's own.  A banner and RCPT often wait for a name server."""


class Stop(StrEnum):
    """How a stage was not passed."""

    NO_NAME = "no-name"
    NO_CONNECTION = "no-connection"
    SILENT = "silent"
    """Nothing came in time."""
    CLOSED = "closed"
    REFUSED = "refused"
    """An answer that says no."""
    NONSENSE = "nonsense"
    """What came is not SMTP, or not TLS."""
    NO_VERB = "no-verb"
    """No verb for TLS is offered or granted."""
    NOT_BELIEVED = "not-believed"
    """We left, because what it presented is not published."""
    OUR_LIMIT = "our-limit"
    """For a reason of this host's own."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One stage that was tried."""

    took: timedelta
    said: str = ""
    """The server's own words, or what stands for them: an address, a protocol."""
    stop: Stop | None = None
    """None where it was passed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One session with one listener, as far as it came."""

    endpoint: Endpoint
    began_at: datetime
    passages: Mapping[Stage, Passage]
    """What was tried, in order; the last one may have stopped it."""
    address: str = ""
    """The address that was connected to."""
    offered: tuple[str, ...] | None = None
    """The keywords of the first EHLO's answer; None where none came."""
    offered_inside: tuple[str, ...] | None = None
    """The same behind TLS."""
    verb: str = ""
    protocol: str = ""
    """``TLSv1.3`` and so on; only from a finished handshake."""
    leaf: Certificate | None = None
    """What the server presented; only from a finished handshake."""
    unreadable: Fingerprint | None = None
    """What it presented, where that does not parse."""
    asked: bool | None = None
    """Whether it asked for our certificate; None where it did not come to that."""
    shown: Certificate | None = None
    """What we would present, if asked; None where we have nothing."""
    addresses: tuple[str, ...] = ()
    """All that the name has, in the order in which they are tried."""
    dead: tuple[str, ...] = ()
    """Those that took no connection before *address* did, each with its reason."""

    @property
    def stopped_at(self) -> Stage | None:
        """The stage that was tried and not passed."""
        return next((stage for stage, one in self.passages.items() if one.stop is not None), None)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a listener from elsewhere: from before, and from other ways to the same server."""

    before: tuple[str, ...] = ()
    """The verbs for TLS that it offered when it was last looked at; empty where nobody knows."""
    before_at: datetime | None = None
    directly: Mapping[Endpoint, tuple[str, ...]] = field(default_factory=dict)
    """The verbs for TLS that the server offers at other listeners of its own."""
