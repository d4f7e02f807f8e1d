"""Notices by a command."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.errors import NotDelivered
from mailtrust.notices.command import run
from mailtrust.notices.notice import Notice

NOTICE = Notice({"notice": "1f" * 16, "event": 12012, "message": "; rm -rf / $(reboot)"})
SOON = timedelta(seconds=10)


def test_the_notice_is_on_its_standard_input(tmp_path: Path) -> None:
    assert run(("/bin/sh", "-c", f"cat > {tmp_path}/got"), NOTICE, SOON) == "exit status 0"

    assert json.loads((tmp_path / "got").read_text()) == dict(NOTICE.fields)


def test_no_shell_reads_its_words(tmp_path: Path) -> None:
    run(("/usr/bin/touch", f"{tmp_path}/$(echo gone)"), NOTICE, SOON)

    assert [one.name for one in tmp_path.iterdir()] == ["$(echo gone)"]


def test_what_belongs_to_the_service_manager_is_kept_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")

    run(("/bin/sh", "-c", f"env > {tmp_path}/got"), NOTICE, SOON)

    assert "NOTIFY_SOCKET" not in (tmp_path / "got").read_text()


def test_one_that_fails_is_said() -> None:
    with pytest.raises(NotDelivered, match="/bin/false ended with exit status 1"):
        run(("/bin/false",), NOTICE, SOON)


def test_the_last_line_of_one_that_fails_is_said() -> None:
    """However much it wrote, and without what would steer a terminal; whoever is paged looks no further."""
    script = r"yes rubbish | head -c 3000000; printf '\033[31mpager: no route to host\033[0m\n\n' >&2; exit 7"

    with pytest.raises(NotDelivered) as told:
        run(("/bin/sh", "-c", script), NOTICE, SOON)

    assert str(told.value) == "/bin/sh ended with exit status 7: [31mpager: no route to host[0m"


def test_what_it_writes_comes_out_nowhere_else(capfd: pytest.CaptureFixture[str]) -> None:
    """Where the agent writes lines of JSON there would be others between them."""
    run(("/bin/sh", "-c", "echo sent; echo sent >&2"), NOTICE, SOON)

    assert capfd.readouterr() == ("", "")


def test_one_that_leaves_something_running_has_ended() -> None:
    """Which may hold what it writes to open for as long as it likes."""
    began = time.monotonic()

    assert run(("/bin/sh", "-c", "sleep 3 & exit 0"), NOTICE, SOON) == "exit status 0"
    assert time.monotonic() - began < 3


def test_one_that_was_killed_is_said() -> None:
    with pytest.raises(NotDelivered, match="was killed by signal 9"):
        run(("/bin/sh", "-c", "kill -9 $$"), NOTICE, SOON)


def test_one_that_does_not_read_is_no_trouble() -> None:
    large = Notice({"message": "long " * 100_000})

    assert run(("/bin/true",), large, SOON) == "exit status 0"


def test_one_that_is_not_there_is_said() -> None:
    with pytest.raises(NotDelivered, match="cannot be started: no such file"):
        run(("/nonexistent/pager",), NOTICE, SOON)


def test_one_that_may_not_be_started_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "pager").write_text("#!/bin/sh\n")

    with pytest.raises(NotDelivered, match="cannot be started: permission denied"):
        run((f"{tmp_path}/pager",), NOTICE, SOON)


def test_one_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"

    with pytest.raises(NotDelivered, match="did not end within"):
        run(("/bin/sh", "-c", script), NOTICE, timedelta(seconds=0.5))

    child = int((tmp_path / "child").read_text())
    end = time.monotonic() + 10
    while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < end
        os.sched_yield()
