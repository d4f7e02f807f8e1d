"""
Where the pages' command lines are typed: a desk with a directory, a Postfix that runs, or an empty folder.

A line is typed as it stands.  Only what a page cannot know is another: folders of a real host lie below the
world's own, CERTIFICATE and made-up digits are those of a certificate that was just made, and the question
of a command that changes something is answered with --yes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

import mailtrust.cli
from tests import postfix
from tests.loopback import PATIENCE, free_port
from tests.make import a_key, an_x509, der
from tests.texts.test_what_to_type import parts

DIGITS = re.compile(r"\b(1a2b3c4d|3f2a9c41)\b|(?<= )CERTIFICATE\b")
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ran:
    """One line, as it ended."""

    code: int
    said: str


@dataclass(frozen=True)
class World:
    """A folder in which somebody types."""

    folder: Path
    stands_for: Mapping[str, str] = field(default_factory=dict)
    """What a page writes, and what it is here."""
    config: Path | None = None

    def types(self, line: str) -> Ran:
        """The line, to its end: a command of ours in this process, for speed; all else by a shell."""
        typed = self.here(line)
        if typed.startswith("mailtrust ") and not re.search(r"[|>&;]", typed):
            said = io.StringIO()
            with (
                contextlib.chdir(self.folder),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(said),
            ):
                code = mailtrust.cli.run(shlex.split(typed)[1:])
            return Ran(code, said.getvalue())
        ran = subprocess.run(
            ["sh", "-c", typed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder,
            env=self.environment, stdin=subprocess.DEVNULL, timeout=PATIENCE * 4, check=False,
        )  # fmt: skip
        return Ran(ran.returncode, ran.stdout)

    def starts(self, line: str) -> Ran:
        """A line that goes on until it is told to end: as soon as it said something or is up."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"{self.folder}/notify")
            process = subprocess.Popen(
                ["sh", "-c", f"exec {self.here(line)}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, cwd=self.folder, stdin=subprocess.DEVNULL,
                env={**self.environment, "PYTHONUNBUFFERED": "1", "NOTIFY_SOCKET": f"{self.folder}/notify"},
            )  # fmt: skip
            assert process.stdout is not None
            select.select([process.stdout, manager], [], [], PATIENCE * 2)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE * 2)
        (self.folder / "notify").unlink()
        return Ran(process.returncode, said)

    def here(self, line: str) -> str:
        """The line for this world."""
        if DIGITS.search(line):
            line = DIGITS.sub(json.loads(self.types("mailtrust new --json").said)["fingerprint"][:12], line)
        if self.stands_for:
            written = re.compile("|".join(map(re.escape, sorted(self.stands_for, key=len, reverse=True))))
            line = written.sub(lambda found: self.stands_for[found[0]], line)
        return f"{line} --yes" if asks(line) else line

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ, "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder), "PWD": str(self.folder),
        }  # fmt: skip


def asks(line: str) -> bool:
    """Whether the command would ask first; one with a redirection or a pipe does not."""
    if not line.startswith("mailtrust ") or re.search(r"[|>&;]| --(yes|dry-run|print)\b", line):
        return False
    command, _ = parts(without_config(line))
    return any("--yes" in parameter.opts for parameter in command.params)


def without_config(line: str) -> str:
    """The line without what may stand before the command."""
    return re.sub(r"^mailtrust --config \S+", "mailtrust", line)


@contextmanager
def empty(folder: Path) -> Iterator[World]:
    """Somebody with a folder and nothing in it; `init` leaves the machine's own folders alone."""
    begun = "mailtrust init --name hub1.example.test"
    yield World(folder, {begun: f"{begun} {own(folder)}"})


def own(folder: Path) -> str:
    return f"--store {folder}/store --output {folder}/mailtrust.toml --replica sqlite://{folder}/dc1.db"


PACE = """\
[policy]
key = "p256"
snapshot_max_age = "1s"
spread = "1s"
settle = "1s"
probe_timeout = "2s"
"""


