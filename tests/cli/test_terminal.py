"""At a real terminal: questions are asked there, secrets are not shown, and progress is drawn."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from mailtrust.certificates.formats import read
from mailtrust.core.model.certificate import short
from tests.cli.desk import Desk

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SECONDS = 60


@dataclass
class Terminal:
    """A program on a terminal of 80 columns, and the hand that types."""

    process: subprocess.Popen[bytes]
    line: int
    shown: str = ""

    def until(self, text: str) -> None:
        """Read until *text* is on the screen."""
        while text not in self.plain:
            more = self._read()
            assert more, f"ended without {text!r}: {self.plain}"
            self.shown += more

    def type(self, text: str) -> None:
        os.write(self.line, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while more := self._read():
            self.shown += more
        return self.process.wait(SECONDS)

    @property
    def plain(self) -> str:
        """What is shown, without colours and movements."""
        return CONTROL.sub("", self.shown)

    def _read(self) -> str:
        try:
            return os.read(self.line, 65536).decode(errors="replace")
        except OSError:
            # Linux: nobody holds the other end any more.
            return ""


Start = Callable[..., Terminal]


@pytest.fixture
def started(desk: Desk) -> Iterator[Start]:
    """Starts a command at a terminal; whatever is left of it is ended afterwards."""
    running: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        line, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "mailtrust", *arguments],
            cwd=desk.folder, stdin=end, stdout=end, stderr=end, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(end)
        running.append(Terminal(process, line))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        os.close(one.line)


def test_enable_asks_and_does_it_on_yes(desk: Desk, started: Start) -> None:
    fingerprint = desk.made()
    terminal = started("enable", fingerprint)

    terminal.until("[y/N]")
    terminal.type("y\n")

    assert terminal.end() == 0
    assert f"Publish {short(fingerprint)}" in terminal.plain
    assert desk.slots() == {fingerprint: "current"}


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_anything_else_is_no(desk: Desk, started: Start, answer: str) -> None:
    fingerprint = desk.made()
    terminal = started("enable", fingerprint)

    terminal.until("[y/N]")
    terminal.type(answer)

    assert terminal.end() == 1
    assert "nothing was changed" in terminal.plain
    assert desk.slots() == {fingerprint: "none"}


def test_wait_draws_its_progress(desk: Desk, started: Start) -> None:
    desk.must("enable", desk.made(), "--yes")
    terminal = started("wait", "--timeout", "30s")

    terminal.until("behind by")
    desk.must("directory", "replicate", "--once")

    assert terminal.end() == 0
    assert "every replica has" in terminal.plain


def test_an_interrupted_wait_says_how_to_go_on(desk: Desk, started: Start) -> None:
    desk.enabled()
    new = desk.made()
    terminal = started("enable", new, "--wait", "--yes")

    terminal.until("behind by")
    terminal.process.send_signal(2)

    assert terminal.end() == 130
    assert f"mailtrust enable {new} --wait" in terminal.plain.replace("\r\n", "")
    assert "Traceback" not in terminal.plain


def test_a_password_is_asked_twice_and_never_shown(desk: Desk, started: Start) -> None:
    fingerprint = desk.made()
    words = ("export", fingerprint, "--format", "pkcs12", "--with-key", "--output")

    same = started(*words, "same.pfx")
    same.until("Password for the file:")
    same.type("secret\n")
    same.until("The same again:")
    same.type("secret\n")
    assert same.end() == 0

    other = started(*words, "other.pfx")
    other.until("Password for the file:")
    other.type("secret\n")
    other.until("The same again:")
    other.type("typo\n")
    assert other.end() == 1

    assert "secret" not in same.plain + other.plain
    assert "the two passwords differ; nothing was written" in other.plain
    assert read((desk.folder / "same.pfx").read_bytes(), b"secret").key is not None
    assert not (desk.folder / "other.pfx").exists()


def test_a_password_is_asked_where_a_file_has_one(desk: Desk, started: Start) -> None:
    fingerprint = desk.made()
    (desk.folder / "password").write_text("secret\n")
    desk.must(
        "export", fingerprint, "--format", "pkcs12", "--with-key", "--output", "hub1.pfx",
        "--password-file", "password",
    )  # fmt: skip
    desk.must("remove", fingerprint, "--yes")
    terminal = started("import", "hub1.pfx")

    terminal.until("Password of hub1.pfx:")
    terminal.type("secret\n")

    assert terminal.end() == 0
    assert desk.slots() == {fingerprint: "none"}


def test_the_grid_needs_no_colours(desk: Desk, started: Start) -> None:
    """With them it reads the same."""
    desk.enabled()
    terminal = started("status")

    assert terminal.end() == 0
    assert terminal.shown != terminal.plain
    grid = [line.rstrip() for line in terminal.plain.replace("\r", "").splitlines()]
    assert grid == [line.rstrip() for line in desk.must("status").out.splitlines()]
