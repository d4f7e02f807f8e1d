"""
What Postfix itself says of its settings and tables: its own tools know every spelling that it knows.

Nothing is changed by asking, and no value of a table is shown to anybody by what fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from mailtrust.errors import TransportUnavailable

_TIMEOUT_SECONDS = 30.0
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def settings(folder: Path, names: Iterable[str]) -> Mapping[str, str]:
    """
    Parameters of main.cf as they hold, defaults filled in and variables expanded; empty for one that this
    release of Postfix does not know.

    Raises: TransportUnavailable where there is no Postfix, or it cannot read its configuration.
    """
    asked = tuple(names)
    lines = ask(folder, "postconf", "-x", *asked).splitlines()
    said = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return {name: said.get(name, "") for name in asked}


def ask(folder: Path, program: str, *words: str) -> str:
    """What one of Postfix's programs says about the instance in *folder*.  Raises: TransportUnavailable."""
    path = shutil.which(program, path=_PATH)
    if path is None:
        raise TransportUnavailable(
            f"Postfix is not installed here: there is no {program}", hint="run it on the host of that Postfix"
        )
    try:
        done = subprocess.run(
            [path, "-c", str(folder), *words],
            capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransportUnavailable(f"{program} could not be asked about {folder}") from error
    # postmap exits with 0 and says so on standard error alone where it could not open a table.
    fatal = next((line for line in done.stderr.splitlines() if "fatal:" in line or "error:" in line), "")
    if done.returncode or fatal:
        why = fatal.partition(": ")[2] or f"it exited with {done.returncode}"
        raise TransportUnavailable(f"{program} cannot read {words[-1] if words else folder}: {why}")
    return done.stdout
