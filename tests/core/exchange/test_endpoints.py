"""Endpoints that show nothing, as seen from here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.facts import Connector, Role
from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import WireFailure
from tests.core.exchange.audited import audited, codes, commands, explained, phrases, routes, the, unseen
from tests.forest import (
    FROM,
    a_dead_wire,
    a_receive_connector,
    a_server,
    a_wire,
    in_memory,
    its_own,
    public,
    stored,
    with_store,
)

VERBS = ("X-ANONYMOUSTLS", "STARTTLS")
DOWN = tuple(a_dead_wire("MBX1", verb, port) for port in (25, 2525) for verb in VERBS)


def test_a_server_that_does_not_answer_may_be_well() -> None:
    found = the(12116, audited(a_server(wires=DOWN)))

    assert found.finding.severity is Severity.ERROR
    assert phrases(found) == ["proof.not-reached", "proof.stands"]
    assert found.finding.values["source"] == FROM
    assert commands(found) == [
        "Test-NetConnection mbx1.corp.example -Port 25",
        "Test-NetConnection mbx1.corp.example -Port 2525",
        "Test-ServiceHealth -Server MBX1",
    ]


def test_one_closed_port_of_two_is_a_note() -> None:
    wires = (*DOWN[2:], *a_server().wires[:2])

    audit = audited(a_server(wires=wires))

    assert codes(audit) == []
    assert unseen(audit).count("unseen.endpoint-closed") == 1


def test_an_edge_behind_a_firewall_is_as_it_should_be() -> None:
    edge = a_server("EDGE1", roles=Role.EDGE, wires=(a_dead_wire("EDGE1", "X-ANONYMOUSTLS"),))
    audit = audited(edge, a_server())

    found = the(12116, audit, "edge1")
    assert found.worst is Severity.INFORMATION
    assert commands(found)[-1] == "Test-ServiceHealth"
    assert found.steps[-1].on == "EDGE1"
    assert audit.verdict is Verdict.OK


def test_a_limit_of_our_own_says_nothing_about_the_server() -> None:
    wires = tuple(replace(one, failure=WireFailure.NO_ANSWER) for one in DOWN)

    audit = audited(a_server(wires=wires))

    assert codes(audit) == []
    assert "unseen.endpoint" in unseen(audit)


def test_a_handshake_that_does_not_finish_is_told_with_its_reason() -> None:
    wires = (a_dead_wire("MBX1", "X-ANONYMOUSTLS", failure=WireFailure.HANDSHAKE), *a_server().wires[1:])

    found = the(12116, audited(a_server(wires=wires)))

    assert found.said.phrase == "finding.no-handshake"
    assert found.finding.severity is Severity.WARNING


def test_a_missing_verb_is_a_warning_as_seen_from_here() -> None:
    found = the(12117, audited(a_server(presents=None)))

    assert found.finding.severity is Severity.WARNING
    assert found.finding.values["source"] == FROM
    assert phrases(found) == ["proof.not-offered", "proof.connector-unknown"]
    assert routes(found) == ["route.no-verb"]
    assert commands(found)[0].startswith("Get-ReceiveConnector -Server MBX1 |")


@pytest.mark.parametrize(
    ("connector", "phrase"),
    [
        (a_receive_connector(auth=frozenset({"Tls"})), "proof.connector-lacks"),
        (a_receive_connector(), "proof.connector-offers"),
        (a_receive_connector(auth=None), "proof.connector"),
    ],
)
def test_the_connector_that_our_address_chose_is_named(connector: Connector, phrase: str) -> None:
    found = the(12117, audited(a_server(presents=None), connectors=(connector,)))

    assert phrase in phrases(found)


def test_a_relay_connector_that_catches_us_explains_it() -> None:
    relay = a_receive_connector(name="Relay", remote_ranges=("10.0.0.0/24",), auth=frozenset({"Tls"}))

    found = the(12117, audited(a_server(presents=None), connectors=(a_receive_connector(), relay)))

    [said] = [one for one in found.finding.evidence if one.phrase == "proof.connector-lacks"]
    assert said.values["connector"] == "MBX1\\Relay MBX1"
    assert said.values["ranges"] == "10.0.0.0/24"


def test_starttls_that_nobody_set_up_is_for_information() -> None:
    assert the(12117, audited(a_server(starttls=None))).worst is Severity.INFORMATION


def test_starttls_that_a_connector_should_offer_is_a_warning() -> None:
    audit = audited(a_server(starttls=None), connectors=(a_receive_connector(),))

    assert the(12117, audit).worst is Severity.WARNING


def test_both_verbs_may_be_missing() -> None:
    audit = audited(a_server(presents=None, starttls=None))

    assert {one.finding.incident for one in audit.judgements} == {
        "12117/mbx1.corp.example/mbx1.corp.example:25 X-ANONYMOUSTLS",
        "12117/mbx1.corp.example/mbx1.corp.example:25 STARTTLS",
    }


def test_a_store_without_the_published_certificate_explains_a_missing_verb() -> None:
    audit = audited(with_store(a_server(presents=None), stored(public())))

    assert codes(audit) == [12013]
    assert explained(audit) == [(12117, 12013)]


def test_what_is_presented_at_one_port_is_not_missing_there() -> None:
    wires = (
        a_wire("MBX1", "X-ANONYMOUSTLS", its_own("MBX1"), 25),
        a_wire("MBX1", "X-ANONYMOUSTLS", None, 2525),
    )

    found = the(12117, audited(a_server(wires=wires)))

    assert found.finding.values["endpoint"] == "mbx1.corp.example:2525"


def test_an_edge_out_of_step_is_cured_by_a_subscription() -> None:
    edge = a_server("EDGE1", roles=Role.EDGE, presents=its_own("EDGE1", key="new"))

    found = the(2018, audited(edge, a_server()), "edge1")

    assert found.finding.cause == "edge-not-resubscribed"
    assert routes(found) == ["route.to-edge", "route.from-edge", "route.edgesync-to-edge"]
    assert [(one.event.code, one.server) for one in found.hence] == [
        (2018, "mbx1.corp.example"),
        (1036, "mbx1.corp.example"),
    ]


def test_an_edge_that_fell_back_needs_a_certificate_first() -> None:
    edge = a_server("EDGE1", roles=Role.EDGE, presents=in_memory("EDGE1"))

    found = the(2018, audited(edge, a_server()), "edge1")

    assert found.finding.cause == "edge-fell-back"
    assert "proof.as-in-memory" in phrases(found)
    assert commands(found)[0] == (
        "New-ExchangeCertificate -SubjectName 'CN=EDGE1' -DomainName EDGE1,edge1.corp.example -Services SMTP"
    )


def test_an_edge_with_an_odd_name_or_no_site_is_subscribed_all_the_same() -> None:
    edge = a_server("EDGE 1", roles=Role.EDGE, site="", presents=its_own("EDGE 1", key="new"))

    found = the(2018, audited(edge), "edge 1")

    assert commands(found)[0] == "New-EdgeSubscription -FileName 'C:\\EdgeSubscription.xml'"
    assert "-Site" not in commands(found)[1]
