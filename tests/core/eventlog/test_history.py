"""What a log says, put together: folded, in order, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailtrust.core.eventlog.event import Value, WindowsEvent
from mailtrust.core.eventlog.history import MOST_KINDS, MOST_TROUBLES, History, is_server
from mailtrust.core.model.event import Severity

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def event(number: int, *values: str, minute: float | None = 0, **more: object) -> WindowsEvent:
    fields = {"source": "MSExchangeTransport", "computer": "mbx1.corp.example", **more}
    at = None if minute is None else NOW + timedelta(minutes=minute)
    return WindowsEvent(number=number, at=at, values=tuple(map(Value, values)), **fields)  # type: ignore[arg-type]


def history(*events: WindowsEvent, **limits: object) -> History:
    made = History(**limits)  # type: ignore[arg-type]
    for one in events:
        made.add(one)
    return made


def test_the_same_trouble_is_one_line_however_often_it_is_logged() -> None:
    [log] = history(
        event(12017, "aa", "700", minute=15),
        event(12017, "AA", "600", minute=30, level=3, message="soon", qualifiers=0x8004),
        event(12017, "aa", "720", minute=0, source="MSExchangeFrontEndTransport"),
    ).servers

    [line] = log.timeline()
    assert (line.span.count, line.span.first, line.span.last) == (3, NOW, NOW + timedelta(minutes=30))
    assert line.values == {"thumbprint": "AA", "hours": "600"}
    assert (line.severity, line.message, line.identifier) == (Severity.WARNING, "soon", 0x80042EF1)
    assert line.sources == {"MSExchangeTransport", "MSExchangeFrontEndTransport"}


def test_two_troubles_are_two_lines_in_the_order_in_which_they_began() -> None:
    [log] = history(
        event(12014, "b.example", "C2", minute=3),
        event(12014, "a.example", "C1", minute=2),
        event(12012, minute=None),
        event(2018, "CN=x", "192.0.2.1", minute=1),
    ).servers

    assert [one.known.number for one in log.timeline()] == [2018, 12014, 12014, 12012]


def test_the_hours_that_are_left_say_when_it_ends() -> None:
    def ends(hours: str, **more: object) -> datetime | None:
        [log] = history(event(12017, "AA", hours, **more)).servers  # type: ignore[arg-type]
        return log.timeline()[0].ends

    assert ends("48", minute=15) == NOW + timedelta(hours=48, minutes=15)
    assert ends("48", minute=None) is None
    assert ends("99999999999999") is None
    assert ends("soon") is None


def test_servers_are_told_apart_whatever_their_case() -> None:
    names = ("mbx1.corp.example", "MBX1.CORP.example", "edge1", "")
    logs = history(*(event(12012, computer=name) for name in names)).servers

    assert [one.name for one in logs] == ["", "edge1", "mbx1.corp.example"]


def test_nothing_is_lost_on_the_way() -> None:
    made = history(
        event(12012),
        event(12012, minute=-60),
        event(7005),
        event(7005, minute=None),
        event(1000, source="Schannel"),
        event(1, source="Schannel"),
        event(12012, computer="mbx2.corp.example"),
        since=NOW,
        servers=["MBX1"],
    )

    assert (made.seen.count, made.left_out, made.of_certificates) == (7, 2, 1)
    assert [(one.source, one.number, one.span.count) for one in made.unknown] == [
        ("MSExchangeTransport", 7005, 2), ("Schannel", 1, 1), ("Schannel", 1000, 1)
    ]  # fmt: skip


def test_a_log_of_a_million_troubles_stays_small() -> None:
    made = History()
    for number in range(MOST_TROUBLES + 50):
        made.add(event(1035, "LogonDenied", "Default", "Login", f"192.0.2.{number}", message="denied"))
    for number in range(MOST_KINDS + 50):
        made.add(event(number, source=f"Source {number}"))
        made.add(event(12012, computer=f"mbx{number}"))

    lines = next(one for one in made.servers if one.name == "mbx1.corp.example").timeline()
    assert len(lines) == MOST_TROUBLES + 1
    [rest] = [one for one in lines if one.together]
    assert (rest.span.count, rest.values, rest.message) == (50, {}, "")
    assert len(made.unknown) == MOST_KINDS + 1
    assert [one.span.count for one in made.unknown if one.number is None] == [50]
    assert len(made.servers) == MOST_KINDS + 1


def test_a_hostile_log_cannot_fill_the_memory_with_sources_and_texts() -> None:
    [log] = history(
        *(
            event(12014, "x" * 9999, source=f"MSExchangeTransport{one}", message="m" * 9999)
            for one in range(99)
        )
    ).servers

    [line] = log.timeline()
    assert len(line.sources) < 20
    assert len(line.values["name"]) < 1000
    assert len(line.message) < 5000


def test_a_server_is_meant_by_its_whole_name_or_its_first_part() -> None:
    assert is_server("MBX1.corp.example", ["mbx1"])
    assert is_server("MBX1.corp.example", ["mbx1.corp.example"])
    assert is_server("MBX1", ["mbx1.corp.example"])
    assert not is_server("mbx1.other.example", ["mbx1.corp.example"])
    assert not is_server("mbx11", ["mbx1"])
