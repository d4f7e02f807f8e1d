"""The configurations of a command that looks after several servers: `--config`, or every one of a folder."""

from __future__ import annotations

from pathlib import Path

import typer

from mailtrust.agent.run import File, Read
from mailtrust.cli.frame import Session, UsageError
from mailtrust.config import Config
from mailtrust.errors import BadConfiguration, MailtrustError


def reading(here: Session, folder: Path | None, context: typer.Context) -> Read:
    """The configurations to go by: the one that holds, or each *.toml of *folder*.  Raises: UsageError."""
    if folder is None:
        return lambda: {here.config_file: _read(here)}
    if here.config_file is not None:
        raise UsageError("--config and --config-dir exclude each other", ctx=context)

    def read() -> dict[File, Config | MailtrustError]:
        try:
            found = sorted(one for one in folder.iterdir() if one.suffix == ".toml")
        except OSError as error:
            raise BadConfiguration(
                f"the folder {folder} cannot be read", hint="check that it is there, and its rights"
            ) from error
        if not found:
            raise BadConfiguration(
                f"there is no configuration in {folder}", hint="each server has a file NAME.toml there"
            )
        return {one: _read(Session(one)) for one in found}

    return read


def _read(here: Session) -> Config | MailtrustError:
    try:
        return here.config()
    except MailtrustError as error:
        return error
