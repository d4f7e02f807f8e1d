"""A healthy organization is given no advice, whatever its directory is made of."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from tests.lab.test_lab import Running, Start, lab, start
from tests.shapes import reads

__all__ = ["lab", "start"]


@contextmanager
def read_on(lab: Running) -> Iterator[None]:
    """Read what the lab writes until it ends, which it then does: nobody may keep it waiting meanwhile."""
    reader = Thread(target=deque, args=(lab.process.stdout, 0))
    reader.start()
    try:
        yield
    finally:
        lab.process.send_signal(signal.SIGINT)
        reader.join()
        lab.process.wait(30)


def analyzed(lab: Running, member: str, *more: str) -> tuple[int, Any]:
    typed = ("--config", f"{member}.toml", "analyze", "--all", "--json", *more)
    ran = subprocess.run(
        [sys.executable, "-m", "mailtrust", *typed],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, reads("analyze", json.loads(ran.stdout))


def test_a_healthy_organization_is_given_no_advice(lab: Running) -> None:
    with read_on(lab):
        for member in ("hub1", "hub2", "hub3"):
            code, report = analyzed(lab, member)

            assert (code, report["advice"], report["verdict"]) == (0, [], "ok")
            assert len(report["servers"]) == 3


def test_what_a_hand_breaks_is_told(start: Start) -> None:
    running = start()
    (running.folder / "control" / "stop-hub3").touch()
    running.until(12116, "hub3.example.test")

    with read_on(running):
        code, report = analyzed(running, "hub1")

    assert code == 1
    assert ("12116", "hub3.example.test") in {(one["rule"], one["server"]) for one in report["advice"]}
