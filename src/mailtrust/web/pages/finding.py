"""A finding in words: what, why, what proves it, what was ruled out, and the very line to type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mailtrust.core.model.event import Finding, Severity
from mailtrust.web.asked import Asked

# Of `explain` and `lab` there is no other on another server.
_COMMAND = re.compile(r"`(mailtrust (?!explain|lab)[a-z][^`]*)`")


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, in the reader's language."""

    finding: Finding
    title: str
    message: str
    cause: str
    """What its cause means; empty where it has none."""
    evidence: tuple[str, ...]
    ruled_out: tuple[tuple[str, str], ...]
    command: str | None
    """To paste as it is."""
    where: str
    """The server on which to type it; empty for the machine that the dashboard runs on."""
    steps: tuple[str, ...]
    """What to do where no one line does it."""
    hence: tuple[Finding, ...] = ()
    """What it explains."""

    @property
    def severity(self) -> Severity:
        """How bad it is here."""
        return self.finding.severity

    @property
    def since(self) -> datetime | None:
        """Since when it holds."""
        return self.finding.since

    @property
    def until(self) -> datetime | None:
        """When it ends by itself, or becomes worse."""
        return self.finding.until


def told(asked: Asked, finding: Finding) -> Told:
    """That finding, with its command as it has to be typed."""
    texts, corner = asked.texts, asked.present.corners[finding.server]
    page = texts.page(finding.event.code)
    return Told(
        finding,
        page.title,
        texts.message(finding),
        _COMMAND.sub(lambda found: f"`{corner.typed(found[1])}`", texts.cause(finding)),
        tuple(texts.say(said) for said in finding.evidence),
        tuple((one.cause, texts.say(one.why)) for one in finding.ruled_out),
        corner.typed(finding.action) if finding.action else None,
        corner.where,
        () if finding.action else texts.user_action(finding),
        tuple(one.finding for one in corner.seen.diagnosis.silenced if one.explained_by is finding),
    )
