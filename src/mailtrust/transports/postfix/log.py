"""
Postfix's own log, read for one thing: who called, and what certificate it showed.

With ``smtpd_tls_loglevel = summary, peercert`` smtpd(8) writes, between ``connect from`` and ``disconnect
from``, the digests of the client's certificate and of its public key.  The last line counts the commands;
where MAIL is not among them, nobody wanted to send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from mailtrust.core.digests import digest
from mailtrust.core.sessions import Reason
from mailtrust.errors import BadInput

DAEMON = "smtpd"
_SIGNED = f"/{DAEMON}["
_TELLING = ("connect from ", "fingerprint=", " TLS connection ")
"""Other lines, most of them, need not be taken apart."""
_OPEN_MOST = 10_000
_OPEN_LONGEST = timedelta(days=1)
_CLASSIC = "%Y %b %d %H:%M:%S"

_LINE = re.compile(
    r"(?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ "
    r"(?P<tag>[^\s\[]+)\[(?P<pid>\d+)\]: (?P<text>.*)"
)
_CLIENT = r"\S*\[(?P<address>[0-9A-Fa-f.:]+|unknown)\](?::\d+)?"
_CONNECT = re.compile(rf"connect from {_CLIENT}")
_DISCONNECT = re.compile(rf"disconnect from {_CLIENT}(?P<commands>(?: [a-z_]+=[\d/]+)*)")
_TLS = re.compile(
    r"(?P<how>Anonymous|Untrusted|Trusted|Verified) TLS connection (?:established|reused) from "
)
# A subject may hold what looks like a fingerprint: the last ones in the line are Postfix's.
_CERTIFICATE = re.compile(
    rf"{_CLIENT}: .*, fingerprint=(?P<leaf>[0-9A-F:]+), pkey_fingerprint=(?P<key>[0-9A-F:]+)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log, whatever keeps it."""

    at: datetime
    tag: str
    """``postfix/smtpd``, or as ``syslog_name`` has it."""
    pid: int
    text: str


@dataclass(frozen=True, slots=True)
class Open:
    """A session that has not ended yet."""

    tag: str
    pid: int
    began_at: datetime
    address: str
    how: str = ""
    """How far TLS trusts the client; empty where no TLS was logged."""
    fingerprint: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Logged:
    """A session that is over and in which somebody wanted to send."""

    at: datetime
    tag: str
    address: str
    reason: Reason | None
    """None where it showed a certificate: whose that is, the log does not know."""
    fingerprint: str = ""
    """By the digest that Postfix is set to, as lower-case hex."""
    pin: str = ""


class Sessions:
    """The sessions of a log, line by line; `open` is what to begin with where the next reading goes on."""

    def __init__(self, still_open: Iterable[Open] = ()) -> None:
        self._open = {(one.tag, one.pid): one for one in still_open}

    @property
    def open(self) -> tuple[Open, ...]:
        """What has not ended yet."""
        return tuple(self._open.values())

    def read(self, line: Line) -> Logged | None:
        """The session that this line ends, if it does, and somebody wanted to send."""
        key = line.tag, line.pid
        if line.text.startswith("connect") and (found := _CONNECT.fullmatch(line.text)):
            self._forget_the_dead(line.at)
            self._open[key] = Open(line.tag, line.pid, line.at, found["address"])
            return None
        one = self._open.get(key)
        if one is None:
            # It began before our first line: what it showed is not known, and it is no evidence.
            return None
        if "fingerprint=" in line.text and (found := _CERTIFICATE.fullmatch(line.text)):
            self._open[key] = _presenting(one, found["leaf"], found["key"])
        elif found := _TLS.match(line.text):
            self._open[key] = replace(one, how=found["how"])
        elif found := _DISCONNECT.fullmatch(line.text):
            del self._open[key]
            return _ended(one, line.at, dict(one.split("=") for one in found["commands"].split()))
        return None

    def _forget_the_dead(self, now: datetime) -> None:
        """A process that was killed never says goodbye."""
        if len(self._open) >= _OPEN_MOST:
            alive = now - _OPEN_LONGEST
            self._open = {key: one for key, one in self._open.items() if one.began_at > alive}
        if len(self._open) >= _OPEN_MOST:
            del self._open[next(iter(self._open))]


def line_of(text: str, now: datetime, zone: tzinfo | None) -> Line | None:
    """
    A line of a log file, if smtpd(8) wrote it; *zone* is the one in which a syslog writes.

    The classic form has no year: it is the latest that does not lie ahead of *now*.
    """
    if _SIGNED not in text or not any(telling in text for telling in _TELLING):
        return None
    found = _LINE.fullmatch(text)
    if found is None or not found["tag"].endswith(f"/{DAEMON}"):
        return None
    at = _moment(found["at"], now, zone)
    return Line(at, found["tag"], int(found["pid"]), found["text"]) if at is not None else None


@lru_cache(maxsize=8)
def _moment(text: str, now: datetime, zone: tzinfo | None) -> datetime | None:
    if text[0].isdigit():
        with suppress(ValueError):
            at = datetime.fromisoformat(text)
            return at.astimezone(UTC) if at.tzinfo is not None else _in(at, zone)
        return None
    for year in (now.year + 1, now.year, now.year - 1):
        # The 29th of February is no day of every year.
        with suppress(ValueError):
            at = _in(datetime.strptime(f"{year} {text}", _CLASSIC), zone)  # noqa: DTZ007  # _in adds it
            if at <= now + timedelta(days=1):
                return at
    return None


def _in(at: datetime, zone: tzinfo | None) -> datetime:
    return (at.replace(tzinfo=zone) if zone is not None else at).astimezone(UTC)


def _presenting(one: Open, leaf: str, key: str) -> Open:
    try:
        return replace(one, fingerprint=digest(leaf), pin=digest(key))
    except BadInput:
        return one


def _ended(one: Open, at: datetime, commands: Mapping[str, str]) -> Logged | None:
    if "mail" not in commands:
        return None
    reason: Reason | None = None
    if not one.fingerprint:
        if one.how:
            reason = Reason.NO_CERTIFICATE if one.how == "Anonymous" else Reason.NOT_LOGGED
        else:
            # It counts "1", or "0/1" for one that came to nothing.
            secured = commands.get("starttls", "0").split("/")[0] != "0"
            reason = Reason.NOT_LOGGED if secured else Reason.NO_TLS
    return Logged(at, one.tag, one.address, reason, one.fingerprint, one.pin)
