"""Our lines in systemd's own journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mailtrust.core.events.message_id import message_id
from mailtrust.errors import LogUnavailable
from mailtrust.logs.journald import Journald
from mailtrust.logs.record import Record
from mailtrust.logs.syslog import Syslog
from tests.journald import Journal, a_journal, needs_journald
from tests.make import NOON

pytestmark = needs_journald


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with a_journal() as found:
        yield found


def a_record(message: str = "it is so", **fields: str) -> Record:
    ours = {f"MAILTRUST_{name}": value for name, value in fields.items()}
    return Record(NOON, message, 3, message_id(12012), ours)


def test_a_record_arrives_with_all_its_fields(journal: Journal) -> None:
    with closing(Journald(journal.socket)) as log:
        assert log.send(a_record(EVENT="12012", SERVER="hub1.example.test"))

    [entry] = journal.comes_to(1, "MAILTRUST_EVENT=12012")
    assert entry["MESSAGE"] == "it is so"
    assert entry["MESSAGE_ID"] == message_id(12012)
    assert entry["PRIORITY"] == "3"
    assert entry["SYSLOG_IDENTIFIER"] == "mailtrust"
    assert entry["MAILTRUST_SERVER"] == "hub1.example.test"


def test_where_there_is_no_certificate_what_to_type_says_so(journal: Journal) -> None:
    with closing(Journald(journal.socket)) as log:
        assert log.send(a_record(EVENT="12012", PLACE="-", VALUE_FINGERPRINT="-", VALUE_NOTHING="here"))

    [entry] = journal.comes_to(1, "MAILTRUST_VALUE_NOTHING=here")
    assert (entry["MAILTRUST_VALUE_FINGERPRINT"], entry["MAILTRUST_PLACE"]) == ("CERTIFICATE", "-")


def test_what_has_several_lines_or_is_chinese_stays_as_it_is(journal: Journal) -> None:
    with closing(Journald(journal.socket)) as log:
        assert log.send(a_record("目录中没有证书", EVENT="2", PLACE="a=b\nMESSAGE=forged\n"))

    [entry] = journal.comes_to(1, "MAILTRUST_EVENT=2")
    assert entry["MESSAGE"] == "目录中没有证书"
    assert entry["MAILTRUST_PLACE"] == "a=b\nMESSAGE=forged\n"


def test_what_is_too_large_for_a_datagram_arrives_whole(journal: Journal) -> None:
    large = "long " * 200_000
    with closing(Journald(journal.socket)) as log:
        assert log.send(a_record(large, EVENT="3"))

    [entry] = journal.comes_to(1, "MAILTRUST_EVENT=3")
    assert entry["MESSAGE"] == large


def test_syslog_understands_our_line(journal: Journal) -> None:
    with closing(Syslog(journal.syslog)) as log:
        assert log.send(a_record("by syslog", ACTION="mailtrust enable ab"))

    [entry] = journal.comes_to(1, "_TRANSPORT=syslog")
    assert entry["MESSAGE"] == 'by syslog action="mailtrust enable ab"'
    assert (entry["PRIORITY"], entry["SYSLOG_FACILITY"]) == ("3", "2")


def test_where_nobody_listens_that_is_said(journal: Journal) -> None:
    with pytest.raises(LogUnavailable, match="does not listen"):
        Journald(journal.folder / "nobody")
