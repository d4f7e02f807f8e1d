"""What to look at next: causes first, nothing twice, and commands that can be pasted."""

from __future__ import annotations

import pytest

from mailtrust.core.eventlog.known import KNOWN
from mailtrust.core.eventlog.next_steps import NextStep, next_steps
from tests.core.eventlog.test_history import event, history

THUMBPRINT = "9ad3e0b7c51f46e8a2d94c7b0f38e1652b7ca904"


def steps(*events: object) -> tuple[NextStep, ...]:
    [log] = history(*events).servers  # type: ignore[arg-type]
    return next_steps(log)


def commands(*events: object) -> list[str]:
    return [command for step in steps(*events) for command in step.commands]


def test_causes_come_before_consequences_and_looking_before_doing() -> None:
    found = steps(event(2018, "CN=edge1", "192.0.2.9"), event(12012, minute=5))

    assert [one.about for one in found][:2] == [(12012, 2018), (12012,)]
    assert found[0].commands == ("mailtrust audit exchange --server mbx1",)
    assert found[1].commands[0].startswith("Get-ExchangeCertificate")
    assert found[2].commands[0].startswith("Enable-ExchangeCertificate")


def test_what_two_events_lead_to_is_said_once() -> None:
    found = steps(
        event(12014, "m.example", "C"), event(12014, "n.example", "D"), event(12018, "m.example", "", "9")
    )

    [connectors] = [one for one in found if "Get-ReceiveConnector" in one.commands[0]]
    assert set(connectors.about) == {12014, 12018}


@pytest.mark.parametrize("number", [12013, 12015, 12017, 12024])
def test_a_thumbprint_of_the_log_is_looked_up(number: int) -> None:
    found = commands(event(number, f"\u200e{THUMBPRINT}"))

    assert any(f"-Thumbprint '{THUMBPRINT.upper()}'" in one for one in found)


@pytest.mark.parametrize("number", [12013, 12017])
def test_without_a_thumbprint_the_name_is_looked_up(number: int) -> None:
    found = commands(event(number, "not a thumbprint"))

    assert not any("-Thumbprint 'N" in one for one in found)
    assert any("-DomainName" in one for one in found)


def test_a_certificate_by_issuer_and_subject_is_no_domain_name() -> None:
    found = commands(event(12014, "<I>CN=CA<S>CN=mail.example", "C"))

    assert not any("<I>" in one for one in found)
    assert any(one.startswith("Get-ExchangeCertificate -Server mbx1 |") for one in found)


def test_guessed_passwords_are_no_matter_of_clocks() -> None:
    assert commands(event(1035, "LogonDenied", "C", "Login", "192.0.2.1")) == []
    assert "w32tm /monitor" in commands(event(1035, "LogonDenied", "C", "ExchangeAuth", "192.0.2.1"))


def test_a_service_name_that_is_none_is_not_typed() -> None:
    found = commands(event(2017, "x", "C", "ExchangeAuth", "SMTPSVC/a & calc"))

    assert "setspn -Q SMTPSVC/mbx1.corp.example" in found
    assert not any("calc" in one for one in found)
    assert commands(event(2017, "x", "C", "ExchangeAuth", "SMTPSVC/ ", computer="a & calc")) == []


def test_a_server_without_a_domain_has_one_name() -> None:
    assert (
        "New-ExchangeCertificate -Server EDGE1 -SubjectName 'CN=EDGE1' -DomainName EDGE1 -Services SMTP"
        in commands(event(12012, computer="EDGE1"))
    )


def test_a_name_that_could_break_out_is_quoted_or_left_out() -> None:
    found = commands(event(12012, computer="mbx1'; calc"))

    assert not any(one.startswith("mailtrust") for one in found)
    assert all("'mbx1''; calc'" in one for one in found)


def test_where_no_server_is_named_there_is_nothing_to_type() -> None:
    assert steps(event(12012, computer="")) == ()


def test_every_error_that_we_know_leads_somewhere() -> None:
    """But for those of which nothing on the server tells more."""
    sources = {"transport": "MSExchangeTransport", "edgesync": "MSExchange EdgeSync"}
    silent = {
        one.number
        for one in KNOWN
        if one.family.value in sources
        and not commands(event(one.number, *map(str, one.parameters), source=sources[one.family.value]))
    }

    assert silent == {1035, 2023, 3007, 11026, 12008, 12009}


def test_other_certificates_are_looked_at_too() -> None:
    assert commands(event(2012, source="MSExchange AuthAdmin"))[0].startswith("Get-AuthConfig")
    assert commands(event(2002, source="MSExchange Certificate Notification"))[0].startswith(
        "Get-ExchangeCertificate"
    )
    assert commands(event(2001, source="MSExchange ExchangeCertificate")) == []
