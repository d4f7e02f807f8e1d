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
from mailtrust.core.advice import number_of
from mailtrust.core.advice.facts import Facts
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    import typer


@dataclass(frozen=True, slots=True)
class Exchange:
    """An Exchange organization: what was typed about it, and the files that were collected there."""

    asked: Asked
    files: tuple[Path, ...]
    context: typer.Context = field(repr=False)

    async def look(self, here: Session) -> tuple[Facts, bool]:
        """
        The facts, and whether what matters most was seen.

        Raises: BadInput, DirectoryUnavailable; UsageError for words that cannot be meant.
        """
        collected = tuple(read_collected(read_file(file), str(file)) for file in self.files)
        offline = bool(collected) and not self.asked.controllers
        aim = None if offline else aim_of(self.asked, here, self.context)
        facts, essential = await exchange_facts(aim, look, collected, self.asked.servers or None)
        if not facts.cases and self.asked.servers:
            raise BadInput(
                f"no Exchange server is called {self.asked.servers[0]!r}",
                hint="leave --server away to see them all",
            )
        return facts, essential

    def acks(self, here: Session, now: datetime) -> tuple[Any, ...]:
        """The acknowledgements that hold; none where there is no configuration, and so no store."""
        if not knows_a_configuration(here):
            return ()
        try:
            from mailtrust.agent.journal import Journal
        except ModuleNotFoundError:
            # A journal is Unix's own, and an organization is also looked at from Windows.
            return ()
        return Journal(here.config().server.store).acks(now)


def is_about_exchange(asked: Asked, files: tuple[Path, ...], *, exchange: bool) -> bool:
    """True if it is about an Exchange organization.  Raises: BadInput for words that need that to be said."""
    if exchange or files:
        return True
    typed = asked.controllers or asked.at or asked.bind or asked.bind_dn or asked.client_certificate
    if typed:
        raise BadInput(
            "these options are about an Exchange organization", hint="add --exchange, or leave them away"
        )
    return False


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
