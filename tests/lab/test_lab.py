"""The lab that stays up, for a hand in another terminal."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailtrust.cli import run
from mailtrust.cli.render import place_name
from mailtrust.lab.organization import DIRECTORIES
from tests.lab.left import running_below
from tests.loopback import PATIENCE
from tests.programs import needs
from tests.shapes import reads

OPENLDAP = needs("slapd", "slapadd", "slapcat")
MARKS = {"openldap": [OPENLDAP]}
Start = Callable[..., "Running"]


class Running:
    """A lab as a process; each line it writes is one moment."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "mailtrust", "lab", "--json", "--lag", "1s", "--folder", str(folder),
                *options,
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def replicas(self) -> list[str]:
        """Their names, as the switches have them; the first one is the primary."""
        config = tomllib.loads((self.folder / "hub1.toml").read_text())
        return [place_name(url).removeprefix(":") for url in config["directory"]["replicas"]]

    def until(self, event: int, server: str, *, there: bool = True) -> None:
        """Read moments until that event is found, or is no longer found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            moment = reads("lab", json.loads(line))
            found = any((one["event"], one["server"]) == (event, server) for one in moment["findings"])
            if found is there:
                return
        pytest.fail(f"the lab ended without {event}")

    def follow(self, sender: str, receiver: str) -> dict[str, Any]:
        """What `flow` says, whether or not mail flows."""
        ran = subprocess.run(
            [
                sys.executable, "-m", "mailtrust", "--config", f"{sender}.toml", "flow",
                sender, receiver, "--json",
            ],
            cwd=self.folder, check=False, capture_output=True, text=True,
        )  # fmt: skip
        told: dict[str, Any] = reads("flow", json.loads(ran.stdout))
        return told

    def type(self, member: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "mailtrust", "--config", f"{member}.toml", *arguments],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a lab that is complete when this returns; ended after the test, with nothing left running."""
    started: list[Running] = []

    def start(*options: str) -> Running:
        started.append(Running(tmp_path / "lab", *options))
        started[-1].until(12108, "hub1.example.test")
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            one.process.wait(30)
        assert one.process.stdout is not None
        one.process.stdout.close()
        assert running_below(one.folder) == []


@pytest.fixture(params=[pytest.param(one, marks=MARKS.get(one, [])) for one in DIRECTORIES])
def lab(start: Start, request: pytest.FixtureRequest) -> Running:
    return start("--directory", request.param)


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


def test_a_device_before_a_server_is_found_by_flow_and_taken_away_again(lab: Running) -> None:
    """`strip` takes STARTTLS out: mail stops at the verbs, and goes again once it is gone."""
    switch = lab.folder / "control" / "strip-hub3"
    switch.touch()
    lab.until(12117, "hub3.example.test")
    stripped = lab.follow("hub1", "hub3")
    switch.unlink()
    lab.until(12117, "hub3.example.test", there=False)
    mended = lab.follow("hub1", "hub3")

    assert (stripped["verdict"], stripped["stage"], stripped["event"]) == ("blocked", "verbs", 12117)
    assert mended["verdict"] in ("flows", "slow")


def test_a_cut_link_makes_its_replica_late(lab: Running) -> None:
    switch = lab.folder / "control" / f"cut-{lab.replicas[2]}"
    switch.touch()
    lab.type("hub1", "new")
    lab.until(12012, "hub1.example.test")
    lab.type("hub1", "fix", "--yes")
    lab.until(12101, "hub1.example.test")
    switch.unlink()
    lab.until(12101, "hub1.example.test", there=False)


def test_a_damaged_replica_cannot_be_read_until_it_is_mended(lab: Running) -> None:
    switch = lab.folder / "control" / f"damage-{lab.replicas[1]}"
    switch.touch()
    lab.until(12103, "hub1.example.test")
    switch.unlink()
    lab.until(12103, "hub1.example.test", there=False)


def test_a_file_that_a_hand_removes_is_not_made_anew(start: Start) -> None:
    """As on a real host, where it may be a disk that is not mounted."""
    running = start()
    (running.folder / "dc2.db").unlink()
    for _ in range(4):
        running.until(12103, "hub1.example.test")

    assert not (running.folder / "dc2.db").exists()


def test_a_server_may_be_stopped_and_frozen_at_once(lab: Running) -> None:
    """A hand in another terminal does things in any order."""
    stop, freeze = (lab.folder / "control" / f"{what}-hub3" for what in ("stop", "freeze"))
    stop.touch()
    lab.until(12116, "hub3.example.test")
    freeze.touch()
    stop.unlink()
    lab.until(12116, "hub3.example.test", there=False)


@OPENLDAP
def test_a_directory_server_that_does_not_come_back_ends_the_lab_and_says_why(start: Start) -> None:
    running = start("--directory", "openldap")
    name = running.replicas[1]
    switch = running.folder / "control" / f"damage-{name}"
    switch.touch()
    running.until(12103, "hub1.example.test")
    (running.folder / "openldap" / name / "slapd.conf").write_text("no such word\n")
    switch.unlink()
    output, _ = running.process.communicate(timeout=60)

    assert running.process.returncode == 1
    assert "slapd did not start; it said: " in output
    assert "line 1: unknown directive <no>" in output
    assert running_below(running.folder) == []


@OPENLDAP
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_hears_no_complaint_and_finds_nothing_left(
    start: Start, number: signal.Signals
) -> None:
    running = start("--directory", "openldap")
    running.process.send_signal(number)
    output, _ = running.process.communicate(timeout=PATIENCE * 6)

    assert running.process.returncode == 0
    assert "Traceback" not in output
    assert running_below(running.folder) == []


@OPENLDAP
def test_one_that_is_killed_leaves_no_server_behind(start: Start) -> None:
    """The kernel ends them: nobody else is there any more who would."""
    running = start("--directory", "openldap")
    running.process.kill()
    running.process.communicate(timeout=60)

    deadline = time.monotonic() + PATIENCE
    while running_below(running.folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running_below(running.folder) == []


def test_bad_input_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    asked = {
        ("--story", "novel"): "there is no story 'novel'",
        ("--story", "12012", "--servers", "2"): "a story needs 3 servers",
        ("--servers", "0"): "a lab has 1 to 50 servers",
        ("--lag", "soon"): "'soon'",
        ("--directory", "paper"): "a lab has no directory 'paper'",
        ("--folder", str(tmp_path / "full")): "is not empty",
    }
    for arguments, sentence in asked.items():
        assert run(["lab", *arguments]) == 1
        said = capsys.readouterr().err
        assert sentence in said
        assert "hint:" in said
