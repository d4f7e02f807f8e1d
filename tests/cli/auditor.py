"""An auditor on a jump host: types the audit of the forest, as an ordinary account of the domain."""

from __future__ import annotations

from typing import Any

from tests.cli.desk import Desk, Ran
from tests.samba.forest import READER, Forest


def typed(
    forest: Forest, *more: object, controller: str = "ldaps://dc1.corp.example", timeout: str = "5s"
) -> tuple[object, ...]:
    """The words, with a password in a file."""
    sign_in = forest.password(READER)
    return (
        *("audit", "exchange", "--controller", controller, "--ca-file", forest.ca_file),
        *("--bind", "simple", "--bind-dn", sign_in.name, "--password-file", sign_in.file),
        *("--timeout", timeout, *more),
    )


def report(desk: Desk, forest: Forest, *more: object, **rest: str) -> Any:
    """The page as JSON; it has to be made."""
    return desk.must(*typed(forest, "--json", *more, **rest)).json


def findings(report: Any) -> set[tuple[str, int, str, str | None]]:
    """Whose, which event, how bad, and why."""
    return {
        (one["server"].partition(".")[0], one["event"], one["severity"], one["cause"])
        for one in report["findings"]
    }


def the(event: int, server: str, report: Any) -> Any:
    [found] = [
        one
        for one in report["findings"]
        if (one["event"], one["server"].partition(".")[0]) == (event, server)
    ]
    return found


def audited(desk: Desk, forest: Forest, *more: object) -> Ran:
    """The page on the screen."""
    return desk.must(*typed(forest, *more))
