"""
Watching a certificate arrive at every replica: live on a terminal, one line per change elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.table import Table

from mailtrust.cli.output import is_terminal, say, screen
from mailtrust.cli.render import place_name, symbol
from mailtrust.config import Config
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, View
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    from rich.live import Live

_BEYOND_LATENCY = timedelta(minutes=1)


def patience(config: Config) -> timedelta:
    """How long a wait may last where nobody says: what replication may take, and a little more."""
    return config.core_policy().latency + _BEYOND_LATENCY


def replica_url(config: Config, text: str) -> str:
    """
    The configured replica that *text* names, by its URL or its short name.

    Raises: BadInput for one that is none of ours, or for two.
    """
    urls = config.directory.replicas
    found = [url for url in urls if text == url] or [url for url in urls if text == place_name(url)]
    if len(found) != 1:
        raise BadInput(
            f"{text!r} names {'several' if found else 'none'} of this server's replicas",
            hint=f"they are {', '.join(urls)}",
        )
    return found[0]


def holds(look: ReplicaSighting, certificate: Certificate) -> bool | None:
    """True where that replica publishes its key; None where we could not look."""
    return None if look.found is None else look.publication(certificate.pin) is not None


class Spread:
    """Shows, look by look, which replicas have a certificate."""

    def __init__(
        self, server: ServerName, certificate: Certificate, live: Live | None, *, quiet: bool
    ) -> None:
        self._server = server
        self._certificate = certificate
        self._live = live
        self._quiet = quiet
        self._told: dict[str, tuple[bool | None, str]] = {}

    def see(self, view: View) -> None:
        """Show what changed since the last look."""
        states = {
            look.place: (holds(look, self._certificate), look.why) for look in view.replicas(self._server)
        }
        if self._live is not None:
            self._live.update(_table(states))
        elif not self._quiet:
            for place, state in states.items():
                if state != self._told.get(place):
                    say(f"{place_name(place)}: {_words(*state)}")
        self._told = states


@contextmanager
def spread_of(server: ServerName, certificate: Certificate, *, quiet: bool) -> Iterator[Spread]:
    """A `Spread` on this terminal; with *quiet* it shows nothing."""
    if quiet or not is_terminal():
        yield Spread(server, certificate, None, quiet=quiet)
        return
    from rich.live import Live

    with Live(console=screen(), refresh_per_second=8) as live:
        yield Spread(server, certificate, live, quiet=False)


def _table(states: Mapping[str, tuple[bool | None, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    for place, (there, why) in states.items():
        table.add_row(" ", symbol(there=there), place_name(place), _words(there, why))
    return table


def _words(there: bool | None, why: str) -> str:  # noqa: FBT001  # the first column of a table
    match there:
        case None:
            return f"could not be read: {why}"
        case True:
            return "has it"
        case False:
            return "does not have it yet"
