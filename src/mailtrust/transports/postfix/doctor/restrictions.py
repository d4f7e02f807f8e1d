"""
What a listener's restriction lists come to, for each kind of client (postconf(5), SMTPD_ACCESS_README).

The five lists are gone through in their order, each until a restriction decides.  A permit ends its list
only; a refusal ends them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailtrust.transports.postfix.configuration import Configuration, Program, pieces

LISTS = (
    "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
    "smtpd_relay_restrictions", "smtpd_recipient_restrictions",
)  # fmt: skip
_BEFORE_TLS = LISTS[:1]
_AT_ONCE = LISTS[:3]
AT_DATA = ("smtpd_data_restrictions", "smtpd_end_of_data_restrictions")
PINNED = ("permit_tls_clientcerts",)
"""The restrictions that let in whose certificate stands in the table."""


class Outcome(StrEnum):
    """What a client is told about its recipient."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Client:
    """Who comes, and with what."""

    known: bool = False
    """Its certificate stands in the table."""
    neighbour: bool = False
    """It comes from an address in mynetworks."""
    logged_in: bool = False
    """It knows a password."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer, and the restriction that gave it; empty where none did and the mail is taken."""

    outcome: Outcome
    by: str = ""


def decide(instance: Configuration, service: Program, client: Client, *, local: bool) -> Decided:
    """What *client* is told at that listener about a recipient of a *local* domain, or of a foreign one."""
    return _by(LISTS, instance, service, client, local=local)


def decide_postmaster(instance: Configuration, service: Program, client: Client) -> Decided:
    """
    What *client* is told about a recipient ``<postmaster>`` without a domain.

    Postfix takes that one at RCPT and asks none of the five lists, but for what it asked before; what is
    left are the lists at DATA.
    """
    before = () if instance.holds(service, "smtpd_delay_reject") else _AT_ONCE
    return _by((*before, *AT_DATA), instance, service, client, local=True)


def _by(
    lists: tuple[str, ...], instance: Configuration, service: Program, client: Client, *, local: bool
) -> Decided:
    at_once = not instance.holds(service, "smtpd_delay_reject")
    let_in = ""
    for name in lists:
        # Decided at once, the first list meets a client that has not shown its certificate yet.
        seen = client if not (at_once and name in _BEFORE_TLS) else Client(neighbour=client.neighbour)
        for word, operand in words(instance.setting(service, name)):
            answer = _answer(instance, service, word, operand, seen, local=local)
            if answer is Outcome.ACCEPTED:
                let_in = word
                break
            if answer is not None:
                return Decided(answer, word)
    return Decided(Outcome.ACCEPTED, let_in)


def words(text: str) -> Iterator[tuple[str, str]]:
    """Each restriction, with what it is asked of: a table for ``check_client_access``, mostly nothing."""
    left = iter(pieces(text))
    for word in left:
        takes = word.startswith(("check_", "reject_rbl_", "reject_rhsbl_", "permit_dnswl_", "permit_rhswl_"))
        yield word, (next(left, "") if takes else "")


def mentions(instance: Configuration, service: Program, *restrictions: str) -> bool:
    """True if one of these stands in any of its lists."""
    return any(word in restrictions for name in LISTS for word, _ in words(instance.setting(service, name)))


def _answer(
    instance: Configuration, service: Program, word: str, operand: str, client: Client, *, local: bool
) -> Outcome | None:
    match word:
        case "permit":
            return Outcome.ACCEPTED
        case "permit_tls_clientcerts":
            return Outcome.ACCEPTED if client.known else None
        case "permit_mynetworks":
            near = client.neighbour and instance.setting(service, "mynetworks").strip()
            return Outcome.ACCEPTED if near else None
        case "permit_sasl_authenticated":
            may = client.logged_in and instance.holds(service, "smtpd_sasl_auth_enable")
            return Outcome.ACCEPTED if may else None
        case "permit_auth_destination":
            return Outcome.ACCEPTED if local else None
        case "reject_unauth_destination":
            return None if local else _refusal(instance, service, "relay_domains_reject_code")
        case "defer_unauth_destination":
            return None if local else Outcome.DEFERRED
        case "reject":
            return _refusal(instance, service, "reject_code")
        case "defer" | "defer_if_permit":
            return Outcome.DEFERRED
        case _ if word.startswith("check_") and operand.startswith("static:"):
            return _said(operand.removeprefix("static:").strip("{} "))
        case _:
            # What a table says, a policy daemon or the DNS, cannot be known from here.
            return None


def _refusal(instance: Configuration, service: Program, code: str) -> Outcome:
    softly = instance.holds(service, "soft_bounce") or instance.setting(service, code).startswith("4")
    return Outcome.DEFERRED if softly else Outcome.REFUSED


def _said(action: str) -> Outcome | None:
    first = action.split(None, 1)[0].upper() if action else ""
    if first in ("OK", "PERMIT") or (first.isdigit() and first.startswith("2")):
        return Outcome.ACCEPTED
    if first.startswith("DEFER") or (first.isdigit() and first.startswith("4")):
        return Outcome.DEFERRED
    if first == "REJECT" or (first.isdigit() and first.startswith("5")):
        return Outcome.REFUSED
    return None
