"""Notices that are posted, to a web server on loopback."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.config.outgoing import Webhook
from mailtrust.errors import NotDelivered
from mailtrust.notices.notice import Notice
from mailtrust.notices.webhook import post
from tests.receivers import a_silent_server, a_web_server, certificates

SOON = timedelta(seconds=5)
NOTICE = Notice({"notice": "1f" * 16, "event": 12012, "message": "目录中没有证书", "place": None})


def hook(url: str, **files: Path) -> Webhook:
    return Webhook(url, *(files.get(name) for name in ("bearer", "hmac", "ca")))


def test_a_notice_is_posted_as_it_is() -> None:
    with a_web_server() as server:
        answer = post(hook(f"http://localhost:{server.port}/hook?team=mail"), NOTICE, SOON)

    [got] = server.posts
    assert answer == "localhost answered 204"
    assert (got.path, got.json) == ("/hook?team=mail", dict(NOTICE.fields))
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-Mailtrust-Notice"] == "1f" * 16


def test_it_says_who_it_is_by_a_token_and_a_signature(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "key").write_text("k3y\nanother line\n")
    with a_web_server() as server:
        url = f"http://localhost:{server.port}/"
        post(hook(url, bearer=tmp_path / "token", hmac=tmp_path / "key"), NOTICE, SOON)

    [got] = server.posts
    signed = hmac.digest(b"k3y", got.body, hashlib.sha256).hex()
    assert got.headers["Authorization"] == "Bearer s3cret"
    assert got.headers["X-Mailtrust-Signature"] == f"sha256={signed}"


def test_by_https_its_certificate_is_looked_at(tmp_path: Path) -> None:
    own = certificates(tmp_path)
    with a_web_server(own.context) as server:
        url = f"https://localhost:{server.port}/"
        answer = post(hook(url, ca=own.authority), NOTICE, SOON)
        with pytest.raises(NotDelivered, match="its certificate is not believed") as refused:
            post(hook(url), NOTICE, SOON)

    assert answer == "localhost answered 204"
    assert len(server.posts) == 1
    assert not refused.value.is_final


@pytest.mark.parametrize(
    ("status", "is_final"), [("500", False), ("429", False), ("408", False), ("404", True), ("302", True)]
)
def test_only_an_answer_that_stays_the_same_is_final(status: str, is_final: bool) -> None:
    """A redirection is not followed: the notice is for that address alone."""
    with a_web_server() as server:
        server.answers = [status]
        with pytest.raises(NotDelivered, match=f"answered {status}") as error:
            post(hook(f"http://localhost:{server.port}/s3cret"), NOTICE, SOON)

    assert error.value.is_final is is_final
    assert len(server.posts) == 1
    assert "s3cret" not in error.value.message


def test_who_says_nothing_is_not_waited_for() -> None:
    with a_silent_server() as port, pytest.raises(NotDelivered, match="the time was over") as error:
        post(hook(f"http://127.0.0.1:{port}/"), NOTICE, timedelta(seconds=0.2))

    assert not error.value.is_final


def test_a_token_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with a_web_server() as server, pytest.raises(NotDelivered, match="cannot be read"):
        post(hook(f"http://localhost:{server.port}/", bearer=tmp_path / "none"), NOTICE, SOON)

    assert server.posts == []
