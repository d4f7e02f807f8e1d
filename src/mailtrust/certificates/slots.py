"""
Which certificate is for what, and when each arrived: one small JSON file beside the certificates.

It is replaced as a whole, so that a reader needs no lock; who changes it holds the folder's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailtrust import durable
from mailtrust.certificates import custody
from mailtrust.core.model.certificate import Fingerprint
from mailtrust.core.model.sighting import Slot
from mailtrust.errors import StoreUnavailable

SLOTS_FILE = "slots.json"
SLOTS_SCHEMA = "mailtrust.slots/1"


@dataclass(frozen=True, slots=True)
class Slots:
    """The contents of the file."""

    current: Fingerprint | None = None
    next: Fingerprint | None = None
    previous: tuple[Fingerprint, ...] = ()
    """The latest replaced first."""
    arrived: Mapping[Fingerprint, datetime] = field(default_factory=dict)

    def of(self, fingerprint: Fingerprint) -> Slot:
        """What that certificate is for."""
        if fingerprint == self.current:
            return Slot.CURRENT
        if fingerprint == self.next:
            return Slot.NEXT
        return Slot.PREVIOUS if fingerprint in self.previous else Slot.NONE

    def with_arrival(self, fingerprint: Fingerprint, now: datetime) -> Slots:
        """After that certificate came in; a second time changes nothing."""
        return replace(self, arrived={fingerprint: now, **self.arrived})

    def with_current(self, fingerprint: Fingerprint) -> Slots:
        """After that certificate was made current; what was current is previous."""
        if fingerprint == self.current:
            return self
        replaced = (self.current,) if self.current else ()
        others = tuple(one for one in self.previous if one not in (fingerprint, self.current))
        following = None if self.next == fingerprint else self.next
        return replace(self, current=fingerprint, next=following, previous=(*replaced, *others))

    def with_next(self, fingerprint: Fingerprint) -> Slots:
        """After that certificate was made the successor; the one before it goes as what is replaced goes."""
        if fingerprint in (self.next, self.current):
            return self
        outdated = (self.next,) if self.next else ()
        return replace(self, next=fingerprint, previous=(*self.previous, *outdated))

    def without(self, fingerprint: Fingerprint) -> Slots:
        """After that certificate was removed."""
        return Slots(
            None if self.current == fingerprint else self.current,
            None if self.next == fingerprint else self.next,
            tuple(one for one in self.previous if one != fingerprint),
            {one: at for one, at in self.arrived.items() if one != fingerprint},
        )


def read(folder: Path) -> Slots:
    """The slots of a folder; empty where there are none.  Raises: OSError, StoreUnavailable."""
    try:
        data = custody.read(folder / SLOTS_FILE)
    except FileNotFoundError:
        return Slots()
    try:
        return _from_json(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreUnavailable(
            f"{folder / SLOTS_FILE} is damaged: which certificate is current cannot be read",
            hint="bring it back from a backup; or move it away, and enable the right certificate again",
        ) from error


def write(folder: Path, slots: Slots) -> None:
    """Replace the file.  Raises: OSError."""
    value = {
        "schema": SLOTS_SCHEMA,
        "current": slots.current,
        "next": slots.next,
        "previous": list(slots.previous),
        "arrived": {one: at.astimezone(UTC).isoformat() for one, at in sorted(slots.arrived.items())},
    }
    durable.write(folder / SLOTS_FILE, json.dumps(value, indent=1).encode(), durable.PUBLIC)


def _from_json(value: dict[str, Any]) -> Slots:
    if value["schema"] != SLOTS_SCHEMA:
        raise ValueError("another schema")
    arrived = {Fingerprint(one): datetime.fromisoformat(at) for one, at in value["arrived"].items()}
    return Slots(value["current"], value["next"], tuple(value["previous"]), arrived)
