"""
The trust snapshot on disk, so that a hub that starts while the directory is down believes the same peers.

One JSON object a line: the format's name; the whole snapshot, and last of it when and from which replica it
was taken; then a line for each change, for a change in a large directory must not cost what that one costs.
The whole is put there at one stroke, and a line that is not finished was never said: so whoever reads sees
the old snapshot or the new one, even after a power cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec

from mailtrust import durable
from mailtrust.core.model.certificate import Fingerprint, Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.spread import Spread
from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import StoreUnavailable

SNAPSHOT_FILE = "snapshot.jsonl"
"""Its name in a server's store."""
_SCHEMA = "mailtrust.snapshot/2"
_AT_ONCE = 1000
_LEAST_BYTES = 64 * 1024
"""So much may stand behind the whole snapshot, or as much as that is long, until it is written anew."""
_Pin = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Digest = _Pin
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Head(msgspec.Struct, frozen=True):
    schema: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    come: dict[_Pin, str] = {}
    gone: list[_Pin] = []
    certificates: dict[_Pin, tuple[_Digest, ...]] = {}
    """Those that carry the keys, where withdrawals are remembered by them; only in the whole snapshot."""
    replica: str | None = None
    """In the last line of the whole snapshot, and of each change."""
    taken_at: _Moment | None = None
    seen: dict[str, int] = {}
    kept: dict[_Pin, _Moment] = {}
    lent: list[_Pin] = []
    lent_seen: dict[str, int] = {}


class SnapshotFile:
    """The file of the one who writes it; others `load`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: Snapshot | None = None
        self._whole_bytes = self._bytes = 0

    def load(self) -> Snapshot:
        """As `load` has it."""
        return load(self.path)

    def save(self, snapshot: Snapshot) -> None:
        """Let the file have *snapshot*; it costs what changed.  Raises: StoreUnavailable."""
        line, self._held = self._news(snapshot), None
        if line is not None:
            try:
                durable.append(self.path, line, behind=self._bytes)
            except OSError:
                # Somebody took it away, or the disk is full: what follows will tell.
                line = None
        if line is None:
            save(self.path, snapshot)
            self._bytes = self._whole_bytes = self.path.stat().st_size
        else:
            self._bytes += len(line)
        self._held = snapshot

    def _news(self, snapshot: Snapshot) -> bytes | None:
        """What to write behind what is there; None where it is better written anew."""
        if self._held is None or self._bytes > self._whole_bytes + max(self._whole_bytes, _LEAST_BYTES):
            return None
        if self._held.certificates != snapshot.certificates:
            return None
        before, after = self._held.servers, snapshot.servers
        if before is after:
            return _encoded(_last(snapshot))
        if not isinstance(before, Spread) or not isinstance(after, Spread):
            return None
        come, gone = after.since(before)
        return _encoded(msgspec.structs.replace(_last(snapshot), come=dict(come.items()), gone=sorted(gone)))


def load(file: Path) -> Snapshot:
    """
    The snapshot as it was saved; an empty one, which is stale, where none ever was.

    Raises: StoreUnavailable where it cannot be read, or is not what was written.
    """
    try:
        with file.open("rb") as lines:
            head = msgspec.json.decode(next(lines, b""), type=_Head)
            if head.schema == _SCHEMA:
                return _read(lines)
    except FileNotFoundError:
        return Snapshot()
    except OSError as error:
        raise StoreUnavailable(
            f"the trust snapshot {file} cannot be read", hint="check that this account may read it"
        ) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreUnavailable(
            f"the trust snapshot {file} is damaged",
            hint="delete it; the hub takes a new one from its home replica",
        ) from error
    raise StoreUnavailable(
        f"the trust snapshot {file} was written by another release of mailtrust",
        hint="delete it; the hub takes a new one from its home replica",
    )


def save(file: Path, snapshot: Snapshot) -> None:
    """Put *snapshot* in the place of what *file* has, wholly or not at all.  Raises: StoreUnavailable."""
    try:
        # Whom we believe is no secret, and a monitoring account reads how old it is.
        durable.write(file, _lines(snapshot), durable.PUBLIC)
    except OSError as error:
        raise StoreUnavailable(
            f"the trust snapshot {file} cannot be written",
            hint="check that the disk has room and that this account may write to the store's folder",
        ) from error


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    yield _encoded(_Head(_SCHEMA))
    pairs = iter(snapshot.servers.items())
    while some := dict(islice(pairs, _AT_ONCE)):
        named = {pin: snapshot.certificates[pin] for pin in some if pin in snapshot.certificates}
        yield _encoded(_Line(dict(some.items()), certificates=dict(named.items())))
    yield _encoded(_last(snapshot))


def _last(snapshot: Snapshot) -> _Line:
    return _Line(
        replica=snapshot.replica,
        taken_at=snapshot.taken_at,
        seen=dict(snapshot.seen),
        kept=dict(snapshot.kept.items()),
        lent=sorted(snapshot.lent),
        lent_seen=dict(snapshot.lent_seen),
    )


def _encoded(line: _Head | _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _read(lines: Iterable[bytes]) -> Snapshot:
    servers: dict[Pin, ServerName] = {}
    certificates: dict[Pin, tuple[Fingerprint, ...]] = {}
    last: _Line | None = None
    decoder = msgspec.json.Decoder(_Line)
    for text in lines:
        if not text.endswith(b"\n"):
            break
        line = decoder.decode(text)
        for pin in line.gone:
            servers.pop(Pin(pin), None)
        servers.update((Pin(pin), ServerName(server)) for pin, server in line.come.items())
        certificates.update(
            (Pin(pin), tuple(map(Fingerprint, held))) for pin, held in line.certificates.items()
        )
        last = line if line.replica is not None else last
    if last is None:
        raise ValueError("it has no end")
    return Snapshot(
        servers,
        last.taken_at,
        last.replica or "",
        seen=last.seen,
        certificates=certificates,
        kept={Pin(pin): until for pin, until in last.kept.items()},
        lent=frozenset(map(Pin, last.lent)),
        lent_seen=last.lent_seen,
    )
