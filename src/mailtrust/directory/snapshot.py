"""
The trust snapshot on disk, so that a hub that starts while the directory is down believes the same peers.

It is replaced at one stroke: whoever reads it sees the old one or the new one, even after a power cut.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from mailtrust import durable
from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import StoreUnavailable

SNAPSHOT_FILE = "snapshot.json"
"""Its name in a server's store."""
_SCHEMA = "mailtrust.snapshot/1"
_Pin = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Written(msgspec.Struct, frozen=True):
    schema: str
    taken_at: _Moment | None
    replica: str
    servers: dict[_Pin, str]


def load(file: Path) -> Snapshot:
    """
    The snapshot as it was saved; an empty one, which is stale, where none ever was.

    Raises: StoreUnavailable where it cannot be read, or is not what was written.
    """
    try:
        written = msgspec.json.decode(file.read_bytes(), type=_Written)
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
    if written.schema != _SCHEMA:
        raise StoreUnavailable(
            f"the trust snapshot {file} was written by another release of mailtrust",
            hint="delete it; the hub takes a new one from its home replica",
        )
    servers = {Pin(pin): ServerName(server) for pin, server in written.servers.items()}
    return Snapshot(servers, written.taken_at, written.replica)


def save(file: Path, snapshot: Snapshot) -> None:
    """Put *snapshot* in the place of what *file* has, wholly or not at all.  Raises: StoreUnavailable."""
    written = _Written(_SCHEMA, snapshot.taken_at, snapshot.replica, dict(snapshot.servers.items()))
    try:
        # Whom we believe is no secret, and a monitoring account reads how old it is.
        durable.write(file, msgspec.json.format(msgspec.json.encode(written)), durable.PUBLIC)
    except OSError as error:
        raise StoreUnavailable(
            f"the trust snapshot {file} cannot be written",
            hint="check that the disk has room and that this account may write to the store's folder",
        ) from error
