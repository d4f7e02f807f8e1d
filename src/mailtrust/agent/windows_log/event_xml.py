"""
One event, from its XML: ``<Event><System>…</System><EventData>…</EventData></Event>``.

Windows writes it with a namespace, other tools without or with a prefix; so names are compared without.  A
declaration is refused before anything is parsed, and with it every entity that is not XML's own: no Windows
log has one, and it is the only way in which so little XML could become much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from xml.etree import ElementTree as ET

from mailtrust.core.eventlog.event import UNKNOWN_LEVEL, Value, WindowsEvent

DECLARED = re.compile(r"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)

_MOST_VALUES, _LONGEST_TEXT = 64, 1 << 16
_NO_VALUES = ("Binary", "BinaryEventData")
_LOW_WORD, _MOST_DIGITS, _HIGHEST_LEVEL = 0xFFFF, 20, 0xFF
_PREFIX = re.compile(r"(</?)[\w.-]+:(?=\w)")
_UNBOUND_PREFIX = 27
_LEVELS = {3: 2, 2: 3, 1: 4}
"""Windows' level, by the two bits at the head of an identifier."""


class NotAnEvent(ValueError):
    """What was to be an event cannot be read as one."""


def event_of(xml: str) -> WindowsEvent:
    """The event.  Raises: NotAnEvent."""
    if DECLARED.search(xml):
        raise NotAnEvent("it declares a document type or an entity")
    root = _parsed(xml)
    if _local(root.tag) != "Event":
        raise NotAnEvent(f"it begins with {_local(root.tag)}")
    system: dict[str, ET.Element] = {}
    message, values = "", tuple[Value, ...]()
    for part in root:
        match _local(part.tag):
            case "System":
                system = {_local(one.tag): one for one in part}
            case "EventData" | "UserData":
                values += tuple(islice(_values(part), _MOST_VALUES))
            case "RenderingInfo":
                message = next((_text(one) for one in part if _local(one.tag) == "Message"), "")
    return _event(system, values[:_MOST_VALUES], message)


def _parsed(xml: str) -> ET.Element:
    # One that was decoded with replacements still is text; a surrogate alone is not.
    text = xml if xml.isascii() else xml.encode("utf-8", "replace").decode()
    try:
        return ET.fromstring(text)  # noqa: S314  # without declarations, see above
    except ET.ParseError as error:
        if error.code == _UNBOUND_PREFIX and (plain := _PREFIX.sub(r"\1", text)) != text:
            # The prefix was declared on the root, from which this was cut.
            return _parsed(plain)
        raise NotAnEvent(error.msg.partition(":")[0]) from error


def _event(system: dict[str, ET.Element], values: tuple[Value, ...], message: str) -> WindowsEvent:
    def text(name: str) -> str:
        return _text(system[name]) if name in system else ""

    def attribute(name: str, key: str) -> str:
        return system[name].get(key, "") if name in system else ""

    source = attribute("Provider", "EventSourceName") or attribute("Provider", "Name")
    identifier = _number(text("EventID"))
    if identifier is None:
        raise NotAnEvent("its number cannot be read" if source else "it has neither a source nor a number")
    high = _number(attribute("EventID", "Qualifiers"))
    if high is None and identifier > _LOW_WORD:
        high = identifier >> 16
    high = None if high is None else high & _LOW_WORD
    return WindowsEvent(
        source=source.strip(),
        number=identifier & _LOW_WORD,
        computer=text("Computer"),
        at=_moment(attribute("TimeCreated", "SystemTime")),
        qualifiers=high,
        level=_level(_number(text("Level")), high),
        record=_number(text("EventRecordID")),
        channel=text("Channel"),
        values=values,
        message=message,
    )


def _values(data: ET.Element) -> Iterator[Value]:
    """Its leaves: most are called Data, with or without a name; in UserData their names are the elements'."""
    for one in data.iter():
        name = _local(one.tag)
        if one is not data and not len(one) and name not in _NO_VALUES:
            yield Value(_text(one), one.get("Name") or ("" if name == "Data" else name))


def _text(element: ET.Element) -> str:
    return (element.text or "")[:_LONGEST_TEXT].strip()


def _local(name: str) -> str:
    return name.rpartition("}")[2].rpartition(":")[2]


def _number(text: str) -> int | None:
    """A number of up to 64 bits; one that some tools write with a sign, by its 32 bits."""
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(text) > _MOST_DIGITS:
        return None
    number = int(text)
    return number & 0xFFFFFFFF if number < 0 else number


def _level(level: int | None, qualifiers: int | None) -> int:
    """As Windows has it: 2 error, 3 warning, 4 information; unless said, by the head of the identifier."""
    if level is not None and level <= _HIGHEST_LEVEL:
        return level
    return UNKNOWN_LEVEL if qualifiers is None else _LEVELS.get(qualifiers >> 14, UNKNOWN_LEVEL)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