@contextmanager
def desk(folder: Path) -> Iterator[World]:
    """hub1, its successor and three replicas, which also know hub2; there a hub runs, and believes hub1."""
    replicas = [f"sqlite://{folder}/dc{number}.db" for number in (1, 2, 3)]
    (folder / "servers.d").mkdir()
    for name in ("hub1", "hub2"):
        port = free_port()
        page = free_port()
        (folder / f"{name}.toml").write_text(
            f"""\
[server]
name = "{name}.example.test"
store = "{folder}/{name}"
listeners = {[] if name == "hub1" else [f"127.0.0.1:{port}"]}

[directory]
home = "{replicas[0]}"
replicas = {json.dumps(replicas)}

{PACE}
[transport]
kind = "hub"
bind = ["127.0.0.1:{port}"]
local_domains = ["{name}.example.test"]

[web]
listen = "127.0.0.1:{page}"
"""
        )
    for link in (folder / "mailtrust.toml", folder / "servers.d" / "hub1.toml"):
        link.symlink_to(folder / "hub1.toml")
    _files(folder)
    world = World(
        folder,
        {
            "/etc/mailtrust/mailtrust.toml": "hub1.toml",
            "/etc/mailtrust": str(folder),
            "/etc/exim4": str(folder),
            "/etc/bash_completion.d": str(folder),
            "/etc/prometheus/rules": str(folder),
            "/var/lib/prometheus/node-exporter": str(folder),
            "--listen 127.0.0.1:12012": f"--listen 127.0.0.1:{free_port()}",
            "/srv/": f"{folder}/",
            "root:Debian-exim": "root:root",
            "mailtrust init --name": f"mailtrust init --store {folder}/s --output {folder}/init.toml --name",
        },
    )
    with _running(world, "directory replicate --lag 0s"):
        for name in ("hub2", "hub1"):
            words = f"mailtrust --config {name}.toml"
            world.types(f"{words} new")
            made = json.loads(world.types(f"{words} list --json").said)
            world.types(f"{words} enable {made[0]['fingerprint']} --wait --yes")
        world.types("mailtrust rotate prepare --yes")
        with _running(world, "--config hub2.toml hub"):
            yield world


@contextmanager
def _running(world: World, words: str) -> Iterator[None]:
    """What runs on another host: a process that goes on, from its first word to its end."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "mailtrust", *words.split()], cwd=world.folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE * 2)


def _files(folder: Path) -> None:
    """What lines read: a PKCS#12 file with its password, and another server's certificate."""
    key = a_key("a", "p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    closed = serialization.BestAvailableEncryption(b"correct horse")
    archive = pkcs12.serialize_key_and_certificates(b"hub1", key, an_x509(), None, closed)
    (folder / "hub1.pfx").write_bytes(archive)
    (folder / "hub1.password").write_text("correct horse\n")
    (folder / "exchange.cer").write_bytes(der(an_x509("hub9.example.test", key="b")))


@contextmanager
def mail(folder: Path) -> Iterator[World]:
    """A Postfix of a stranger's, mx1.example.org, that has not met mailtrust; its directory is a file."""
    with (
        postfix.folder() as place,
        postfix.started(place / "mx1", chain=postfix.chain_pem("mx1.example.org")) as mx1,
    ):
        (folder / "mailtrust.toml").write_text(
            f"""\
[server]
name = "mx1.example.org"
store = "{folder}/store"
listeners = ["127.0.0.1:{mx1.inner}"]

[directory]
home = "sqlite://{folder}/dc1.db"

{PACE}
[transport]
kind = "postfix"
postfix = "{mx1.config}"
tables = "{mx1.tables}"
next_hops = {{"[127.0.0.1]:{free_port()}" = ["mx2.example.org"]}}
"""
        )
        first = folder / "first"
        first.mkdir()
        world = World(
            folder,
            {
                "mailtrust init": f"mailtrust init --name mx1.example.org {own(first)}",
                "/etc/postfix-inner": str(mx1.config),
                "/etc/postfix/chain.pem": str(mx1.folder / "chain.pem"),
                "/etc/postfix": str(mx1.config),
                "/var/lib/mailtrust/postfix/chain.pem": str(mx1.tables / "chain.pem"),
                "postfix reload": f"postfix -c {mx1.config} reload",
                "/var/lib/mailtrust-postfix": str(folder / "var"),
                "/etc/mailtrust": str(folder / "etc"),
            },
        )
        (folder / "mx2.json").write_text(world.types("mailtrust adopt --collect").said)
        yield world
