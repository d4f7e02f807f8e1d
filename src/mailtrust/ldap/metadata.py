"""
What Active Directory tells about its own replication, and how Windows wraps a certificate.

Every attribute of an entry has a *stamp*: how often it was written, when, by which controller's database,
and under which number there.  Two controllers with the same stamp hold the same value.  Every controller
also knows, per other database, up to which number it has seen its writes.  Together they tell late from
lost: an old stamp where the newer write was not seen yet is late, and where it was seen something is wrong.

The blobs are little-endian records of fixed size (MS-DRSR, MS-ADTS); Samba stores the same ones.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mailtrust.errors import BadInput, NotACertificate

_START_OF_TIME = datetime(1601, 1, 1, tzinfo=UTC)
_HEAD = struct.Struct("<IIII")
# Key, version, seconds since 1601, the writer's database, its number there, the number here.
_STAMP = struct.Struct("<IIQ16sQQ")
# Database, its number; the second form adds the time of the last success.
_CURSORS = {1: struct.Struct("<16sQ"), 2: struct.Struct("<16sQQ")}
_PROPERTY = struct.Struct("<III")
_CERTIFICATE = 32


@dataclass(frozen=True, slots=True)
class Stamp:
    """The last write of one attribute, as one controller knows it."""

    version: int
    """How often it was written, everywhere."""
    written_at: datetime
    """By the writer's clock, in whole seconds."""
    writer: UUID
    """The database where it was written: a controller's invocationId, which a restored backup changes."""
    writer_number: int
    """The write's number in that database."""
    local_number: int
    """Its number here; it differs everywhere and says nothing about the value."""


# The elements of one attribute's stamp as Windows words it (MS-DRSR 4.1.13.1.15), each on a line.
_WORDED = tuple(
    re.compile(rf"<{element}>\s*([^<]{{1,256}}?)\s*</{element}>")
    for element in (
        "pszAttributeName", "dwVersion", "ftimeLastOriginatingChange",
        "uuidLastOriginatingDsaInvocationID", "usnOriginatingChange", "usnLocalChange",
    )
)  # fmt: skip

Cursors = dict[UUID, int]
"""Of every database the greatest number whose writes were seen."""


def stamps(blob: bytes) -> dict[int, Stamp]:
    """
    The stamps in ``replPropertyMetaData``, each under its attribute's key (see `attribute_key`).

    An attribute that was deleted keeps its stamp; one that was never written has none.  Raises BadInput.
    """
    records = _records(blob, {1: _STAMP}, "replPropertyMetaData")
    found: dict[int, Stamp] = {}
    for key, version, seconds, writer, writer_number, local_number in records:
        try:
            written_at = _START_OF_TIME + timedelta(seconds=seconds)
        except OverflowError as error:
            raise BadInput("replPropertyMetaData cannot be read: a time beyond all calendars") from error
        found[key] = Stamp(version, written_at, UUID(bytes_le=writer), writer_number, local_number)
    return found


def cursors(blob: bytes) -> Cursors:
    """What ``replUpToDateVector`` of a naming context's head says was seen from others.  Raises BadInput."""
    records = _records(blob, _CURSORS, "replUpToDateVector")
    return {UUID(bytes_le=record[0]): record[1] for record in records}


def attribute_key(number: bytes) -> int:
    """An attribute's key among the stamps, from ``msDS-IntId`` of its schema entry.  Raises BadInput."""
    try:
        return int(number) & 0xFFFFFFFF
    except ValueError as error:
        raise BadInput(f"msDS-IntId is no number: {number[:20]!r}") from error


def worded_stamp(value: bytes) -> tuple[str, Stamp]:
    """
    The attribute and its stamp in one value of ``msDS-ReplAttributeMetaData``.  Raises BadInput.

    Windows words the stamps in XML on request, each under its attribute's name.
    """
    text = value.decode("utf-8", "replace")
    found = [one.search(text) for one in _WORDED]
    try:
        name, version, at, writer, number, here = (one[1] for one in found if one is not None)
        written_at = datetime.fromisoformat(at).astimezone(UTC)
        return name, Stamp(int(version), written_at, UUID(writer), int(number), int(here))
    except ValueError as error:
        raise BadInput("msDS-ReplAttributeMetaData cannot be read") from error


def certificate_in(value: bytes) -> bytes:
    """
    The DER of a certificate as Exchange publishes it: bare, or in Windows' serialized form.

    Whether that DER is a certificate is not looked at.  Raises NotACertificate.
    """
    # DER begins so too, but no certificate is empty, as property 48 would have it.
    if value[:1] == b"\x30" and value[1:2] != b"\x00":
        return value
    at = 0
    while at + _PROPERTY.size <= len(value):
        kind, _, size = _PROPERTY.unpack_from(value, at)
        at += _PROPERTY.size
        if size > len(value) - at:
            raise NotACertificate("a serialized certificate that was cut off")
        if kind == _CERTIFICATE:
            return value[at : at + size]
        at += size
    raise NotACertificate("neither DER nor a serialized certificate with a certificate in it")


def _records(blob: bytes, forms: dict[int, struct.Struct], what: str) -> Iterator[tuple[Any, ...]]:
    if len(blob) < _HEAD.size:
        raise BadInput(f"{what} cannot be read: it was cut off")
    version, _, count, _ = _HEAD.unpack_from(blob)
    form = forms.get(version)
    if form is None:
        raise BadInput(f"{what} cannot be read: its version {version} is unknown")
    # Compared before anything is made of it: the count is anybody's.
    if count > (len(blob) - _HEAD.size) // form.size:
        raise BadInput(f"{what} cannot be read: it was cut off")
    return form.iter_unpack(blob[_HEAD.size : _HEAD.size + count * form.size])
