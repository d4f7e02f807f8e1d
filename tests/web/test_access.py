"""Who may read the dashboard, and what the answer to everybody else is."""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from mailtrust.config import Web, parse
from mailtrust.core.model.server import Endpoint, endpoint
from mailtrust.errors import BadConfiguration, MailtrustError, Refused, TransportUnavailable
from mailtrust.web.security import HEADERS, Access
from mailtrust.web.serve import access_of, serving
from tests.loopback import LOOPBACK
from tests.web.conftest import Show
from tests.web.scene import EVERY, Scene, Up, a_missing, source_files

TOKEN = "0123456789abcdef0123456789abcdef"


def web(**changes: object) -> Web:
    given = parse('[server]\nname = "hub1.example.test"\n', Path("/srv/it.toml")).web
    return replace(given, **changes)  # type: ignore[arg-type]


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'anybody:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    "path", ["/", "/events/12012", "/static/live.js", "/nowhere", "/servers/hub9.example.test"]
)
def test_every_answer_is_guarded(dashboard: Up, path: str) -> None:
    answer = dashboard.ask(path)

    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(dashboard: Up, method: str) -> None:
    answer = dashboard.ask("/", method)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_whoever_asks_for_the_head_gets_it_alone(dashboard: Up) -> None:
    for path in ("/", "/live", "/static/live.js"):
        answer = dashboard.ask(path, "HEAD")
        assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:12012", "127.0.0.1.evil.example", "", "localhost:x"]
)
def test_a_name_that_is_not_ours_is_refused(dashboard: Up, host: str) -> None:
    """DNS rebinding: somebody else's page gives its own name our address, and would read ours."""
    assert dashboard.ask("/", Host=host).status == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8025", "127.0.0.1:1", "[::1]:12012", "mail.example.test."]
)
def test_ours_are_answered_whatever_the_port(show: Show, host: str) -> None:
    """A tunnel through SSH has another one."""
    up = show(access=Access(frozenset({"mail.example.test"})))

    assert up.ask("/", Host=host).status == 200


def test_a_page_of_another_site_cannot_read_and_a_link_from_it_can_be_followed(dashboard: Up) -> None:
    assert dashboard.ask("/live", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors").status == 403
    assert dashboard.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


def test_the_token_is_asked_for_everywhere(show: Show) -> None:
    up = show(access=Access(token=TOKEN))

    for path in ("/", "/live", "/static/live.js", "/nowhere"):
        answer = up.ask(path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert "mailtrust.css" not in answer.text


@pytest.mark.parametrize(
    "shown", [basic("wrong"), "Bearer wrong", "Basic %%%", "Basic", "Digest x", basic("")]
)
def test_a_wrong_token_opens_nothing(show: Show, shown: str) -> None:
    assert show(access=Access(token=TOKEN)).ask("/", Authorization=shown).status == 401


@pytest.mark.parametrize("shown", [basic(TOKEN), f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_the_token_opens(show: Show, shown: str) -> None:
    answer = show(access=Access(token=TOKEN)).ask("/", Authorization=shown)

    assert answer.status == 200
    assert TOKEN not in answer.text


def test_a_reverse_proxy_says_who_asks(show: Show) -> None:
    up = show(access=Access(proxy_header="X-Remote-User", proxies=frozenset({LOOPBACK})))

    assert up.ask("/", X_Remote_User="alice").status == 200
    assert up.ask("/", X_Remote_User=" ").status == 403
    assert up.ask("/").status == 403


def test_the_header_is_believed_from_the_proxy_alone(show: Show) -> None:
    up = show(access=Access(proxy_header="X-Remote-User", proxies=frozenset({"192.0.2.7"})))

    assert up.ask("/", X_Remote_User="alice").status == 403


def test_a_proxy_that_nobody_configured_opens_nothing(dashboard: Up) -> None:
    """Else one on this machine would show to the world what is for this machine."""
    assert dashboard.ask("/", X_Forwarded_For="192.0.2.7").status == 403


def test_what_is_too_long_or_no_http_is_answered_in_a_sentence(dashboard: Up) -> None:
    assert dashboard.ask(f"/?q={'x' * 3000}").status == 414
    with socket.create_connection((LOOPBACK, dashboard.port), 10) as one:
        one.sendall(b"\x16\x03\x01\x02\x00 this is TLS, or worse\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 400")
    assert dashboard.ask("/").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/servers/%00",
        "/servers/%ff",
        "/servers/..%2f..%2fetc",
        "/events/99999999999999999999",
        "/events/-1",
        "/events/abc",
        "/servers/%3Cscript%3E",
    ],
)
def test_what_is_not_there_is_not_found(dashboard: Up, path: str) -> None:
    answer = dashboard.ask(path)

    assert answer.status == 404
    assert "<script>" not in answer.text.replace('<script src="/static/live.js" defer></script>', "")


def test_what_comes_from_outside_is_escaped(show: Show) -> None:
    scene = Scene()
    scene.show(a_missing("hub1.example.test"))
    answer = show(scene).ask('/?q="><script>alert(1)</script>&sort=<b>&state=<i>&lang=<u>')

    assert answer.status == 200
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text


def test_our_pages_load_nothing_from_elsewhere_and_hold_no_script_or_style() -> None:
    """The browser would refuse it; and an address of somebody else's would tell them who reads."""
    for file in source_files():
        text = file.read_text("utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), file
        if file.suffix == ".j2":
            assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?! src=)|javascript:", text), file


def test_anybody_may_read_on_loopback_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)

    assert access_of(web()).names == {"127.0.0.1"}
    assert access_of(web(listen=endpoint("0.0.0.0:80"), token_file=file)).token == TOKEN
    assert "192.0.2.1" in access_of(web(listen=endpoint("192.0.2.1:80"), proxy_header="X-User")).names
    with pytest.raises(BadConfiguration, match="anybody there could read"):
        access_of(web(listen=endpoint("0.0.0.0:80")))


@pytest.mark.parametrize(
    ("text", "mode", "kind"),
    [
        (TOKEN, 0o604, Refused),
        ("short", 0o600, Refused),
        ("", 0o600, Refused),
        ("é" * 40, 0o600, BadConfiguration),
    ],
)
def test_a_token_that_others_know_or_guess_is_refused(
    tmp_path: Path, text: str, mode: int, kind: type[MailtrustError]
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(kind) as refused:
        access_of(web(token_file=file))
    assert refused.value.hint
    assert TOKEN not in str(refused.value)


def test_a_token_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as refused:
        access_of(web(token_file=tmp_path / "none"))
    assert "openssl rand" in refused.value.hint


async def test_a_port_that_is_taken_is_a_sentence_or_another_one(dashboard: Up) -> None:
    taken = Endpoint(LOOPBACK, dashboard.port)

    with pytest.raises(TransportUnavailable, match="cannot listen") as refused:
        async with serving(Scene(), taken, Access(), every=EVERY):
            pass
    assert refused.value.hint.startswith("another one may be running there")
    async with serving(Scene(), taken, Access(), every=EVERY, or_any_port=True) as up:
        assert str(dashboard.port) not in up.address


def test_a_token_is_not_written_out() -> None:
    assert TOKEN not in repr(Access(token=TOKEN))
