"""
Asking a server whether it would take our mail, without giving it any: MAIL, RCPT, RSET, and never DATA.

What it answers is a yes, a no, or neither: a server that is full or stopping has not decided about us.  It
is asked for two recipients.  ``postmaster`` without a domain every server takes (RFC 5321 section 4.5.1), if
it takes anything; an address elsewhere only those it trusts may send to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mailtrust.smtp.envelope import sendable
from mailtrust.smtp.reply import EnhancedCode, Reply

POSTMASTER = "postmaster"
_BUSY = frozenset({421, 451, 452})
"""It ends, failed, or has no room (RFC 5321 section 4.2.3): that is about itself."""
_AUTHENTICATION = frozenset({454, 530, 535})
"""RFC 4954 section 6, and what the hub and Postfix say to strangers."""
_POLICY = 7
"""The subject of an enhanced code that is about who may do what (RFC 3463 section 3.8)."""
_TRY_AGAIN_LATER = EnhancedCode(4, 3, 2)
"""What Postfix answers by its restriction ``defer``."""


@dataclass(frozen=True, slots=True)
class Taken:
    """It would take our mail."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """It would not: now, or for good, as the reply says."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Undecided:
    """It did not come to a decision about us."""

    why: str
    reply: Reply | None = None


Answer = Taken | TurnedAway | Undecided


class Rehearsal:
    """One envelope, taken back before its content: replies in, commands out, one at a time."""

    def __init__(self, recipients: Sequence[str]) -> None:
        # The null sender: no server has a reason to look for its domain.
        self._commands = deque(["MAIL FROM:<>"])
        self._commands += [f"RCPT TO:<{one}>" for one in recipients if sendable(one)]
        self._output: list[bytes] = []
        self._heard: list[Reply] = []
        self._resetting = False
        self._broken: Undecided | None = None
        self.finished = False
        """True once the server waits for the next message."""
        self._next()

    @property
    def answer(self) -> Answer:
        """What it said, once finished."""
        if not self._heard:
            return self._broken or Undecided("it was not asked")
        return _to_sender(self._heard[0]) or self._broken or _to_recipients(self._heard[1:])

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def answered(self, reply: Reply) -> None:
        """Go on with the answer to the last command."""
        if self._resetting:
            self.finished = True
            return
        self._heard.append(reply)
        if not self._heard[0].positive:
            self._commands.clear()
        self._next()

    def abandon(self, why: str, reply: Reply | None = None) -> None:
        """The session broke: what was not answered is not known."""
        self._output.clear()
        if not self._resetting:
            self._broken = Undecided(why, reply)

    def _next(self) -> None:
        self._resetting = not self._commands
        command = self._commands.popleft() if self._commands else "RSET"
        self._output.append(command.encode("ascii") + b"\r\n")


def _to_sender(reply: Reply) -> Answer | None:
    """What its answer to MAIL decides; None where it goes on."""
    if reply.positive:
        return None
    if reply.code in _BUSY:
        return Undecided(f"MAIL was answered {reply}", reply)
    return TurnedAway(reply)


def _to_recipients(replies: Sequence[Reply]) -> Answer:
    # First: who takes local mail from anybody still turns strangers away that want to send elsewhere.
    no = next((one for one in replies if _is_about_us(one)), None)
    yes = next((one for one in replies if one.positive), None)
    if no is not None:
        return TurnedAway(no)
    if yes is not None:
        return Taken(yes)
    last = replies[-1] if replies else None
    return Undecided(f"RCPT was answered {last}" if last else "it was asked for no recipient", last)


def _is_about_us(reply: Reply) -> bool:
    """A temporary no to whoever asks.  A permanent one is about the address: not relayed to, or unknown."""
    if not reply.temporary or reply.code in _BUSY:
        return False
    enhanced = reply.enhanced
    is_policy = enhanced is not None and (enhanced.subject == _POLICY or enhanced == _TRY_AGAIN_LATER)
    return is_policy or reply.code in _AUTHENTICATION
