"""
Real Exims of a test's own, unpacked and not installed: Debian's would push Postfix out.

    mx3 = Exim(folder / "mx3")
    mx3.make(chain_pem(mx3.name))
    with exim.running(mx3, configuration):
        mx3.send("ann@mx1.example.test")

Its account does not exist here either: each runs in a mount namespace of its own, in which /etc/passwd and
/etc/group have it.
"""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.programs import needs

PROGRAM = "/usr/local/lib/mailtrust-tests/exim4/usr/sbin/exim4"
MARKS = [
    needs(PROGRAM),
    pytest.mark.skipif(os.geteuid() != 0, reason="it mounts over /etc/passwd, for itself alone"),
]
ACCOUNT = "Debian-exim:x:61234:61234::/nonexistent:/usr/sbin/nologin\n"
_USER = 61234
_RUN = """
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
shift
exec "$@"
"""
_SETTINGS = """\
primary_hostname = {name}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/pid
exim_path = {program}
exim_user = Debian-exim
exim_group = Debian-exim
deliver_drop_privilege
keep_environment =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
log_selector = +tls_certificate_verified
host_lookup =
rfc1413_hosts =
"""


@dataclass
class Exim:
    """One instance; `running` starts and stops it."""

    folder: Path
    name: str = "mx3.example.test"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> Path:
        """Where what we compile is."""
        return self.folder / "files"

    @property
    def log(self) -> str:
        file = self.folder / "log" / "mainlog"
        return file.read_text("utf-8") if file.exists() else ""

    def make(self, chain: str) -> None:
        """Write its files but for the configuration."""
        for name in ("spool", "log", "files"):
            (self.folder / name).mkdir(parents=True)
        for name in ("spool", "log"):
            os.chown(self.folder / name, _USER, _USER)
        for name, line in (("passwd", ACCOUNT), ("group", "Debian-exim:x:61234:\n")):
            (self.folder / name).write_text(Path("/etc", name).read_text() + line)
        (self.files / "chain.pem").write_text(chain)
        os.chown(self.files / "chain.pem", 0, _USER)
        (self.files / "chain.pem").chmod(0o640)

    def _words(self, *words: str) -> list[str]:
        inside = ["unshare", "--mount", "sh", "-eu", "-c", _RUN, "sh", str(self.folder)]
        return [*inside, PROGRAM, "-C", str(self.folder / "exim.conf"), *words]

    def start(self, configuration: str) -> None:
        """With *configuration* behind what a test's own instance needs."""
        settings = _SETTINGS.format(name=self.name, folder=self.folder, program=PROGRAM, port=self.port)
        (self.folder / "exim.conf").write_text(settings + configuration)
        with (self.folder / "stderr").open("wb") as file:
            self.process = subprocess.Popen(self._words("-bdf", "-q1s"), start_new_session=True, stderr=file)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"it did not start: {(self.folder / 'stderr').read_text()} {self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            # Its own session: also what it forked and that outlives it.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(PATIENCE)

    def send(self, recipient: str, sender: str = "ann@example.test") -> str:
        """Put a message into its queue; what became of the first attempt, from the log."""
        before = len(self.log)
        mail = f"From: {sender}\nTo: {recipient}\nSubject: a test\n\nhello\n"
        subprocess.run(
            self._words("-odq", "-f", sender, recipient), input=mail.encode(), check=True, capture_output=True
        )
        # Mail from elsewhere may come in meanwhile.
        number = self.says(f"<= {sender}", " P=local", after=before).split()[2]
        # The queue runner comes each second; "=>" is sent, "==" deferred.
        return self.says(f" {number} =", recipient, after=before)

    def says(self, *what: str, after: int = 0) -> str:
        """Wait for a log line that has all of *what*, behind the first *after* characters; the line."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for line in self.log[after:].splitlines():
                if all(one in line for one in what):
                    return line
            if time.monotonic() > deadline:
                raise AssertionError(f"the log of {self.name} never says {what}: {self.log[after:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with smtplib.SMTP(LOOPBACK, self.port, timeout=PATIENCE):
                return True
        except OSError:
            return False


@contextmanager
def running(one: Exim, configuration: str) -> Iterator[Exim]:
    """One that was made, and answers now; stopped in the end."""
    try:
        one.start(configuration)
        yield one
    finally:
        one.stop()
