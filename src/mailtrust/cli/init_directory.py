"""What `mailtrust init` does about an LDAP directory: ask it, and make this server's entry where it may."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from mailtrust.agent.site import open_site
from mailtrust.cli.output import say, warn
from mailtrust.config import Config
from mailtrust.directory.base import Prepared, Preparing
from mailtrust.errors import DirectoryUnavailable, MailtrustError, PublishRefused


@dataclass(frozen=True, slots=True)
class Asked:
    """How the directory answered."""

    replicas: tuple[tuple[str, str], ...] = ()
    """The replicas that there are, each with why it cannot be read."""
    entry: str = "unknown"
    """``made``, ``there``, ``refused`` or ``unknown``."""
    why: str = ""
    ldif: str = ""
    """What an administrator can add instead."""
    hint: str = field(default="")

    def report(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "replicas": [{"replica": url, "why": why} for url, why in self.replicas],
            "entry": self.entry, "entry_why": self.why, "ldif": self.ldif,
        }  # fmt: skip

    def tell(self) -> None:
        """As people read it."""
        for url, why in self.replicas:
            say(f"  {url}: {why or 'can be read'}", "" if not why else "magenta")
        match self.entry:
            case "made":
                say("made this server's entry in the directory", "green")
            case "there":
                say("this server's entry is in the directory")
            case _:
                warn(f"mailtrust: this server's entry could not be made: {self.why}")
        if self.hint:
            warn(f"hint: {self.hint}")
        if self.ldif:
            say("the directory's administrator can add it, with a userPassword if it is to sign in by one:")
            say(self.ldif)


def ask(config: Config) -> Asked:
    """Ask the directory of *config*, and make this server's entry if it is missing.  Never raises."""
    try:
        return asyncio.run(_ask(config))
    except MailtrustError as error:
        return Asked(why=error.message, hint=error.hint)


async def _ask(config: Config) -> Asked:
    async with open_site(config, looking_only=True) as site:
        states = await site.directory.states()
        replicas = tuple((one.url, one.why) for one in states)
        primary = site.directory.primary
        if not isinstance(primary, Preparing):
            return Asked(replicas, "there")
        try:
            done = await primary.prepare(site.server)
        except PublishRefused as error:
            return Asked(replicas, "refused", error.message, primary.ldif(site.server), error.hint)
        except DirectoryUnavailable as error:
            return Asked(replicas, "unknown", error.message, hint=error.hint)
        return Asked(replicas, "made" if done is Prepared.MADE else "there")
