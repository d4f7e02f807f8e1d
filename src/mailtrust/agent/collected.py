"""
Reads what the collector wrote on an Exchange server.

It is JSON as PowerShell writes it: UTF-8 with or without a mark in front, or UTF-16; and where a list has one
value, perhaps that value alone.  Who wrote the file is not known: every value in it is a stranger's.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from mailtrust.core.exchange.facts import (
    Collected,
    Connector,
    Direction,
    EdgeSubscription,
    Logged,
    Role,
    StoreCertificate,
    Version,
    version_of,
)
from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.errors import BadInput, NotACertificate

COLLECTED_SCHEMA = "mailtrust.collected/1"

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NETWORK_SERVICE, _EVERYONE = "S-1-5-20", "S-1-1-0"
_EXCHANGE_2013 = 15
_ROLES = {
    "Edge": Role.EDGE, "Mailbox": Role.MAILBOX, "ClientAccess": Role.CLIENT_ACCESS,
    "HubTransport": Role.HUB_TRANSPORT, "UnifiedMessaging": Role.UNIFIED_MESSAGING, "Cafe": Role.CAFE,
    "FrontendTransport": Role.FRONT_END_TRANSPORT,
}  # fmt: skip
_TRANSPORT_SINCE_2013 = {
    "Mailbox": Role.HUB_TRANSPORT | Role.FRONT_END_TRANSPORT, "ClientAccess": Role.FRONT_END_TRANSPORT,
}  # fmt: skip
"""The roles that carry mail without saying so."""
_Raw = TypeVar("_Raw")
_Value = TypeVar("_Value")

Some = list[str] | str | None


class _Certificate(msgspec.Struct):
    thumbprint: str
    raw: str | None = None
    has_key: bool | None = msgspec.field(name="hasKey", default=None)
    readers: Some = None
    services: str | None = None
    status: str | None = None


class _Connector(msgspec.Struct):
    kind: Direction
    name: str
    servers: Some = None
    enabled: bool | None = None
    fqdn: str | None = None
    tls_certificate_name: str | None = msgspec.field(name="tlsCertificateName", default=None)
    auth: str | None = None
    bindings: Some = None
    remote_ranges: Some = msgspec.field(name="remoteIPRanges", default=None)
    smart_hosts: Some = msgspec.field(name="smartHosts", default=None)


class _Subscription(msgspec.Struct):
    name: str
    site: str | None = None


class _Event(msgspec.Struct):
    at: datetime
    source: str
    id: int
    message: str | None = None


class _File(msgspec.Struct):
    schema: str
    collected_at: datetime = msgspec.field(name="collectedAt")
    server: str
    fqdn: str | None = None
    roles: str | None = None
    version: str | None = None
    site: str | None = None
    organization: Some = None
    internal_thumbprint: Some = msgspec.field(name="internalThumbprint", default=None)
    certificates: list[_Certificate] | _Certificate | None = None
    connectors: list[_Connector] | _Connector | None = None
    edge_subscriptions: list[_Subscription] | _Subscription | None = msgspec.field(
        name="edgeSubscriptions", default=None
    )
    events: list[_Event] | _Event | None = None
    problems: dict[str, str] | None = None


def read_collected(data: bytes, place: str) -> Collected:
    """
    What was collected, from the bytes of a file; *place* is what to call it.

    Raises: BadInput for what the collector did not write, or is damaged.
    """
    try:
        file = msgspec.json.decode(_text(data), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            f"{place} is not what the collector wrote, or it is damaged",
            hint="write it again with the script that `mailtrust audit collector` prints",
        ) from error
    if file.schema != COLLECTED_SCHEMA or not file.server.strip():
        raise BadInput(
            f"{place} is of the kind {file.schema!r}, which this release does not read",
            hint="write it again with the script that `mailtrust audit collector` prints",
        )
    return _collected(file, place)


def _text(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(encoding)
    return data.decode("utf-8")


def _collected(file: _File, place: str) -> Collected:
    version = version_of(None, file.version or "")
    return Collected(
        file.server.strip(),
        (file.fqdn or "").strip(),
        _aware(file.collected_at),
        place,
        _each(file.certificates, _certificate),
        _first(file.internal_thumbprint),
        _roles(file.roles or "", version),
        version,
        file.site or "",
        _first(file.organization) or "",
        _each(file.connectors, _connector),
        _each(file.edge_subscriptions, lambda one: EdgeSubscription(one.name, one.site or "")),
        _each(file.events, lambda one: Logged(_aware(one.at), one.source, one.id, one.message or "")),
        file.problems or {},
    )


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _each(found: list[_Raw] | _Raw | None, read: Callable[[_Raw], _Value]) -> tuple[_Value, ...] | None:
    """None is what could not be read there; PowerShell writes a list of one as its only element."""
    if found is None:
        return None
    return tuple(map(read, found if isinstance(found, list) else [found]))


def _first(found: Some) -> str | None:
    values = _texts(found)
    return values[0].strip() if values else None


def _texts(found: Some) -> tuple[str, ...]:
    each = found if isinstance(found, list) else [] if found is None else [found]
    return tuple(each)


def _certificate(one: _Certificate) -> StoreCertificate:
    leaf = _leaf(one.raw or "")
    # Named by its bytes rather than by what the file says of them.
    named = leaf.thumbprint if leaf else re.sub(r"[^0-9a-f]", "", one.thumbprint.lower())
    return StoreCertificate(
        named, leaf, _words(one.services or ""), one.has_key, _is_readable(one.readers), one.status or ""
    )


def _leaf(raw: str) -> Certificate | None:
    try:
        return certificate(base64.b64decode(raw, validate=True))
    except (binascii.Error, ValueError, NotACertificate):
        return None


def _is_readable(readers: Some) -> bool | None:
    """Whether the transport's account is among them; None where nobody is, for then no file was found."""
    them = _texts(readers)
    return bool({_NETWORK_SERVICE, _EVERYONE} & set(them)) if them else None


def _connector(one: _Connector) -> Connector:
    receives = one.kind is Direction.RECEIVE
    return Connector(
        one.kind,
        one.name,
        _texts(one.servers),
        fqdn=one.fqdn or "",
        tls_certificate_name=one.tls_certificate_name or "",
        bindings=_texts(one.bindings) if receives and one.bindings is not None else None,
        remote_ranges=_texts(one.remote_ranges) if receives and one.remote_ranges is not None else None,
        auth=_words(one.auth) if receives and one.auth is not None else None,
        enabled=one.enabled,
        smart_hosts=_texts(one.smart_hosts),
    )


def _roles(text: str, version: Version | None) -> Role:
    roles = Role.UNKNOWN
    since_2013 = version is not None and version.major >= _EXCHANGE_2013
    for word in _words(text):
        roles |= _ROLES.get(word, Role.UNKNOWN)
        if since_2013:
            roles |= _TRANSPORT_SINCE_2013.get(word, Role.UNKNOWN)
    return roles


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())
