"""Event logs in XML, in every form in which Windows' tools write them, whole and damaged."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest

from mailtrust.agent.windows_log.event_xml import NotAnEvent, event_of
from mailtrust.agent.windows_log.xml_log import encoding_of, events_of_xml
from mailtrust.core.eventlog.event import Damage, Fault, WindowsEvent
from tests.event_logs import MBX1, NOW, Written, document, element

ONE, TWO, THREE = (
    Written(12012, record=1),
    Written(12014, ("mail.corp.example", "邮件 <连接器>"), record=2),
    Written(2017, ("LogonDenied",), record=3),
)
VIEWER = document(ONE, TWO, THREE)
WEVTUTIL = "\n".join(map(element, (ONE, TWO, THREE)))


def read(octets: bytes) -> list[WindowsEvent | Fault]:
    return list(events_of_xml(io.BytesIO(octets), encoding_of(octets[:4096])))


def numbers(found: Iterable[WindowsEvent | Fault]) -> list[int]:
    return [one.number for one in found if isinstance(one, WindowsEvent)]


def the_fault(found: Iterable[WindowsEvent | Fault]) -> Fault:
    [fault] = [one for one in found if isinstance(one, Fault)]
    return fault


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(VIEWER.encode(), id="Event Viewer"),
        pytest.param(VIEWER.encode("utf-8-sig"), id="with a mark"),
        pytest.param(VIEWER.replace('encoding="utf-8"', 'encoding="utf-16"').encode("utf-16"), id="UTF-16"),
        pytest.param(VIEWER.encode("utf-16-be"), id="UTF-16 without a mark"),
        pytest.param(VIEWER.replace('encoding="utf-8"', 'encoding="utf-16"').encode(), id="converted"),
        pytest.param(VIEWER.replace('encoding="utf-8"', 'encoding="gb2312"').encode("gb2312"), id="GB 2312"),
        pytest.param(VIEWER.replace('encoding="utf-8"', 'encoding="x-unheard-of"').encode(), id="unknown"),
        pytest.param(VIEWER.replace("><", ">\r\n<").encode(), id="on many lines"),
        pytest.param(WEVTUTIL.encode(), id="wevtutil"),
        pytest.param(WEVTUTIL.encode("utf-16"), id="wevtutil /uni:true"),
        pytest.param(WEVTUTIL.replace("\n", "").encode(), id="on one line"),
        pytest.param(f"<!-- mbx1 -->\n<Log>{WEVTUTIL}</Log>".encode(), id="another root"),
    ],
)
def test_every_form_holds_the_same_events(octets: bytes) -> None:
    found = read(octets)

    assert numbers(found) == [12012, 12014, 2017]
    second = found[1]
    assert isinstance(second, WindowsEvent)
    assert [one.text for one in second.values] == ["mail.corp.example", "邮件 <连接器>"]
    assert (second.computer, second.at, second.record, second.qualifiers) == (MBX1, NOW, 2, 0xC004)


def test_an_event_that_is_larger_than_a_piece_is_put_together() -> None:
    """Also where a piece ends in the middle of a mark, or of a character."""
    filler = "".join(element(Written(1, ("邮" * 90,), record=n)) for n in range(900))

    found = read(f"{filler}{WEVTUTIL}".encode())

    assert len(found) == 903
    assert numbers(found)[-3:] == [12012, 12014, 2017]


def test_a_namespace_or_a_prefix_makes_no_difference() -> None:
    plain = element(ONE, namespace=False)
    prefixed = plain.replace("</", "</w:").replace("<", "<w:").replace("<w:/w:", "</w:")

    assert event_of(plain) == event_of(element(ONE))
    assert numbers(read(f"<w:Events xmlns:w='x'>{prefixed}</w:Events>".encode())) == [12012]


def test_values_with_names_rendered_texts_and_binaries_are_told_apart() -> None:
    said = "<Message> Das Zertifikat \u2026 </Message><Level>Fehler</Level>"
    more = f"<RenderingInfo Culture='de-DE'>{said}</RenderingInfo>"
    data = "<Data Name='subject'>CN=a</Data><Data>b</Data><Data/><Binary>00FF</Binary>"

    found = event_of(element(ONE, data=data, more=more))

    assert [(one.name, one.text) for one in found.values] == [("subject", "CN=a"), ("", "b"), ("", "")]
    assert found.message == "Das Zertifikat \u2026"


def test_values_of_a_provider_of_its_own_are_found_by_their_elements() -> None:
    own = element(ONE).replace(
        "<EventData></EventData>", "<UserData><X xmlns='y'><Name>a</Name><N>2</N></X></UserData>"
    )

    assert [(one.name, one.text) for one in event_of(own).values] == [("Name", "a"), ("N", "2")]


@pytest.mark.parametrize(
    ("written", "number", "qualifiers", "level"),
    [
        ("<EventID>12012</EventID>", 12012, None, -1),
        ("<EventID Qualifiers=''>12012</EventID>", 12012, None, -1),
        ("<EventID Qualifiers='32772'>12017</EventID>", 12017, 0x8004, 3),
        ("<EventID>3221499628</EventID>", 12012, 0xC004, 2),
        ("<EventID> -1073467668 </EventID>", 12012, 0xC004, 2),
        ("<EventID Qualifiers='49156'>3221499628</EventID>", 12012, 0xC004, 2),
        ("<EventID Qualifiers='16388'>12012</EventID>", 12012, 0x4004, 4),
    ],
)
def test_a_number_is_understood_however_it_is_written(
    written: str, number: int, qualifiers: int | None, level: int
) -> None:
    xml = f"<Event><System><Provider Name='MSExchangeTransport'/>{written}</System></Event>"

    found = event_of(xml)

    assert (found.number, found.qualifiers, found.level) == (number, qualifiers, level)
    assert (found.at, found.record, found.computer) == (None, None, "")


def test_a_classic_source_counts_before_the_name_of_its_manifest() -> None:
    provider = "<Provider Name='Microsoft-X' EventSourceName='MSExchangeTransport'/>"

    assert (
        event_of(f"<Event><System>{provider}<EventID>1</EventID></System></Event>").source
        == "MSExchangeTransport"
    )


@pytest.mark.parametrize(
    "xml",
    [
        "<Event/>", "<Event><System><EventID>x</EventID></System></Event>", "<Events/>",
        "<Event>&#1;</Event>",
        "<Event><System></Event>", "<Event>&a;</Event>", "<!DOCTYPE a><Event/>", "<Event><![CDATA[<!ENTITY ",
        "<Event><System><Provider Name='a'/><EventID>99999999999999999999999</EventID></System></Event>",
    ],
)  # fmt: skip
def test_what_is_no_event_is_said_to_be_none(xml: str) -> None:
    with pytest.raises(NotAnEvent):
        event_of(xml)


@pytest.mark.parametrize("time", ["", "yesterday", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_unknown(time: str) -> None:
    xml = element(ONE).replace(f"{NOW:%Y-%m-%dT%H:%M:%S}.000000000Z", time)

    assert event_of(xml).at is None


def test_a_damaged_event_costs_no_other_and_is_told() -> None:
    broken = element(TWO).replace("</System>", "")

    found = read(f"{element(ONE)}\n{broken}\n{element(THREE)}".encode())

    assert numbers(found) == [12012, 2017]
    fault = the_fault(found)
    assert (fault.damage, fault.line, fault.record) == (Damage.UNREADABLE, 2, 2)
    assert fault.offset == len(element(ONE)) + 1


def test_an_event_that_lost_its_beginning_is_told() -> None:
    damaged = element(TWO).replace("<Event xmlns", "<Exent xmlns")

    found = read(f"{element(ONE)}\n{damaged}\n{element(THREE)}".encode())

    assert numbers(found) == [12012, 2017]
    fault = the_fault(found)
    assert (fault.why, fault.record) == ("it has no beginning", 2)
    assert fault.offset == len(element(ONE))


def test_an_event_that_lost_its_end_does_not_take_the_next_with_it() -> None:
    found = read(f"{element(ONE)[:200]}{element(TWO)}{element(THREE)}".encode())

    assert numbers(found) == [12014, 2017]
    assert the_fault(found).why == "it has no end"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_where_a_text_was_cut_off_is_told_in_bytes(encoding: str) -> None:
    octets = f"{element(TWO)}\n{element(THREE)}".encode(encoding)

    found = read(octets[:-40])

    assert numbers(found) == [12014]
    fault = the_fault(found)
    assert (fault.damage, fault.line, fault.record) == (Damage.CUT_OFF, 2, 2)
    assert fault.offset == len(f"{element(TWO)}\n".encode(encoding))


@pytest.mark.parametrize("cut", [9, 3, 0])
def test_a_document_that_was_cut_off_between_two_events_is_not_whole(cut: int) -> None:
    ends = {9: VIEWER[:-9], 3: VIEWER[:-3]}
    octets = ends.get(cut, f"{VIEWER[:-9]}<Event xm").encode()

    found = read(octets)

    assert numbers(found) == [12012, 12014, 2017]
    assert the_fault(found).damage is Damage.CUT_OFF


def test_a_declaration_ends_the_reading() -> None:
    found = read(f"{element(ONE)}<!DOCTYPE a [<!ENTITY b 'c'>]>{element(TWO)}".encode())

    assert numbers(found) == [12012]
    assert the_fault(found).damage is Damage.REFUSED


def test_an_event_without_an_end_does_not_fill_the_memory() -> None:
    found = read(f"{element(ONE)}<Event>{'x' * (3 << 20)}{element(TWO)}".encode())

    assert numbers(found) == [12012, 12014]
    assert {one.damage for one in found if isinstance(one, Fault)} == {Damage.UNREADABLE}


def test_bytes_that_are_no_text_cost_a_character_each() -> None:
    """As wevtutil writes them through a console of another language."""
    octets = WEVTUTIL.encode("gb2312")

    found = read(octets)

    assert numbers(found) == [12012, 12014, 2017]
