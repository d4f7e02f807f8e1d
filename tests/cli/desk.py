"""An administrator's desk: a folder with a configuration, and a keyboard without a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mailtrust.cli
from tests.shapes import as_promised, reads

HUB1 = "hub1.example.test"


@dataclass(frozen=True)
class Ran:
    """One command, as it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What a program reads: it has the shape that the reference says."""
        return as_promised(json.loads(self.out))

    def reads(self, name: str) -> Any:
        """The same, which has the shape of that name."""
        return reads(name, json.loads(self.out))

    @property
    def said(self) -> str:
        """All that somebody reads, whichever way it came."""
        return self.out + self.err


@dataclass(frozen=True)
class Desk:
    """hub1 with three replicas: reads dc2, writes to dc1, presents nowhere."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def type(self, *arguments: object) -> Ran:
        """Type one command; its end is not judged."""
        self.capsys.readouterr()
        code = mailtrust.cli.run([str(one) for one in arguments])
        out, err = self.capsys.readouterr()
        return Ran(code, out, err)

    def must(self, *arguments: object) -> Ran:
        """The same for one that has to succeed."""
        ran = self.type(*arguments)
        assert ran.code == 0, f"{arguments}: {ran.said}"
        return ran

    def made(self) -> str:
        """A new certificate's fingerprint."""
        fingerprint: str = self.must("new", "--json").json["fingerprint"]
        return fingerprint

    def enabled(self) -> str:
        """A new certificate, current and on every replica; its fingerprint."""
        fingerprint = self.made()
        self.must("enable", fingerprint, "--yes")
        self.must("directory", "replicate", "--once")
        if self.slots()[fingerprint] != "current":
            self.must("enable", fingerprint, "--yes")
        return fingerprint

    def slots(self) -> dict[str, str]:
        """What each certificate of the store is for."""
        return {one["fingerprint"]: one["slot"] for one in self.must("list", "--json").json}

    def published(self) -> dict[str, list[str] | None]:
        """What each replica publishes for hub1, by its short name; None where it cannot be read."""
        [server] = self.type("status", "--json").json["servers"]
        return {Path(one["replica"]).stem: one["found"] for one in server["published"]}

    def url(self, name: str) -> str:
        return f"sqlite://{self.folder / name}.db"

    def damage(self, name: str) -> None:
        """Write over a replica's file, as a stray program would."""
        (self.folder / f"{name}.db").write_bytes(b"not a database any more\n" * 400)

    def configure(self, *, more: str = "", policy: str = "") -> None:
        urls = ", ".join(f'"{self.url(name)}"' for name in ("dc1", "dc2", "dc3"))
        (self.folder / "mailtrust.toml").write_text(
            f"""\
[server]
name = "{HUB1}"
store = "{self.folder / "store"}"
listeners = []

[directory]
home = "{self.url("dc2")}"
primary = "{self.url("dc1")}"
replicas = [{urls}]

[policy]
key = "p256"
probe_timeout = "2s"
{policy}
{more}
""",
            encoding="utf-8",
        )
