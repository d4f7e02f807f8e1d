"""Nine servers, one of each condition and one in order: the whole table, in both languages."""

from __future__ import annotations

from functools import cache

import pytest

from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.judgement import Audit, Judgement
from mailtrust.core.model.event import Severity
from mailtrust.texts import load
from tests.core.exchange.audited import audited, explained, the
from tests.forest import DOMAIN, its_own, nine_servers, public

AT = "-DomainController dc1.corp.example"
DN = (
    "CN=MBX5,CN=Servers,CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN=Corp,"
    "CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=corp,DC=example"
)


@cache
def the_audit() -> Audit:
    return audited(organization=nine_servers())


def new(server: str) -> str:
    names = f"{server},{server.lower()}.{DOMAIN}"
    return (
        f"New-ExchangeCertificate -Server {server} -SubjectName 'CN={server}' -DomainName {names} "
        f"-Services SMTP {AT}"
    )


def test_each_server_gives_exactly_its_own_finding() -> None:
    found = {
        (
            one.finding.server.partition(".")[0],
            one.finding.event.code,
            one.finding.severity,
            one.finding.cause,
        )
        for one in the_audit().judgements
    }

    error, warning, information = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
    assert found == {
        ("mbx1", 12012, error, "not-enabled"),
        ("mbx2", 12023, warning, None),
        ("mbx3", 12022, error, None),
        ("mbx4", 12107, error, None),
        ("mbx5", 12102, warning, None),
        ("mbx6", 12024, warning, None),
        ("mbx7", 12014, error, None),
        ("edge1", 2018, error, "edge-not-resubscribed"),
        ("mbx9", 12107, information, None),
    }
    assert the_audit().verdict is Verdict.ERROR


def test_what_another_finding_explains_is_not_counted() -> None:
    assert explained(the_audit()) == [(12117, 12012), (12117, 12022), (12114, 12107)]


@pytest.mark.parametrize(
    ("code", "server", "command"),
    [
        (12012, "mbx1", new("MBX1")),
        (12022, "mbx3", new("MBX3")),
        (12107, "mbx4", new("MBX4")),
        (12102, "mbx5", f'repadmin /replsingleobj dc2.corp.example dc1.corp.example "{DN}"'),
        (12024, "mbx6", new("MBX6")),
        (
            12014,
            "mbx7",
            "Set-ReceiveConnector 'MBX7\\Default Frontend MBX7' -TlsCertificateName "
            f"'<I>CN=Public CA<S>CN=mail.corp.example' {AT}",
        ),
        (
            2018,
            "edge1",
            "New-EdgeSubscription -FileName 'C:\\EDGE1.xml'\n"
            "New-EdgeSubscription -FileData ([System.IO.File]::ReadAllBytes('C:\\EDGE1.xml')) -Site HQ\n"
            "Start-EdgeSynchronization\n"
            "Test-EdgeSynchronization",
        ),
        (12107, "mbx9", None),
    ],
)
def test_each_has_its_command(code: int, server: str, command: str | None) -> None:
    assert the(code, the_audit(), server).finding.action == command


def test_a_presented_certificate_is_enabled_by_its_serial_number() -> None:
    """Its thumbprint was seen on the wire alone: it is looked up in the store, or nothing happens."""
    action = the(12023, the_audit(), "mbx2").finding.action or ""

    assert "$_.SerialNumber.TrimStart('0') -eq '" in action
    enable = "Enable-ExchangeCertificate -Server MBX2 -Thumbprint $_.Thumbprint -Services SMTP"
    assert f"ForEach-Object {{ {enable} {AT} }}" in action


def test_no_command_names_a_certificate_that_was_only_presented() -> None:
    audit = the_audit()
    published = {one.thumbprint.upper() for one in map(its_own, ("MBX2", "MBX5", "MBX6"))}
    presented = {
        leaf.thumbprint.upper()
        for server in audit.organization.servers
        for wire in server.wires
        for leaf in wire.found or ()
    } - {
        one.certificate.thumbprint.upper()
        for server in audit.organization.servers
        for look in server.published
        for one in look.found or ()
    }

    typed = "\n".join(command for one in audit.judgements for step in one.steps for command in step.commands)

    assert all(one in typed for one in published)
    assert [one for one in presented if one in typed] == []


@pytest.mark.parametrize(("code", "server"), [(12023, "mbx2"), (12024, "mbx6")])
def test_a_wrong_certificate_stops_the_edge_and_nobody_else(code: int, server: str) -> None:
    found = the(code, the_audit(), server)

    assert found.suspected
    assert found.worst is Severity.ERROR
    assert [(one.severity, one.event and one.event.code, one.reply) for one in found.routes] == [
        (Severity.INFORMATION, None, ""),
        (Severity.ERROR, 2018, "454 4.7.5"),
        (Severity.ERROR, 1036, "530 5.7.1"),
    ]
    assert [(one.event.code, one.server, one.place) for one in found.hence] == [
        (2018, "edge1.corp.example", f"{server}.corp.example"),
        (1036, "edge1.corp.example", f"{server}.corp.example"),
    ]


@pytest.mark.parametrize(
    ("language", "flows", "discards", "suspected"),
    [
        ("en", "mail still flows", "throws away its whole new list", "suspected"),
        ("zh", "邮件照常流转", "丢弃整份新的受信密钥列表", "疑似"),
    ],
)
def test_it_is_said_in_both_languages(language: str, flows: str, discards: str, suspected: str) -> None:
    texts = load(language, strict=True)

    def said(found: Judgement) -> str:
        return " ".join((texts.say(found.said), *(texts.say(route.said) for route in found.routes)))

    assert flows in said(the(12023, the_audit(), "mbx2"))
    assert flows in said(the(12024, the_audit(), "mbx6"))
    assert discards in said(the(12022, the_audit(), "mbx3"))
    assert texts.label("suspected") == suspected


def test_every_finding_that_counts_says_what_to_do() -> None:
    for one in the_audit().judgements:
        if one.worst is not Severity.INFORMATION:
            assert one.steps
            assert one.finding.evidence
            assert one.routes


def test_the_healthy_one_presents_a_public_certificate_and_is_left_alone() -> None:
    [row] = [one for one in the_audit().grid if one.server.name == "MBX9"]

    assert row.public_leaf == public()
    assert {one.worst for one in the_audit().judgements if one.finding.server.startswith("mbx9")} == {
        Severity.INFORMATION
    }
