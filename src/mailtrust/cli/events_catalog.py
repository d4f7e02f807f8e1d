"""`mailtrust events catalog`: the message catalogs for systemd's journal, and where they go."""

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from mailtrust import durable
from mailtrust.cli.frame import DryRunOption, JsonOption, YesOption, confirm, given
from mailtrust.cli.output import emit, foretell, say
from mailtrust.errors import StoreUnavailable

CATALOG_SCHEMA = "mailtrust.events-catalog/1"
EPILOG = "Example: mailtrust events catalog --install /usr/local/lib/systemd/catalog"
_FOLDERS = ("usr/local/lib/systemd/catalog", "usr/lib/systemd/catalog")
"""Where systemd looks, below a root: an administrator's own, and packages'."""


def catalog(
    *,
    install: Annotated[
        Path | None,
        given("Copy them there: systemd reads /usr/local/lib/systemd/catalog.", metavar="FOLDER"),
    ] = None,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Say where the message catalogs are, or install them.

    By them `journalctl -x` explains our events. There is one for each language; journalctl takes the one of
    the reader's locale, else English.
    """
    found = {one.name: one.read_bytes() for one in _shipped()}
    target = install or Path("/", _FOLDERS[0])
    then = _then(target)
    if install is None:
        _show(sorted(map(str, _shipped())), target, then, json_output=json_output)
        return
    if dry_run:
        foretell(f"would write {', '.join(sorted(found))} to {target}", json_output=json_output)
        return
    confirm(f"Write {', '.join(sorted(found))} to {target}?", yes=yes)
    try:
        durable.make_folder(target)
        for name, data in found.items():
            durable.write(target / name, data, durable.PUBLIC)
    except OSError as error:
        raise StoreUnavailable(
            f"{target} cannot be written", hint="do it as root, or name another folder"
        ) from error
    written = sorted(str(target / name) for name in found)
    if json_output:
        emit({"schema": CATALOG_SCHEMA, "files": written, "installed": True, "then": then})
        return
    for path in written:
        say(f"wrote {path}")
    say(f"now make them known: {then}")


def _shipped() -> list[Path]:
    folder = Path(str(files("mailtrust") / "systemd"))
    return sorted(folder.glob("*.catalog"))


def _then(folder: Path) -> str:
    """What makes systemd read them: for another root where they stand in one."""
    absolute = folder.absolute()
    for below in _FOLDERS:
        parts = Path(below).parts
        if absolute.parts[-len(parts) :] == parts:
            root = Path(*absolute.parts[: -len(parts)])
            named = () if root == Path("/") else (f"--root={root}",)
            return shlex.join(("journalctl", *named, "--update-catalog"))
    return f"copy them from {folder} to /{_FOLDERS[0]}, and run journalctl --update-catalog"


def _show(shipped: list[str], target: Path, then: str, *, json_output: bool) -> None:
    if json_output:
        emit({"schema": CATALOG_SCHEMA, "files": shipped, "installed": False, "then": then})
        return
    for path in shipped:
        say(path)
    say()
    say("to install them:")
    say(f"  mailtrust events catalog --install {target} --yes")
    say(f"  {then}")
    say("then journalctl -x -t mailtrust shows what each event means, and what to do")
