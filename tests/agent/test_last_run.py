"""What changed since the last run: and what only was not looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.agent.audit_report import audit_report
from mailtrust.agent.last_run import Changes, Run, changes, read_run, run_of
from mailtrust.cli.output import as_json
from mailtrust.core.exchange.facts import ExchangeServer
from mailtrust.core.exchange.judge import judge
from mailtrust.core.policy import Policy
from mailtrust.errors import BadInput
from mailtrust.texts import load
from tests.forest import (
    DC1,
    DC2,
    a_dead_wire,
    a_server,
    an_organization,
    an_unread_look,
    everywhere,
    its_own,
    nowhere_written,
)
from tests.make import NOON

DOWN = replace(DC2, why="connection refused")


def run(*servers: ExchangeServer, **rest: object) -> Run:
    audit = judge(an_organization(*servers, **rest), NOON, Policy())
    return run_of(audit_report(audit, load("en", strict=True)))


def missing(name: str = "MBX1") -> ExchangeServer:
    return a_server(name, at=everywhere(None), stamps=nowhere_written(), presents=None)


def incidents(found: Changes) -> dict[str, list[str]]:
    return {
        name: [one.incident for one in getattr(found, name)]
        for name in ("opened", "closed", "changed", "unseen")
    }


def test_what_is_new_and_what_is_gone() -> None:
    found = incidents(changes(run(missing(), a_server("MBX2")), run(a_server(), missing("MBX2"))))

    assert found == {
        "opened": ["12012/mbx2.corp.example/"],
        "closed": ["12012/mbx1.corp.example/"],
        "changed": [],
        "unseen": [],
    }


def test_another_cause_is_a_change_of_the_same_finding() -> None:
    silent = replace(missing(), written={})

    found = incidents(changes(run(missing()), run(silent)))

    assert found["changed"] == ["12012/mbx1.corp.example/"]
    assert found["opened"] == found["closed"] == []


@pytest.mark.parametrize(
    "now",
    [
        replace(a_server(), published=tuple(an_unread_look("MBX1", one) for one in (DC1, DC2))),
        a_server(wires=(a_dead_wire("MBX1", "X-ANONYMOUSTLS"),)),
        a_server("MBX2"),
    ],
    ids=["no controller answered", "it did not answer", "it is not there"],
)
def test_what_was_not_looked_at_has_not_closed(now: ExchangeServer) -> None:
    found = incidents(changes(run(missing()), run(now)))

    assert found["closed"] == []
    assert found["unseen"] == ["12012/mbx1.corp.example/"]


def test_a_controller_that_answers_again_has_closed() -> None:
    half = replace(a_server(), published=(a_server().published[0], an_unread_look("MBX1", DC2)))

    found = incidents(changes(run(half, controllers=(DC1, DOWN)), run(a_server())))

    assert found["closed"] == [f"12103/dc2.corp.example/{DC2.url}"]


def test_certificates_that_are_others_now_are_told_by_their_thumbprints() -> None:
    new = its_own("MBX1", key="new")

    found = changes(run(a_server()), run(a_server(at=everywhere(new), presents=new)))

    assert [(one.server, one.use, one.was, one.now) for one in found.certificates] == [
        ("MBX1", use, (its_own("MBX1").thumbprint[:12].upper(),), (new.thumbprint[:12].upper(),))
        for use in ("published", "X-ANONYMOUSTLS")
    ]


def test_a_certificate_that_could_not_be_seen_is_not_another_one() -> None:
    blind = replace(a_server(wires=()), published=tuple(an_unread_look("MBX1", one) for one in (DC1, DC2)))

    assert changes(run(a_server()), run(blind)).certificates == ()
    assert changes(run(blind), run(a_server())).certificates == ()


def test_a_report_is_read_back_as_it_was_written() -> None:
    audit = judge(an_organization(missing()), NOON, Policy())
    report = audit_report(audit, load("zh", strict=True))

    assert read_run(as_json(report).encode(), "last.json") == run_of(report)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"schema": "mailtrust.audit/1"}', b"[" * 9999]
)
def test_what_is_no_report_is_one_sentence(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^last\.json is no report of a former run, or it is damaged$"):
        read_run(data, "last.json")


@pytest.mark.parametrize("change", [{"schema": "mailtrust.audit/2"}, {"audited_at": "2026-06-01T12:00:00"}])
def test_a_report_of_another_kind_is_not_compared_with(change: dict[str, str]) -> None:
    report = audit_report(judge(an_organization(), NOON, Policy()), load("en")) | change

    with pytest.raises(BadInput, match="which this release does not compare with"):
        read_run(as_json(report).encode(), "last.json")


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_are_a_fault_of_ours(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_run(data, "last.json")
