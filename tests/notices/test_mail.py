"""Notices by mail, to a mail server on loopback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.config.outgoing import Mail
from mailtrust.core.model.server import Endpoint
from mailtrust.errors import NotDelivered
from mailtrust.notices.mail import send
from mailtrust.notices.notice import Notice
from tests.make import HUB1, NOON
from tests.receivers import PASSWORD, USER, Certificates, a_mail_server, a_silent_server, certificates

SOON = timedelta(seconds=5)
OPENED = Notice({
    "notice": "1f" * 16, "event": 12012, "state": "opened", "severity": "error", "at": "2026-06-01T12:00:00Z",
    "title": "目录中没有内部传输证书", "message": "副本已应答，其中没有发布证书。",
    "explanation": "从未启用。", "action": "mailtrust enable 3f9a2c71e5b0",
})  # fmt: skip
CLOSED = Notice({**OPENED.fields, "state": "closed", "action": None, "explanation": None})


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


def to(port: int, tls: str = "none", **more: object) -> Mail:
    sender = f"mailtrust@{HUB1}"
    mail = Mail(("postmaster@example.org",), sender, Endpoint("localhost", port), tls, None, "", None)
    return replace(mail, **more)  # type: ignore[arg-type]


def test_a_mail_says_what_happened_and_what_to_type() -> None:
    with a_mail_server() as server:
        answer = send(to(server.port), HUB1, [OPENED], NOON, SOON)

    [got] = server.mails
    assert answer == f"localhost:{server.port} took it for postmaster@example.org"
    assert got.to == ("postmaster@example.org",)
    assert got.message["Subject"] == f"mailtrust {HUB1}: 12012 opened: 目录中没有内部传输证书"
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert got.message["Message-ID"] == f"<{'1f' * 16}@{HUB1}>"
    assert got.message.get_content().splitlines() == [
        "12012 opened (error, 2026-06-01T12:00:00Z)", "副本已应答，其中没有发布证书。", "从未启用。",
        "    mailtrust enable 3f9a2c71e5b0",
    ]  # fmt: skip


def test_several_notices_are_one_mail() -> None:
    with a_mail_server() as server:
        send(to(server.port), HUB1, [OPENED, CLOSED, OPENED], NOON, SOON)

    [got] = server.mails
    assert got.message["Subject"] == f"mailtrust {HUB1}: 2 opened, 1 closed"
    assert got.message["X-Mailtrust-Events"] == "12012"


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_it_signs_in_over_tls(own: Certificates, tmp_path: Path, way: str) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    with a_mail_server(**{way: own.context}) as server:
        mail = to(server.port, way, ca_file=own.authority, user=USER, password_file=tmp_path / "password")
        send(mail, HUB1, [OPENED], NOON, SOON)

    [got] = server.mails
    assert (got.signed_in, got.over_tls) == (True, True)


def test_a_wrong_password_is_said_without_it_and_tried_again(own: Certificates, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wr0ng\n")
    with a_mail_server(starttls=own.context) as server:
        signing_in = {"ca_file": own.authority, "user": USER, "password_file": tmp_path / "password"}
        mail = to(server.port, "starttls", **signing_in)
        with pytest.raises(NotDelivered, match="does not know that account or password") as error:
            send(mail, HUB1, [OPENED], NOON, SOON)

    assert not error.value.is_final
    assert "wr0ng" not in error.value.message


def test_without_starttls_nothing_is_said(own: Certificates) -> None:
    """Somebody in between may have taken it away."""
    with a_mail_server() as server, pytest.raises(NotDelivered, match="does not offer STARTTLS"):
        send(to(server.port, "starttls"), HUB1, [OPENED], NOON, SOON)

    assert server.mails == []


def test_a_smarthost_whose_certificate_is_not_vouched_for_gets_nothing(own: Certificates) -> None:
    believed = pytest.raises(NotDelivered, match="its certificate is not believed")
    with a_mail_server(starttls=own.context) as server, believed:
        send(to(server.port, "starttls"), HUB1, [OPENED], NOON, SOON)

    assert server.mails == []


@pytest.mark.parametrize(("answer", "is_final"), [("451 later", False), ("554 never", True)])
def test_only_a_refusal_for_good_is_final(answer: str, is_final: bool) -> None:
    with a_mail_server() as server:
        server.answers = [answer]
        with pytest.raises(NotDelivered, match="refused the mail") as error:
            send(to(server.port), HUB1, [OPENED], NOON, SOON)

    assert error.value.is_final is is_final


def test_whom_the_smarthost_does_not_know_is_named() -> None:
    with a_mail_server() as server:
        both = to(server.port, to=("postmaster@example.org", "nobody@example.org"))
        with pytest.raises(NotDelivered, match=r"refused it for nobody@example\.org"):
            send(both, HUB1, [OPENED], NOON, SOON)
        with pytest.raises(NotDelivered, match="refused every recipient"):
            send(to(server.port, to=("nobody@example.org",)), HUB1, [OPENED], NOON, SOON)

    assert len(server.mails) == 1


def test_a_smarthost_that_says_nothing_is_not_waited_for() -> None:
    with a_silent_server() as port, pytest.raises(NotDelivered, match="the time was over"):
        send(to(port), HUB1, [OPENED], NOON, timedelta(seconds=0.2))
