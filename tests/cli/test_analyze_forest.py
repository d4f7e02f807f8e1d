"""`analyze` on a real forest with nine Exchange servers, one of each condition, by an ordinary account."""

from __future__ import annotations

from typing import Any

from tests.cli.auditor import typed
from tests.cli.desk import Desk, Ran
from tests.cli.test_audit_forest import AT, NINE, corp
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import Forest

__all__ = ["corp", "forest", "forest_at_rest"]
pytestmark = needs_forest


def analyzed(desk: Desk, forest: Forest, *more: object) -> Ran:
    """As the audit is typed, with the other command in front."""
    _, _, *rest = typed(forest, *more)
    return desk.type("analyze", "--exchange", *rest)


def found(report: Any) -> set[tuple[str, str, str, str | None]]:
    return {
        (one["server"].partition(".")[0], one["rule"], one["severity"], one["cause"])
        for one in report["advice"]
    }


def test_each_condition_of_the_forest_is_told(desk: Desk, forest: Forest) -> None:
    ran = analyzed(desk, forest, "--json")

    report = ran.json
    assert ran.code == 1
    assert {(server, str(event), cause) for server, event, _, cause in NINE} <= {
        (server, rule, cause) for server, rule, _, cause in found(report)
    }
    assert report["verdict"] == "error"
    assert len([one for one in report["servers"] if one[:3] in ("mbx", "edg")]) == 9


def test_what_a_renewal_will_break_is_told(desk: Desk, forest: Forest) -> None:
    told = {(server, rule) for server, rule, _, _ in found(analyzed(desk, forest, "--json").json)}

    assert ("edge1", "A702") in told
    assert ("mbx9", "A703") in told
    assert ("mbx9", "A701") in told
    assert ("mbx9", "A705") in told


def test_the_exact_command_is_the_audits(desk: Desk, forest: Forest) -> None:
    report = analyzed(desk, forest, "--only", "12012", "--json").json

    [one] = report["advice"]
    assert one["type"][0]["where"] == "exchange"
    assert one["type"][0]["lines"][-1].endswith(AT)


def test_one_server_alone_can_be_asked_about(desk: Desk, forest: Forest) -> None:
    report = analyzed(desk, forest, "--server", "MBX7", "--json").json

    assert {one["server"] for one in report["advice"]} == {"mbx7.corp.example"}


def test_which_certificate_is_known_as_far_as_the_forest_tells(desk: Desk, forest: Forest) -> None:
    ran = analyzed(desk, forest, "--server", "MBX9", "--which", "mbx9.corp.example")

    assert ran.code == 3
    assert "Active Directory names " in ran.out
    assert "was not seen" in ran.out
