"""Where a command about a server has to be typed, and what it has to name for that."""

from __future__ import annotations

from mailtrust.core.exchange.case import Case
from mailtrust.core.exchange.judgement import Shell, Step
from mailtrust.core.exchange.shell import Argument, cmdlet
from mailtrust.core.model.event import Said

_EXCHANGE_2007 = 8


def controller(case: Case) -> str | None:
    """
    The controller to write at: one that answered and takes writes, the nearest to the server first.

    None where none is known, and for an Edge, which has no directory but its own.
    """
    if case.server.is_edge:
        return None
    site = case.server.site.lower()
    fit = [one for one in case.organization.controllers if one.readable and not one.read_only]
    fit.sort(key=lambda one: (not site or one.site.lower() != site, not one.in_site))
    return fit[0].name if fit else None


def reading(case: Case, verb: str, **parameters: Argument) -> str:
    """A cmdlet that looks at the server."""
    return cmdlet(verb, **_server(case), **parameters)


def writing(case: Case, verb: str, *, at: str | None = None, **parameters: Argument) -> str:
    """A cmdlet that changes something of the server, written at that controller, else at the nearest."""
    return cmdlet(verb, **_server(case), **parameters, DomainController=at or controller(case))


def step(
    case: Case,
    said: Said,
    *commands: str,
    asks: Said | None = None,
    risks: tuple[Said, ...] = (),
    mends: bool = False,
) -> Step:
    """A step in the Exchange Management Shell: anywhere, or on that very server."""
    there = _is_typed_there(case)
    shell, on = (Shell.THERE, case.server.name) if there else (Shell.EXCHANGE, "")
    return Step(said, commands, shell, on, asks, risks, mends)


def _server(case: Case) -> dict[str, Argument]:
    return {} if _is_typed_there(case) else {"Server": case.server.name}


def _is_typed_there(case: Case) -> bool:
    """An Edge is in no domain, and the cmdlets of 2007 know no -Server."""
    version = case.server.version
    return case.server.is_edge or (version is not None and version.major == _EXCHANGE_2007)
