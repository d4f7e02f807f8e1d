"""
What the run before this one found, and what has changed since.

The former run is read from its own JSON.  A finding about a server that was not looked at this time has not
closed: nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from mailtrust.core.model.sighting import WireFailure
from mailtrust.errors import BadInput

_READS = "mailtrust.audit/1"
_ANSWERED = WireFailure.NOT_OFFERED.value
_SHORT = 12


class _Looked(msgspec.Struct):
    found: list[str] | None = None
    verb: str = ""
    failure: str | None = None


class _Server(msgspec.Struct):
    name: str
    server: str
    presented: list[_Looked] = []
    published: list[_Looked] = []
    installed: list[str] | None = None

    @property
    def was_seen(self) -> bool:
        """Whether enough was seen of it that a finding which is gone is really gone."""
        read = self.installed is not None or any(look.found is not None for look in self.published)
        answered = [look for look in self.presented if look.found or look.failure == _ANSWERED]
        return read and (not self.presented or bool(answered))


class _Controller(msgspec.Struct):
    name: str
    readable: bool


class Found(msgspec.Struct, frozen=True):
    """A finding, as far as two runs compare it."""

    event: int
    name: str
    severity: str
    worst: str
    server: str
    incident: str
    message: str
    cause: str | None = None

    @property
    def state(self) -> tuple[str, str, str | None]:
        """What makes it another finding under the same incident."""
        return self.severity, self.worst, self.cause


class _Thumbprint(msgspec.Struct):
    thumbprint: str


class Run(msgspec.Struct):
    """One run, from its report."""

    schema: str
    audited_at: datetime
    findings: list[Found]
    servers: list[_Server]
    certificates: dict[str, _Thumbprint]
    controllers: list[_Controller] = []

    def certificates_of(self) -> Mapping[tuple[str, str], frozenset[str] | None]:
        """By server and use the thumbprints that were seen, shortened; None where nobody could look."""
        uses: dict[tuple[str, str], frozenset[str] | None] = {}
        for server in self.servers:
            looks = [("published", look) for look in server.published]
            looks += [(look.verb, look) for look in server.presented]
            for use, look in looks:
                seen = uses.get((server.name, use))
                if look.found is not None:
                    uses[server.name, use] = (seen or frozenset()) | set(map(self._short, look.found))
                else:
                    uses.setdefault((server.name, use), None)
        return uses

    def _short(self, fingerprint: str) -> str:
        known = self.certificates.get(fingerprint)
        return (known.thumbprint if known else fingerprint)[:_SHORT].upper()


@dataclass(frozen=True, slots=True)
class Replaced:
    """Certificates of one server and use that are others now."""

    server: str
    use: str
    was: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the former run."""

    since: datetime
    opened: tuple[Found, ...] = ()
    closed: tuple[Found, ...] = ()
    changed: tuple[Found, ...] = ()
    """As they are now."""
    unseen: tuple[Found, ...] = ()
    """Found then, about a server that was not looked at now."""
    certificates: tuple[Replaced, ...] = ()


def read_run(data: bytes, place: str) -> Run:
    """
    A former run, from the bytes of its report; *place* is what to call it.

    Raises: BadInput for what is no report, or damaged.
    """
    try:
        run = msgspec.json.decode(data, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{place} is no report of a former run, or it is damaged") from error
    if run.schema != _READS or run.audited_at.tzinfo is None:
        raise BadInput(f"{place} is of the kind {run.schema!r}, which this release does not compare with")
    return run


def run_of(report: Mapping[str, object]) -> Run:
    """A run as its own report has it."""
    return msgspec.convert(report, type=Run)


def changes(before: Run, now: Run) -> Changes:
    """What opened, closed and changed, and which certificates are others."""
    then = {one.incident: one for one in before.findings}
    today = {one.incident: one for one in now.findings}
    gone = [one for incident, one in then.items() if incident not in today]
    looked = {one.server for one in now.servers if one.was_seen}
    looked |= {one.name.lower() for one in now.controllers if one.readable}
    again = [one for incident, one in today.items() if incident in then]
    return Changes(
        before.audited_at,
        tuple(one for incident, one in today.items() if incident not in then),
        tuple(one for one in gone if one.server in looked),
        tuple(one for one in again if one.state != then[one.incident].state),
        tuple(one for one in gone if one.server not in looked),
        tuple(_replaced(before, now)),
    )


def _replaced(before: Run, now: Run) -> Iterator[Replaced]:
    then = before.certificates_of()
    for (server, use), seen in now.certificates_of().items():
        was = then.get((server, use))
        if was is not None and seen is not None and was != seen:
            yield Replaced(server, use, _sorted(was), _sorted(seen))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
