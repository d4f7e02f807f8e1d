"""Which Postfix a command is about, and how its own programs are called there."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from mailtrust.certificates.store import Store
from mailtrust.cli.frame import given
from mailtrust.config import Config
from mailtrust.core.model.certificate import short
from mailtrust.errors import BadConfiguration, StoreUnavailable
from mailtrust.transports.postfix.ours import Places

InstanceOption = Annotated[
    Path | None, given("Its configuration folder. Default: transport.postfix.", metavar="DIR")
]


def folder_of(config: Config, instance: Path | None) -> Path:
    """The configuration folder that was named, absolute.  Raises: BadConfiguration where the hub is set."""
    if config.transport.kind == "hub":
        raise BadConfiguration(
            'transport.kind is "hub": here the embedded hub is the mail server',
            hint='set transport.kind = "postfix"',
        )
    return (instance or config.transport.postfix).absolute()


def places_of(config: Config) -> Places:
    """Where its tables and its chain file are."""
    return Places(config.transport.tables)


def current_of(config: Config) -> str:
    """The current certificate's fingerprint, shortened; empty where there is none, or nobody could look."""
    with suppress(StoreUnavailable):
        held = Store(config.server.store).current()
        return short(held.certificate.fingerprint) if held else ""
    return ""


def our_options(config: Config, folder: Path) -> tuple[str, ...]:
    """What has to be typed behind `setup`, `check` and `undo` so that they are about that instance."""
    return () if folder == config.transport.postfix else ("--instance", str(folder))
