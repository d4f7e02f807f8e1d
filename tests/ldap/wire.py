"""The server's half of the wire: requests read, answers written.  The product needs neither; its tests do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from mailtrust.ldap import ber
from mailtrust.ldap.ber import Reader
from mailtrust.ldap.requests import (
    Abandon,
    Add,
    Aliases,
    Change,
    Delete,
    Extended,
    How,
    Modify,
    Request,
    SaslBind,
    Scope,
    Search,
    SimpleBind,
    Unbind,
)
from mailtrust.ldap.responses import Control, Entry, Intermediate, Reference, Response, Result
from tests.ldap import filter_bytes

Asked = tuple[int, Request | Abandon | Unbind, tuple[Control, ...]]


def asked(message: bytes) -> Asked:
    """The number, the request and the controls in the content of one message."""
    reader = Reader(message)
    number = reader.integer()
    request = read_request(reader)
    controls = []
    if reader.next_tag == 0xA0:
        inside = reader.enter(0xA0)
        while inside.next_tag is not None:
            one = inside.enter()
            kind = one.text()
            critical = one.next_tag == ber.BOOLEAN and one.boolean()
            controls.append(Control(kind, one.take() if one.next_tag == ber.OCTETS else None, critical))
    assert reader.next_tag is None
    return number, request, tuple(controls)


def all_asked(stream: bytes) -> list[Asked]:
    """Every request of a stream that ends with a whole one."""
    splitter = ber.Splitter(2**24)
    splitter.receive(stream)
    found = []
    while (message := splitter.next_message()) is not None:
        found.append(asked(message))
    assert len(splitter) == 0
    return found


def read_request(reader: Reader) -> Request | Abandon | Unbind:
    """The next operation."""
    match reader.next_tag:
        case 0x42:
            assert reader.take(0x42) == b""
            return Unbind()
        case 0x4A:
            return Delete(reader.text(0x4A))
        case 0x50:
            return Abandon(reader.integer(0x50))
        case 0x60:
            return _bind(reader.enter(0x60))
        case 0x63:
            return _search(reader.enter(0x63))
        case 0x66:
            return _modify(reader.enter(0x66))
        case 0x68:
            inside = reader.enter(0x68)
            name, pairs = inside.text(), inside.enter()
            attributes = []
            while pairs.next_tag is not None:
                attributes.append(_attribute(pairs.enter()))
            return Add(name, tuple(attributes))
        case 0x77:
            inside = reader.enter(0x77)
            kind = inside.text(0x80)
            return Extended(kind, inside.take(0x81) if inside.next_tag == 0x81 else None)
        case tag:
            raise AssertionError(f"no request has tag {tag}")


def _bind(inside: Reader) -> SimpleBind | SaslBind:
    assert inside.integer() == 3
    name = inside.text()
    if inside.next_tag == 0x80:
        return SimpleBind(name, inside.take(0x80))
    sasl = inside.enter(0xA3)
    return SaslBind(sasl.text(), sasl.take() if sasl.next_tag is not None else None, name)


def _search(inside: Reader) -> Search:
    base = inside.text()
    scope = Scope(inside.integer(ber.ENUMERATED))
    aliases = Aliases(inside.integer(ber.ENUMERATED))
    size_limit, seconds = inside.integer(), inside.integer()
    types_only = inside.boolean()
    wanted = filter_bytes.read(inside)
    names, attributes = inside.enter(), []
    while names.next_tag is not None:
        attributes.append(names.text())
    limit = timedelta(seconds=seconds)
    return Search(base, scope, wanted, tuple(attributes), size_limit, limit, types_only, aliases)


def _modify(inside: Reader) -> Modify:
    name, each, changes = inside.text(), inside.enter(), []
    while each.next_tag is not None:
        one = each.enter()
        changes.append(Change(How(one.integer(ber.ENUMERATED)), *_attribute(one.enter())))
    return Modify(name, tuple(changes))


def _attribute(pair: Reader) -> tuple[str, tuple[bytes, ...]]:
    name, inside, values = pair.text(), pair.enter(ber.SET), []
    while inside.next_tag is not None:
        values.append(inside.take())
    return name, tuple(values)


def message(response: Response, *, tag: int = 0x65) -> bytes:
    """A whole message.  *tag* is that of a result."""
    controls = ber.element(0xA0, *(one.encode() for one in response.controls)) if response.controls else b""
    return ber.sequence(ber.integer(response.message_id), _operation(response, tag), controls)


def entry(found: Entry) -> bytes:
    """An entry's name and attributes, as they stand in a message and in a control."""
    attributes = (
        ber.sequence(ber.octets(name), ber.element(ber.SET, *map(ber.octets, values)))
        for name, values in found.attributes.items()
    )
    return ber.octets(found.name) + ber.sequence(*attributes)


def _operation(response: Response, tag: int) -> bytes:
    match response.answer:
        case Entry() as found:
            return ber.element(0x64, entry(found))
        case Reference(urls):
            return ber.element(0x73, *map(ber.octets, urls))
        case Intermediate(number, value):
            return ber.element(0x79, *_optional([(number or None, 0x80), (value, 0x81)]))
        case Result() as result:
            referrals = ber.element(0xA3, *map(ber.octets, result.referrals)) if result.referrals else b""
            return ber.element(
                tag,
                ber.integer(result.code, ber.ENUMERATED),
                ber.octets(result.matched),
                ber.octets(result.diagnostic),
                referrals,
                *_optional([
                    (result.credentials, 0x87), (result.number or None, 0x8A), (result.value, 0x8B)
                ]),
            )  # fmt: skip


def _optional(pairs: Iterable[tuple[bytes | str | None, int]]) -> list[bytes]:
    return [ber.octets(value, tag) for value, tag in pairs if value is not None]
