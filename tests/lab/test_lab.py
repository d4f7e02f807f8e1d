"""The lab that stays up, for a hand in another terminal."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailtrust.cli import run


class Running:
    """A lab as a process; each line it writes is one moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailtrust", "lab", "--json", "--lag", "1s", "--folder", str(folder)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def until(self, event: int, server: str, *, there: bool = True) -> None:
        """Read moments until that event is found, or is no longer found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            moment: dict[str, Any] = json.loads(line)
            found = any((one["event"], one["server"]) == (event, server) for one in moment["findings"])
            if found is there:
                return
        pytest.fail(f"the lab ended without {event}")

    def type(self, member: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "mailtrust", "--config", f"{member}.toml", *arguments],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "lab")
    try:
        running.until(12108, "hub1.example.test")
        yield running
    finally:
        running.process.send_signal(signal.SIGINT)
        running.process.wait(30)
        assert running.process.stdout is not None
        running.process.stdout.close()


def test_what_a_hand_breaks_the_grid_shows_and_a_hand_mends(lab: Running) -> None:
    """A server stopped and started, and a certificate made and enabled, all from another terminal."""
    switch = lab.folder / "control" / "stop-hub3"
    switch.touch()
    lab.until(12116, "hub3.example.test")
    switch.unlink()
    lab.until(12116, "hub3.example.test", there=False)

    lab.type("hub1", "new")
    lab.until(12012, "hub1.example.test")
    lab.type("hub1", "fix", "--yes")
    lab.until(12012, "hub1.example.test", there=False)


def test_a_cut_link_makes_its_replica_late(lab: Running) -> None:
    switch = lab.folder / "control" / "cut-dc3"
    switch.touch()
    lab.type("hub1", "new")
    lab.until(12012, "hub1.example.test")
    lab.type("hub1", "fix", "--yes")
    lab.until(12101, "hub1.example.test")
    switch.unlink()
    lab.until(12101, "hub1.example.test", there=False)


def test_ctrl_c_ends_it_without_complaint(tmp_path: Path) -> None:
    running = Running(tmp_path / "lab")
    running.until(12108, "hub1.example.test")
    running.process.send_signal(signal.SIGINT)
    output, _ = running.process.communicate(timeout=30)

    assert running.process.returncode == 0
    assert "Traceback" not in output


def test_bad_input_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    asked = {
        ("--story", "novel"): "there is no story 'novel'",
        ("--story", "12012", "--servers", "2"): "a story needs 3 servers",
        ("--servers", "0"): "a lab has 1 to 50 servers",
        ("--lag", "soon"): "'soon'",
        ("--folder", str(tmp_path / "full")): "is not empty",
    }
    for arguments, sentence in asked.items():
        assert run(["lab", *arguments]) == 1
        said = capsys.readouterr().err
        assert sentence in said
        assert "hint:" in said
