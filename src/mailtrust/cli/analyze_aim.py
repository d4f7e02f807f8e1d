"""From what was typed to what `analyze` looks at: rules by their numbers, or an Exchange organization."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailtrust.agent.analysis_exchange import exchange_facts
from mailtrust.agent.collected import read_collected
from mailtrust.agent.organization import look
from mailtrust.cli.audit_aim import Asked, aim_of, knows_a_configuration
from mailtrust.cli.files import read_file
from mailtrust.cli.frame import Session
from mailtrust.config import Config
from mailtrust.core.advice import number_of
from mailtrust.core.advice.facts import Facts
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, slots=True)
class Exchange:
    """An Exchange organization: what was typed about it, and the files that were collected there."""

    here: Session
    config: Config | None
    """Where acknowledgements and the last report are; None where there is no configuration."""
    asked: Asked
    files: tuple[Path, ...]
    context: typer.Context = field(repr=False)

    async def look(self) -> tuple[Facts, bool]:
        """
        The facts, and whether what matters most was seen.

        Raises: BadInput, DirectoryUnavailable; UsageError for words that cannot be meant.
        """
        collected = tuple(read_collected(read_file(file), str(file)) for file in self.files)
        offline = bool(collected) and not self.asked.controllers
        aim = None if offline else aim_of(self.asked, self.here, self.context)
        facts, essential = await exchange_facts(aim, look, collected, self.asked.servers or None)
        if not facts.cases and self.asked.servers:
            raise BadInput(
                f"no Exchange server is called {self.asked.servers[0]!r}",
                hint="leave --server away to see them all",
            )
        return facts, essential

    def acks(self, now: datetime) -> tuple[Any, ...]:
        """The acknowledgements that hold; none where there is no configuration, and so no store."""
        if self.config is None:
            return ()
        try:
            from mailtrust.agent.journal import Journal
        except ModuleNotFoundError:
            # A journal is Unix's own, and an organization is also looked at from Windows.
            return ()
        return Journal(self.config.server.store).acks(now)


def config_of(here: Session, asked: Asked, files: tuple[Path, ...], *, exchange: bool) -> Config | None:
    """
    The configuration; None where an Exchange organization was asked for and there is none.

    Raises: BadConfiguration, BadInput for words about an organization where none was asked for.
    """
    known = knows_a_configuration(here)
    config = here.config() if known or not (exchange or files) else None
    typed = asked.controllers or asked.at or asked.bind or asked.bind_dn or asked.client_certificate
    if typed and not is_about_exchange(config, files, exchange=exchange):
        raise BadInput(
            "these options are about an Exchange organization", hint="add --exchange, or leave them away"
        )
    return config


def is_about_exchange(config: Config | None, files: tuple[Path, ...], *, exchange: bool) -> bool:
    """True if it is about an Exchange organization, as it was typed or as the configuration has it."""
    return exchange or bool(files) or config is None or config.directory.layout == "exchange"


def numbers_of(only: Iterable[str]) -> frozenset[int]:
    """The rules and events of --only.  Raises: BadInput for what is neither."""
    return frozenset(map(known_number, only))


def known_number(text: str) -> int:
    """The number of a rule or an event.  Raises: BadInput."""
    number = number_of(text)
    if number is None:
        raise BadInput(
            f"there is no rule and no event {text!r}", hint="`mailtrust analyze --list` lists them all"
        )
    return number
