"""The audit of a real forest with nine Exchange servers, one of each condition, by an ordinary account."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.auditor import audited, findings, report, the, typed
from tests.cli.desk import Desk
from tests.cli.test_audit import UNIX_ONLY, WITHOUT_UNIX
from tests.collected import a_file, written
from tests.exchange import nine
from tests.exchange.listener import exchange, listening_at
from tests.exchange.organization import Organization
from tests.loopback import free_port
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import EXCHANGE_SERVERS, READER, Forest

__all__ = ["forest", "forest_at_rest"]
pytestmark = needs_forest

AT = "-DomainController dc1.corp.example"
NINE = {
    ("mbx1", 12012, "error", "not-enabled"),
    ("mbx2", 12023, "warning", None),
    ("mbx3", 12022, "error", None),
    ("mbx4", 12107, "error", None),
    ("mbx5", 12102, "warning", None),
    ("mbx6", 12024, "warning", None),
    ("mbx7", 12014, "error", None),
    ("edge1", 2018, "error", "edge-not-resubscribed"),
    # That MBX4 publishes its key, and that setup signed it with SHA-1.
    ("mbx9", 12107, "information", None),
    ("mbx9", 12113, "information", None),
}


@pytest.fixture(autouse=True, scope="module")
def corp(forest: Forest) -> Iterator[Organization]:
    made = Organization(forest)
    asyncio.run(nine.write(made))
    with listening_at(*nine.listeners()):
        yield made


def new(server: str) -> str:
    return (
        f"New-ExchangeCertificate -Server {server} -SubjectName 'CN={server}' "
        f"-DomainName {server},{server.lower()}.corp.example -Services SMTP {AT}"
    )


def test_each_server_gives_exactly_its_event_severity_and_cause(desk: Desk, forest: Forest) -> None:
    page = report(desk, forest)

    assert findings(page) == NINE
    assert page["verdict"] == "error"
    assert page["organization"] == {
        "name": "Corp",
        "dn": EXCHANGE_SERVERS.partition(",CN=Administrative Groups,")[2],
        "forest": "corp.example",
    }
    assert page["seen_from"]["account"] == "reader@corp.example"
    assert [one["readable"] for one in page["controllers"]] == [True, True]


def test_each_server_is_given_its_exact_command(desk: Desk, forest: Forest) -> None:
    page = report(desk, forest)

    serial = nine.serial(nine.NEW)
    assert {
        (event, server): the(event, server, page)["action"]
        for server, event, _, _ in NINE
        if server != "mbx9"
    } == {
        (12012, "mbx1"): new("MBX1"),
        (12022, "mbx3"): new("MBX3"),
        (12107, "mbx4"): new("MBX4"),
        (12024, "mbx6"): new("MBX6"),
        (12023, "mbx2"): (
            "Get-ExchangeCertificate -Server MBX2 | Where-Object { $_.SerialNumber.TrimStart('0') -eq "
            f"'{serial}' }} | ForEach-Object {{ Enable-ExchangeCertificate -Server MBX2 "
            f"-Thumbprint $_.Thumbprint -Services SMTP {AT} }}"
        ),
        (12102, "mbx5"): f'repadmin /replsingleobj dc2.corp.example dc1.corp.example "{nine.MBX5.dn}"',
        (12014, "mbx7"): (
            "Set-ReceiveConnector 'MBX7\\Default Frontend MBX7' -TlsCertificateName "
            f"'<I>CN=Public CA<S>CN=mail.corp.example' {AT}"
        ),
        (2018, "edge1"): (
            "New-EdgeSubscription -FileName 'C:\\EDGE1.xml'\n"
            "New-EdgeSubscription -FileData ([System.IO.File]::ReadAllBytes('C:\\EDGE1.xml')) "
            "-Site Default-First-Site-Name\nStart-EdgeSynchronization\nTest-EdgeSynchronization"
        ),
    }


def test_a_thumbprint_stands_in_a_command_only_if_the_directory_holds_it(desk: Desk, forest: Forest) -> None:
    page = report(desk, forest)

    commands = " ".join(
        command for one in page["findings"] for step in one["steps"] for command in step["commands"]
    )
    published = {
        nine.OLD.certificate.thumbprint.upper(),
        nine.internal("MBX5").certificate.thumbprint.upper(),
    }
    typed_ones = set(re.findall(r"\b[0-9A-F]{40}\b", commands)) - {nine.serial(nine.NEW)}
    assert published <= typed_ones
    assert nine.NEW.certificate.thumbprint.upper() not in typed_ones
    assert nine.in_memory("MBX6").certificate.thumbprint.upper() not in typed_ones


def test_mail_flows_between_mailbox_servers_and_the_edge_refuses(desk: Desk, forest: Forest) -> None:
    page = report(desk, forest)

    for event, server in ((12023, "mbx2"), (12024, "mbx6")):
        found = the(event, server, page)
        assert found["suspected"]
        assert [(one["outcome"], one["event"], one["reply"]) for one in found["routes"]] == [
            ("flows", None, None),
            ("refused", 2018, "454 4.7.5"),
            ("anonymous", 1036, "530 5.7.1"),
        ]


def test_what_is_late_is_proved_by_what_the_controller_has_seen(desk: Desk, forest: Forest) -> None:
    proof = " ".join(the(12102, "mbx5", report(desk, forest))["evidence"])

    assert "has not seen that write yet: it is late, not lost" in proof
    assert "never written" in proof


def test_the_page_is_one_and_names_everybody(desk: Desk, forest: Forest) -> None:
    page = desk.folder / "audit.html"

    ran = audited(desk, forest, "--html", page)

    html = page.read_text("utf-8")
    for server in nine.SERVERS:
        assert server.name in ran.out
        assert server.name in html
    # One page, whole by itself.
    assert not re.search(r"(src|href)=.?https?:|<script", html)
    assert "Open-Sesame" not in ran.said + html


def test_the_page_says_the_same_in_chinese(desk: Desk, forest: Forest) -> None:
    english, chinese = report(desk, forest), report(desk, forest, "--lang", "zh")

    def facts(page: Any) -> list[Any]:
        return [(one["event"], one["server"], one["cause"], one["action"]) for one in page["findings"]]

    assert facts(chinese) == facts(english)
    for one in chinese["findings"]:
        said = [one["message"], *one["evidence"], *(route["says"] for route in one["routes"])]
        assert all(re.search("[\u4e00-\u9fff]", sentence) for sentence in said), said
    assert "邮件照常流转" in audited(desk, forest, "--lang", "zh").out


def test_only_the_server_that_was_asked_for_is_judged(desk: Desk, forest: Forest) -> None:
    page = report(desk, forest, "--server", "mbx9")
    nobody = desk.type(*typed(forest, "--server", "mbx77"))

    assert {one["name"] for one in page["servers"]} == {"MBX9"}
    assert {one["severity"] for one in page["findings"]} == {"information"}
    assert nobody.code == 1
    assert "no Exchange server is called 'mbx77'" in nobody.err
    assert "EDGE1, MBX1" in nobody.err


def test_verbs_that_are_taken_out_on_the_way_are_missing_as_seen_from_here(
    desk: Desk, forest: Forest
) -> None:
    masked = exchange("MBX9", {"STARTTLS": nine.public(), "X-ANONYMOUSTLS": nine.HEALTHY}, masks=True)
    with listening_at((("127.0.4.1", 25), masked)):
        page = report(desk, forest, "--server", "MBX9", "--at", "MBX9=127.0.4.1:25")

    found = [one for one in page["findings"] if one["event"] == 12117]
    assert [one["severity"] for one in found] == ["warning", "warning"]
    for one in found:
        proof = " ".join(one["evidence"])
        assert "127.0.4.1:25 answered EHLO" in proof
        assert "seen from 127.0.0.1" in proof
        # The connector that our address chose offers both, so that something stands in between.
        assert "MBX9\\Default Frontend MBX9" in proof


def test_a_server_that_nobody_reaches_is_that_and_not_without_a_certificate(
    desk: Desk, forest: Forest
) -> None:
    closed = f"MBX9=127.0.4.2:{free_port('127.0.4.2')}"

    page = report(desk, forest, "--server", "MBX9", "--at", closed)

    assert ("mbx9", 12116, "error", None) in findings(page)
    assert not {event for _, event, _, _ in findings(page)} & {12012, 12023, 12024, 12117}


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_a_controller_that_does_not_answer_is_12103_and_nothing_is_missing_there(
    desk: Desk, forest: Forest, how: str
) -> None:
    getattr(forest.dc2, how)()

    page = report(desk, forest, timeout="2s")
    forest.dc2.start() if how == "stop" else forest.dc2.thaw()

    [unread] = [one for one in page["controllers"] if not one["readable"]]
    assert unread["name"] == "dc2.corp.example"
    found = findings(page)
    assert ("dc2", 12103, "warning", None) in found
    # Whether nobody ever published for MBX1 cannot be said without dc2, and of MBX5 nothing is known there.
    assert ("mbx1", 12012, "error", None) in found
    assert found - {("dc2", 12103, "warning", None), ("mbx1", 12012, "error", None)} == NINE - {
        ("mbx1", 12012, "error", "not-enabled"),
        ("mbx5", 12102, "warning", None),
    }


def test_a_ticket_is_enough_on_a_port_without_a_certificate(
    desk: Desk, forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Windows jump host, where nothing is typed at all."""
    monkeypatch.setenv("KRB5CCNAME", str(forest.ticket(READER)))
    words = ("audit", "exchange", "--controller", "ldap://dc1.corp.example", "--bind", "kerberos", "--json")

    page = desk.must(*words).json

    assert findings(page) == NINE
    assert [one["url"] for one in page["controllers"]] == [
        "ldap://dc1.corp.example",
        "ldap://dc2.corp.example",
    ]


