"""
Where stories are played: a narrator, and a hand that types.

A story types the very commands that its reader would, with their real output, and does what `check` says
is to be done.  It fails as soon as what it was told does not hold.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from mailtrust.agent.look import OWN, Scope, assess
from mailtrust.agent.site import open_site
from mailtrust.core.model.event import Finding
from mailtrust.errors import MailtrustError
from mailtrust.lab.member import Member
from mailtrust.lab.organization import Organization

Say = Callable[[str], None]
Pause = Callable[[], Awaitable[None]]
"""Gives whoever reads along elsewhere the time to do so."""

QUIET = frozenset({12108})
"""What may remain after everything is mended: a lab has no standing successors."""
_TAKES_EFFECT_WITHIN = timedelta(seconds=30)
_LAGS_TO_SPREAD = 2
"""A replica that came back takes in one neighbour's news after the other's."""
_COMMAND_TIMEOUT_SECONDS = 120
_ASK_AGAIN_SECONDS = 0.2


class StoryFailed(MailtrustError):
    """A story did not come out as it was told: that is a fault in mailtrust."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command, as it ended."""

    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class Stage:
    """An organization, and somebody who watches."""

    organization: Organization
    say: Say
    columns: int | None = None
    """How wide their terminal is: what is typed here wraps as it would there."""
    pause: Pause | None = None
    """Awaited when something is wrong and was shown, before it is mended."""

    def tell(self, text: str) -> None:
        """A sentence of the narrator."""
        self.say(f"\n── {text}")

    async def run(self, member: Member, *arguments: str, shown: bool = True) -> Ran:
        """Type one command at that server; *shown* with its output.  The exit code is not judged."""
        typed = ["mailtrust", "--config", member.config_name, *arguments]
        if shown:
            self.say(f"$ {shlex.join(typed)}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailtrust", *typed[1:],
            cwd=self.organization.folder,
            env=dict(os.environ) | ({"COLUMNS": str(self.columns)} if self.columns else {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT_SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode(errors="replace")
        if shown:
            self.say(text.rstrip())
        return Ran(process.returncode or 0, text)

    async def must(self, member: Member, *arguments: str, shown: bool = True) -> Ran:
        """The same for a command that has to succeed."""
        ran = await self.run(member, *arguments, shown=shown)
        if ran.exit_code != 0:
            raise StoryFailed(
                f"`mailtrust {shlex.join(arguments)}` ended with {ran.exit_code}: {ran.output.strip()}"
            )
        return ran

    async def findings(self, member: Member, scope: Scope = OWN) -> tuple[Finding, ...]:
        """What `check` would find now, errors first; without a process of its own, for it is asked often."""
        async with open_site(member.site.config) as site:
            return (await assess(site, scope)).diagnosis.findings

    async def renew(self, member: Member, *options: str) -> None:
        """Make a certificate at that server, and enable it by the command that `check` then names."""
        await self.must(member, "new", shown=False)
        found = await self.findings(member)
        command = next(one.action for one in found if one.cause == "not-enabled" and one.action)
        await self.must(member, *self._arguments(command), *options)

    async def expect(
        self,
        member: Member,
        event: int,
        cause: str | None = None,
        *,
        within: timedelta = timedelta(seconds=30),
        everybody: bool = False,
    ) -> None:
        """Wait until `check` finds *event*, then show what it says of it."""

        async def found() -> bool:
            findings = await self.findings(member, Scope(everybody))
            return any(one.event.code == event and one.cause == cause for one in findings)

        await self.until(found, within, f"{event} {cause or ''} at {member.name}".replace("  ", " "))
        await self.run(member, "check", *(("--all",) if everybody else ()))
        if self.pause is not None:
            await self.pause()

    async def gone(self, member: Member, event: int, *, within: timedelta = timedelta(seconds=30)) -> None:
        """Wait until `check` no longer finds *event*."""

        async def is_gone() -> bool:
            return all(one.event.code != event for one in await self.findings(member))

        await self.until(is_gone, within, f"the end of {event} at {member.name}")

    async def mend(self, member: Member) -> None:
        """Do what `check` names, wait for what comes of it, and go on until nothing is left to do."""
        done = set[tuple[int, str]]()
        to_do: list[tuple[int, str]] = []

        async def is_clear() -> bool:
            open_findings = [one for one in await self.findings(member) if one.event.code not in QUIET]
            steps = [(one.event.code, one.action) for one in open_findings if one.action]
            # What was done may be on its way to the other replicas: doing it again would not speed it up.
            to_do[:] = [step for step in steps if step not in done]
            return bool(to_do) or not open_findings

        while True:
            await self.until(is_clear, _TAKES_EFFECT_WITHIN, f"what to type next at {member.name}")
            if not to_do:
                break
            done.add(to_do[0])
            await self.must(member, *self._arguments(to_do[0][1]))
        await self.must(member, "check")

    async def clean(self, member: Member, *, within: timedelta = timedelta(seconds=20)) -> None:
        """Wait until `check` is quiet, and show it."""

        async def quiet() -> bool:
            return {one.event.code for one in await self.findings(member)} <= QUIET

        await self.until(quiet, within, f"quiet at {member.name}")
        await self.must(member, "check")

    async def until(self, question: Callable[[], Awaitable[bool]], within: timedelta, what: str) -> None:
        """
        Ask again and again until the answer is yes, *within* that and what replication takes.

        Raises: StoryFailed.
        """
        within += self.organization.lag * _LAGS_TO_SPREAD
        try:
            async with asyncio.timeout(within.total_seconds()):
                # The answer comes from other processes: there is no event to wait for.
                while not await question():  # noqa: ASYNC110
                    await asyncio.sleep(_ASK_AGAIN_SECONDS)
        except TimeoutError as error:
            raise StoryFailed(f"waited {within.total_seconds():.0f} s in vain for {what}") from error

    @staticmethod
    def _arguments(command: str) -> list[str]:
        words = shlex.split(command)
        changing = words[1] in ("enable", "withdraw", "fix", "remove")
        return [*words[1:], "--yes"] if changing else words[1:]
