"""`mailtrust events test-hook`: what an administrator tries out before the night in which it matters."""

from __future__ import annotations

import pytest

from tests.cli.desk import HUB1, Desk
from tests.receivers import a_mail_server, a_web_server
from tests.shapes import reads


def test_every_way_is_tried_and_said(desk: Desk) -> None:
    got = desk.folder / "got"
    with a_web_server() as web, a_mail_server() as mail:
        desk.configure(
            more=f"""
[notify]
command = ["/bin/sh", "-c", "cat > {got}"]
webhook = "http://localhost:{web.port}/"
mail_to = ["postmaster@example.org"]
smarthost = "localhost:{mail.port}"
smarthost_tls = "none"
"""
        )
        ran = desk.must("events", "test-hook")

    lines = ran.out.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "command: delivered: exit status 0",
        "webhook: delivered: localhost answered 204",
        f"mail: delivered: localhost:{mail.port} took it for postmaster@example.org",
    ]
    [post], [mailed] = web.posts, mail.mails
    assert reads("notice", post.json)["test"] is True
    assert (post.json["event"], post.json["server"]) == (12012, HUB1)
    assert mailed.message["Subject"].startswith(f"mailtrust {HUB1}: 12012 opened: TEST: ")


def test_what_did_not_get_through_is_said_and_counts(desk: Desk) -> None:
    with a_web_server() as web:
        web.answers = ["500"]
        desk.configure(more=f'[notify]\nwebhook = "http://localhost:{web.port}/"\ncommand = ["/bin/true"]')
        ran = desk.type("events", "test-hook", "--json")

    assert ran.code == 1
    outcome = {one["way"]: one["delivered"] for one in ran.reads("events-test-hook")["ways"]}
    assert outcome == {"command": True, "webhook": False}
    assert ran.json["ways"][1]["answer"] == "localhost answered 500"


def test_a_dry_run_shows_the_notice_and_sends_nothing(desk: Desk) -> None:
    with a_web_server() as web:
        desk.configure(more=f'[notify]\nwebhook = "http://localhost:{web.port}/"')
        ran = desk.must("events", "test-hook", "--closed", "--dry-run")

    assert ran.reads("events-test-hook-would")["would"] == ["webhook"]
    assert ran.json["notice"]["state"] == "closed"
    assert web.posts == []


def test_only_one_way_can_be_tried(desk: Desk) -> None:
    desk.configure(more='[notify]\nwebhook = "http://localhost:1/"\ncommand = ["/bin/true"]')

    assert desk.must("events", "test-hook", "--way", "command").out.startswith("command: delivered")
    assert "'mail' is not set up" in desk.type("events", "test-hook", "--way", "mail").err


def test_where_nobody_is_told_it_says_how_to_set_that_up(desk: Desk) -> None:
    ran = desk.type("events", "test-hook")

    assert ran.code == 1
    assert "nobody is told anything" in ran.err


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ('webhook = "http://alerts.example.test/"', "only https, or http to this host itself"),
        ('webhook = "ftp://alerts.example.test/"', "only https, or http to this host itself"),
        ('mail_to = ["postmaster@example.org"]', "notify.mail_to is set, and notify.smarthost is not"),
        ('command = "page somebody"', "expected a list of words that start a program"),
        (
            'mail_to = ["a@example.org"]\nsmarthost = "smtp.example.org:25"\nsmarthost_tls = "none"\n'
            'smarthost_user = "a"\nsmarthost_password_file = "/etc/mailtrust/p"',
            "notify.smarthost_user would be said without TLS",
        ),
        (
            'mail_to = ["a@example.org"]\nsmarthost = "smtp.example.org:25"\nsmarthost_user = "a"',
            "belong together",
        ),
        ('mail_to = ["no address"]\nsmarthost = "smtp.example.org:25"', "a list of mail addresses"),
    ],
)
def test_what_would_not_be_safe_is_refused(desk: Desk, notify: str, said: str) -> None:
    desk.configure(more=f"[notify]\n{notify}")

    ran = desk.type("events", "test-hook")

    assert ran.code == 1
    assert said in ran.err


def test_a_secret_that_everybody_can_read_is_said(desk: Desk) -> None:
    token = desk.folder / "token"
    token.write_text("s3cret")
    token.chmod(0o644)
    desk.configure(more=f'[notify]\nwebhook = "https://localhost:1/"\nwebhook_bearer_file = "{token}"')

    ran = desk.type("events", "test-hook")

    assert f"can read or change {token}, which holds the token of the webhook" in ran.err
    assert "s3cret" not in ran.said
