"""The dashboard inside the agent: it comes back by itself, and whatever happens to it the agent goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailtrust.agent.run import Read
from mailtrust.agent.supervision import FIRST_PAUSE, sentence
from mailtrust.cli.dashboard import checked, showing
from mailtrust.cli.frame import Session
from mailtrust.cli.output import say, warn
from mailtrust.config import Config
from mailtrust.directory.pauses import pauses
from mailtrust.errors import BadConfiguration, MailtrustError


class AgentDashboard:
    """Shows the servers of the configurations that *read* gives; the first one says where, and to whom."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._reloaded = asyncio.Event()

    def check(self) -> None:
        """Raises: MailtrustError where it could not be shown as it is configured."""
        checked(self._usable()[0][1].web)

    def reload(self) -> None:
        """Read the configurations again, and begin anew; who watches comes back by itself."""
        self._reloaded.set()

    async def run(self) -> None:
        """Until cancelled."""
        waits = pauses(FIRST_PAUSE)
        while True:
            self._reloaded.clear()
            try:
                configs = self._usable()
                async with showing(configs[0][1].web, configs) as address:
                    say(f"dashboard: {address}")
                    waits = pauses(FIRST_PAUSE)
                    await self._reloaded.wait()
            except MailtrustError as error:
                warn(f"the dashboard: {sentence(error)}")
                await asyncio.sleep(next(waits).total_seconds())

    def _usable(self) -> Sequence[tuple[Session, Config]]:
        found = [(Session(file), one) for file, one in self._read().items() if isinstance(one, Config)]
        if not found:
            raise BadConfiguration(
                "there is no configuration to show", hint="`mailtrust check` says what is wrong with it"
            )
        return found
