"""The lab's dashboard: a stranger finds in it what is wrong, types what it says, and sees it mended."""

from __future__ import annotations

import html
import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.lab.organization import open_organization
from mailtrust.web.organization import LabSource
from tests.lab.left import running_below
from tests.loopback import PATIENCE

# A story of a few seconds, on a machine where others are at work.
pytestmark = pytest.mark.timeout(300)
_WITHIN_SECONDS = 120


@pytest.fixture
def told(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A story that is over, and stays."""
    command = [
        sys.executable, "-u", "-m", "mailtrust", "lab", "--story", "corrupted", "--stay", "--lag", "1s",
        "--folder", str(tmp_path / "lab"),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_WITHIN_SECONDS)
    assert process.returncode == 0
    assert running_below(tmp_path / "lab") == []


def page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        return html.unescape(answer.read().decode())


def until(address: str, wanted: str) -> str:
    deadline = time.monotonic() + _WITHIN_SECONDS
    while wanted not in (shown := page(address)):
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
    return shown


def test_a_stranger_finds_what_is_wrong_types_what_it_says_and_sees_it_mended(
    told: subprocess.Popen[str],
) -> None:
    assert told.stdout is not None
    lines: list[str] = []
    for line in told.stdout:
        lines.append(line)
        if "Now it is your turn" in line:
            break
    address = lines[0].split()[-1]
    assert lines[0] == f"dashboard: {address}\n"
    shown = until(address, "12012 not-enabled")

    deadline = time.monotonic() + _WITHIN_SECONDS * 2
    while "All is well" not in shown:
        assert time.monotonic() < deadline, shown
        if found := re.search(r"<pre tabindex=\"0\"><code>(.*?)</code>", shown):
            words = shlex.split(found[1])
            subprocess.run(
                [*words, *(("--yes",) if "enable" in words else ())], check=True, capture_output=True
            )
        time.sleep(1)
        shown = page(address)


def test_a_lab_in_json_says_where_its_dashboard_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mailtrust", "lab", "--json", "--folder", str(tmp_path / "lab")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        moment = json.loads(process.stdout.readline())
        shown = page(moment["dashboard"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_WITHIN_SECONDS)

    assert "hub1.example.test" in shown


async def test_its_metrics_count_what_each_server_sent_and_holds(tmp_path: Path) -> None:
    second = timedelta(seconds=1)
    async with open_organization(
        tmp_path, "embedded", servers=2, replicas=1, lag=second, latency=second
    ) as organization:
        corners = await LabSource(organization, lambda _: str).look()

    assert [one.local.has_queue for one in corners] == [True, True]
