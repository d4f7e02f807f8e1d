"""Postfix's log: what each session showed, read once, whatever rotation does."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mailtrust.core.sessions import Reason
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.log import Line, Logged, Sessions, line_of
from mailtrust.transports.postfix.maillog import Maillog, entry_line

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
LEAF, KEY = (
    "60:45:A7:BD:59:B9:82:CE:BE:B0:A1:22:B7:D5:36:77",
    "B5:6F:FA:E8:DF:49:EF:BC:37:BC:43:C9:E9:89:FF:DF",
)
SHOWN = (
    f"hub2.example.test[192.0.2.7]: subject_CN=hub2, issuer=hub2, fingerprint={LEAF}, pkey_fingerprint={KEY}"
)
UNTRUSTED = "Untrusted TLS connection established from hub2.example.test[192.0.2.7]: TLSv1.3 with cipher X"
CONNECT = "connect from hub2.example.test[192.0.2.7]"
BYE = "disconnect from hub2.example.test[192.0.2.7] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
WITH_CERTIFICATE = (CONNECT, SHOWN, UNTRUSTED, "4C1: client=hub2.example.test[192.0.2.7]", BYE)


def session(*texts: str, pid: int = 7, tag: str = "postfix/smtpd") -> list[Logged]:
    met = Sessions()
    found = [met.read(Line(NOW, tag, pid, text)) for text in texts]
    assert met.open == ()
    return [one for one in found if one is not None]


def text_of(*texts: str, at: str = "Nov 25 17:14:09", pid: int = 7) -> str:
    return "".join(f"{at} mx1 postfix/smtpd[{pid}]: {text}\n" for text in texts)


def read(path: Path, place: str | None = None) -> tuple[list[Logged], Maillog]:
    reading = Maillog(str(path), place, NOW, UTC)
    return list(reading.sessions()), reading


def test_a_session_is_told_with_what_it_showed() -> None:
    [one] = session(*WITH_CERTIFICATE)

    assert (one.address, one.reason, one.at) == ("192.0.2.7", None, NOW)
    assert (one.fingerprint, one.pin) == (LEAF.replace(":", "").lower(), KEY.replace(":", "").lower())


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((CONNECT, UNTRUSTED.replace("Untrusted", "Anonymous"), BYE), Reason.NO_CERTIFICATE),
        ((CONNECT, BYE.replace("starttls=1 ", "")), Reason.NO_TLS),
        ((CONNECT, BYE.replace("starttls=1 ", "starttls=0/1 ")), Reason.NO_TLS),
        # Without `peercert`, and without any TLS logging, nobody knows.
        ((CONNECT, UNTRUSTED, BYE), Reason.NOT_LOGGED),
        ((CONNECT, BYE), Reason.NOT_LOGGED),
    ],
)
def test_what_was_not_shown_is_told_too(texts: tuple[str, ...], reason: Reason) -> None:
    assert [one.reason for one in session(*texts)] == [reason]


@pytest.mark.parametrize("end", ["ehlo=2 starttls=1 quit=1 commands=4", "commands=0/0", ""])
def test_who_did_not_want_to_send_is_not_counted(end: str) -> None:
    assert session(CONNECT, SHOWN, UNTRUSTED, f"disconnect from a[192.0.2.7] {end}".rstrip()) == []


def test_a_session_of_which_the_beginning_is_missing_is_no_evidence() -> None:
    """It would look as if it had shown nothing."""
    assert session(BYE) == []


def test_a_subject_cannot_say_whose_fingerprint_it_has() -> None:
    forged = SHOWN.replace("subject_CN=hub2", "subject_CN=x, fingerprint=AA:BB, pkey_fingerprint=CC:DD")
    [one] = session(CONNECT, forged, UNTRUSTED, BYE)

    assert one.pin == KEY.replace(":", "").lower()


def test_sessions_of_several_processes_do_not_mix() -> None:
    met = Sessions()
    lines = [Line(NOW, "postfix/smtpd", pid, text) for text in WITH_CERTIFICATE for pid in (7, 8)]
    lines.insert(2, Line(NOW, "postfix/inner/smtpd", 7, CONNECT.replace(".7]", ".9]")))
    found = [one for line in lines if (one := met.read(line)) is not None]

    assert [one.address for one in found] == ["192.0.2.7", "192.0.2.7"]
    assert [one.address for one in met.open] == ["192.0.2.9"]


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("Nov 25 17:14:09", datetime(2026, 11, 25, 17, 14, 9, tzinfo=UTC)),
        # It was written last year: no log is ahead of its time.
        ("Dec  3 17:14:09", datetime(2025, 12, 3, 17, 14, 9, tzinfo=UTC)),
        ("2026-11-25T18:14:09.250+01:00", datetime(2026, 11, 25, 17, 14, 9, 250000, tzinfo=UTC)),
    ],
)
def test_both_forms_of_a_date_are_read(stamp: str, at: datetime) -> None:
    line = line_of(text_of(CONNECT, at=stamp).rstrip(), NOW, UTC)

    assert line == Line(at, "postfix/smtpd", 7, CONNECT)


def test_a_syslog_writes_in_its_own_zone() -> None:
    line = line_of(text_of(CONNECT).rstrip(), NOW, timezone(timedelta(hours=1)))

    assert line is not None
    assert line.at == datetime(2026, 11, 25, 16, 14, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Nov 25 17:14:09 mx1 postfix/qmgr[7]: 4C1: from=<a@/smtpd[7]: connect from a[192.0.2.7]>",
        "Feb 30 17:14:09 mx1 postfix/smtpd[7]: connect from a[192.0.2.7]",
        "2026-13-25T18:14:09 mx1 postfix/smtpd[7]: connect from a[192.0.2.7]",
        "garbage postfix/smtpd[7]: \x00",
    ],
)
def test_other_lines_are_passed_over(text: str) -> None:
    assert line_of(text, NOW, UTC) is None


def test_an_entry_of_the_journal_is_a_line() -> None:
    entry = json.loads(
        '{"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1764090849250000", "_PID": "7",'
        f' "SYSLOG_IDENTIFIER": "postfix/smtpd", "MESSAGE": "{CONNECT}"}}'
    )

    assert entry_line(entry) == Line(
        datetime(2025, 11, 25, 17, 14, 9, 250000, tzinfo=UTC), "postfix/smtpd", 7, CONNECT
    )
    assert entry_line({**entry, "MESSAGE": [1, 2]}) is None
    assert entry_line({**entry, "SYSLOG_IDENTIFIER": "sshd"}) is None


def test_a_log_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(text_of(*WITH_CERTIFICATE, *WITH_CERTIFICATE[:2]) + "Nov 25 17:14:10 mx1 postfix/smt")
    first, reading = read(log)
    with log.open("a") as file:
        file.write("pd[9]: connect from a[192.0.2.8]\n" + text_of(*WITH_CERTIFICATE[2:]))
    second, reading = read(log, reading.place)
    third, _ = read(log, reading.place)

    # What was open at the first reading ended in the second; what was half a line was read as a whole one.
    assert (len(first), len(second), len(third)) == (1, 1, 0)
    assert second[0].pin == KEY.replace(":", "").lower()


def renamed(log: Path) -> None:
    log.rename(log.with_name("mail.log.1"))


def copied(log: Path) -> None:
    """As logrotate does it with `copytruncate`: the same file, empty."""
    shutil.copy(log, log.with_name("mail.log-20261125"))
    log.write_text("")


def packed(log: Path) -> None:
    with gzip.open(log.with_name("mail.log.20261125-180000.gz"), "wb") as file:
        file.write(log.read_bytes())
    log.unlink()


@pytest.mark.parametrize("rotate", [renamed, copied, packed])
def test_rotation_loses_nothing_and_repeats_nothing(tmp_path: Path, rotate: object) -> None:
    log = tmp_path / "mail.log"
    log.write_text(text_of(*WITH_CERTIFICATE))
    first, reading = read(log)
    with log.open("a") as file:
        file.write(text_of(*WITH_CERTIFICATE, *WITH_CERTIFICATE, at="Nov 25 17:20:00"))
    rotate(log)  # type: ignore[operator]
    with log.open("a") as file:
        file.write(text_of(*WITH_CERTIFICATE, at="Nov 25 17:30:00"))
    second, reading = read(log, reading.place)
    third, reading = read(log, reading.place)

    assert (len(first), len(second), len(third)) == (1, 3, 0)
    assert reading.loss is None


def test_a_log_that_was_empty_is_known_again(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text("")
    _, reading = read(log)
    log.write_text(text_of(*WITH_CERTIFICATE))
    renamed(log)
    log.write_text(text_of(*WITH_CERTIFICATE, at="Nov 25 17:30:00"))
    found, reading = read(log, reading.place)

    assert (len(found), reading.loss) == (2, None)


def test_lines_that_are_gone_are_told_as_lost(tmp_path: Path) -> None:
    """Who sent what nobody read was perhaps not clean."""
    log = tmp_path / "mail.log"
    log.write_text(text_of(*WITH_CERTIFICATE))
    _, reading = read(log)
    log.write_text(text_of(*WITH_CERTIFICATE, at="Nov 25 17:30:00"))
    found, reading = read(log, reading.place)

    assert len(found) == 1
    assert reading.loss is not None
    assert reading.loss.since == datetime(2026, 11, 25, 17, 14, 9, tzinfo=UTC)
    assert read(log, reading.place)[1].loss is None


def test_a_log_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TransportUnavailable, match=r"mail\.log cannot be read"):
        read(tmp_path / "mail.log")