def test_nothing_on_its_way_through_the_forest_is_unixs_alone(desk: Desk, forest: Forest) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX.replace("{names!r}", repr(UNIX_ONLY)),
         *map(str, typed(forest, "--last", desk.folder / "last.json"))],
        cwd=desk.folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("ERROR")


def test_a_wrong_password_is_one_sentence(desk: Desk, forest: Forest) -> None:
    wrong = desk.folder / "wrong"
    wrong.write_text("Abracadabra-1")
    wrong.chmod(0o600)

    ran = desk.type(*typed(forest, "--password-file", wrong))

    assert ran.code == 1
    assert "name or password" in ran.err
    assert "Abracadabra" not in ran.said


def test_what_a_servers_own_store_tells_is_joined_with_the_forest(desk: Desk, forest: Forest) -> None:
    """The collector wrote of MBX1 that nothing in its store could be published."""
    file = desk.folder / "mbx1.json"
    file.write_bytes(written(a_file(certificates=[])))

    page = report(desk, forest, "--from", file)

    assert the(12012, "mbx1", page)["cause"] == "no-certificate"
    [mbx1] = [one for one in page["servers"] if one["name"] == "MBX1"]
    assert mbx1["installed"] == []


def test_the_next_run_tells_what_was_mended(desk: Desk, forest: Forest, corp: Organization) -> None:
    last = desk.folder / "last.json"
    audited(desk, forest, "--last", last)
    forest.dc2.resume()
    corp.replicate()

    second = report(desk, forest, "--last", last)

    assert findings(second) == NINE - {("mbx5", 12102, "warning", None)}
    assert second["changes"]["closed"] == [f"12102/mbx5.corp.example/{forest.dc2.url}"]
    assert second["changes"]["opened"] == []
