"""
One event, from its XML: ``<Event><System>…</System><EventData>…</EventData></Event>``.

Windows writes it with a namespace, other tools without or with a prefix; so names are compared without.  A
document type is refused, and with it every entity that is not XML's own: no Windows log has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.parsers import expat

from mailtrust.core.eventlog.event import UNKNOWN_LEVEL, Value, WindowsEvent

_MOST_VALUES, _LONGEST_TEXT, _DEEPEST = 64, 1 << 16, 32
_CONTAINERS = ("EventData", "UserData")
_NO_VALUES = ("Binary", "BinaryEventData")
_LOW_WORD = 0xFFFF


class NotAnEvent(ValueError):
    """What was to be an event cannot be read as one."""


def event_of(xml: str) -> WindowsEvent:
    """The event.  Raises: NotAnEvent."""
    reader = _Reader()
    # One that was decoded with replacements still is text; a surrogate alone is not.
    octets = xml.encode("utf-8", "replace")
    try:
        reader.parser.Parse(octets, True)  # noqa: FBT003  # expat takes it by position alone
    except expat.ExpatError as error:
        raise NotAnEvent(expat.errors.messages.get(error.code, str(error))) from error
    return reader.event()


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._path: list[str] = []
        self._pieces: list[str] = []
        self._length = 0
        self._has_children = False
        self._name = ""
        self._found: dict[str, str] = {}
        self._values: list[Value] = []

    def event(self) -> WindowsEvent:
        found = self._found
        source = found.get("Provider.EventSourceName") or found.get("Provider.Name", "")
        if not source and "EventID" not in found:
            raise NotAnEvent("it has neither a provider nor a number")
        identifier = _number(found.get("EventID", ""))
        if identifier is None:
            raise NotAnEvent("its number cannot be read")
        high = _number(found.get("EventID.Qualifiers", ""))
        if high is None and identifier > _LOW_WORD:
            high = identifier >> 16
        return WindowsEvent(
            source=source.strip(),
            number=identifier & _LOW_WORD,
            computer=found.get("Computer", "").strip(),
            at=_moment(found.get("TimeCreated.SystemTime", "")),
            qualifiers=None if high is None else high & _LOW_WORD,
            level=_level(_number(found.get("Level", "")), high),
            record=_number(found.get("EventRecordID", "")),
            channel=found.get("Channel", "").strip(),
            values=tuple(self._values),
            message=found.get("Message", "").strip(),
        )

    def _start(self, qualified: str, attributes: Mapping[str, str]) -> None:
        name = _local(qualified)
        if not self._path and name != "Event":
            raise NotAnEvent(f"it begins with {name}")
        if len(self._path) >= _DEEPEST:
            raise NotAnEvent("it is nested too deeply")
        self._path.append(name)
        self._begin()
        self._has_children = False
        local = {_local(key): value for key, value in attributes.items()}
        self._name = local.get("Name", "")
        if self._path[1:2] == ["System"]:
            self._found.update({f"{name}.{key}": value for key, value in local.items()})

    def _end(self, _qualified: str) -> None:
        text = "".join(self._pieces)
        name = self._path[-1]
        if self._path[1:2] == ["System"] and len(self._path) == 3:
            self._found[name] = text
        elif self._path[1:] == ["RenderingInfo", "Message"]:
            self._found["Message"] = text
        elif self._is_value(name):
            self._values.append(Value(text.strip(), self._name or ("" if name == "Data" else name)))
        self._path.pop()
        self._begin()
        self._has_children = True

    def _is_value(self, name: str) -> bool:
        inside = len(self._path) > 2 and self._path[1] in _CONTAINERS
        return (
            inside and not self._has_children and name not in _NO_VALUES and len(self._values) < _MOST_VALUES
        )

    def _begin(self) -> None:
        self._pieces.clear()
        self._length = 0

    def _text(self, text: str) -> None:
        room = _LONGEST_TEXT - self._length
        if room > 0:
            self._pieces.append(text[:room])
            self._length += len(text)

    def _refuse(self, *_declared: object) -> None:
        raise NotAnEvent("it declares a document type or an entity")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _number(text: str) -> int | None:
    """A number of up to 64 bits; one that some tools write with a sign, by its 32 bits."""
    text = text.strip()
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal() or len(text) > 20:
        return None
    number = int(text)
    return number & 0xFFFFFFFF if number < 0 else number


def _level(level: int | None, qualifiers: int | None) -> int:
    """As Windows has it: 2 error, 3 warning, 4 information; unless said, by the head of the identifier."""
    if level is not None and level <= 0xFF:
        return level
    return UNKNOWN_LEVEL if qualifiers is None else {3: 2, 2: 3, 1: 4}.get(qualifiers >> 14, UNKNOWN_LEVEL)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
