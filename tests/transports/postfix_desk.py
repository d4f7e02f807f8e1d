"""An administrator's desk beside a Postfix: commands, the files they are about, and what is found there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import mailtrust.cli
from mailtrust.core.model.certificate import Pin
from tests import postfix
from tests.cli.desk import Ran
from tests.make import a_certificate
from tests.postfix import Postfix, chain_pem

MX1, MX2 = "mx1.example.test", "mx2.example.test"
NEXT_HOP = "[127.0.0.1]:2999"


def colons(pin: Pin) -> str:
    """As Postfix writes a digest."""
    return bytes.fromhex(pin).hex(":")


PEER = colons(a_certificate(MX2, key="peer").pin)


@dataclass
class PostfixDesk:
    """mx1 with a Postfix that somebody else set up."""

    one: Postfix
    capsys: pytest.CaptureFixture[str]

    @property
    def folder(self) -> Path:
        return self.one.folder.parent

    @property
    def master(self) -> Path:
        return self.one.config / "master.cf"

    @property
    def listener(self) -> str:
        """Where peers come to."""
        return f"127.0.0.1:{self.one.inner}"

    def type(self, *words: object) -> Ran:
        """A command of `mailtrust postfix`; its end is not judged."""
        return self.typed("postfix", *words)

    def typed(self, *words: object) -> Ran:
        """Any command; its end is not judged."""
        self.capsys.readouterr()
        code = mailtrust.cli.run(["--config", str(self.folder / "mailtrust.toml"), *map(str, words)])
        out, err = self.capsys.readouterr()
        return Ran(code, out, err)

    def must(self, *words: object) -> Ran:
        ran = self.type(*words)
        assert ran.code == 0, f"{words}: {ran.said}"
        return ran

    def configure(self, *, listeners: str = "") -> None:
        (self.folder / "mailtrust.toml").write_text(
            f"""\
[server]
name = "{MX1}"
store = "{self.folder}/store"
listeners = [{listeners or f'"{self.listener}"'}]

[directory]
home = "sqlite://{self.folder}/dc1.db"

[transport]
kind = "postfix"
postfix = "{self.one.config}"
tables = "{self.one.tables}"
next_hops = {{"{NEXT_HOP}" = ["{MX2}"]}}
"""
        )

    def compiled(self, *, clients: Mapping[str, str], policy: Mapping[str, str]) -> None:
        """Tables of those rows, as if they had been compiled."""
        postfix.by_postmap(self.one, "relay_clientcerts", clients)
        postfix.by_postmap(self.one, "tls_policy", policy)

    def sound(self) -> None:
        """Set up, compiled and routed: there is nothing to find."""
        self.must("setup", "--yes")
        self.compiled(clients={PEER: MX2}, policy={NEXT_HOP: f"fingerprint match={PEER}"})
        self.route(f"hub:{NEXT_HOP}")

    def route(self, where: str) -> None:
        """Mail for mx2 goes there."""
        self.set("-e", f"transport_maps = inline:{{ {{ {MX2} = {where} }} }}")

    def set(self, *words: str) -> None:
        """As `postconf` does it; then it need not wait for main.cf to age."""
        self.one.run("postconf", *words)
        os.utime(self.one.config / "main.cf", (0, 0))

    def edit(self, old: str, new: str) -> None:
        """An edit of master.cf by hand."""
        text = self.master.read_text()
        assert old in text, old
        self.master.write_text(text.replace(old, new, 1))

    def findings(self) -> list[tuple[int, str | None]]:
        """What `check` finds: events with their causes."""
        report = self.type("check", "--json").reads("postfix-check")
        return [(one["event"], one["cause"]) for one in report["findings"]]


@contextmanager
def a_desk(
    capsys: pytest.CaptureFixture[str], *, main: Mapping[str, str] | None = None, trusting: bool = False
) -> Iterator[PostfixDesk]:
    """With an instance that does not run; `desk.one.start()` starts it, and whoever does stops it."""
    with postfix.folder() as folder:
        one = postfix.made(folder / "mx1", chain=chain_pem(MX1), main=main or {}, trusting=trusting)
        for label in ("peer", "stranger"):
            (folder / f"{label}.pem").write_text(chain_pem(MX2, key=label))
        desk = PostfixDesk(one, capsys)
        desk.configure()
        yield desk
