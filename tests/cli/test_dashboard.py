"""`mailtrust dashboard` and `agent --web`, as processes: an address, a page, an end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mailtrust.cli
from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.shapes import reads

HUB1 = "hub1.example.test"
Start = Callable[..., "subprocess.Popen[str]"]


def page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        text: str = answer.read().decode()
    return text


def a_configuration(folder: Path, *, name: str = HUB1, web: str = "") -> Path:
    """A server that presents nowhere, with an empty store and an empty directory."""
    file = folder / f"{name.partition('.')[0]}.toml"
    file.write_text(f"""\
[server]
name = "{name}"
store = "{folder / name}"
listeners = []
[directory]
home = "sqlite://{folder}/dc1.db"
[web]
listen = "{LOOPBACK}:{free_port()}"
{web}
""")
    return file


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("dashboard: "):
            return line.split()[-1]
    raise AssertionError(process.wait())


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command; it has ended, and well, when the test has."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mailtrust", *map(str, words)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.send_signal(signal.SIGINT)
        _, errors = one.communicate(timeout=PATIENCE)
        assert (one.returncode, errors) == (0, "")


def test_it_says_its_address_and_shows_what_check_finds(tmp_path: Path, start: Start) -> None:
    address = address_of(start("--config", a_configuration(tmp_path), "dashboard"))
    shown = page(address)

    assert HUB1 in shown
    assert "12012" in shown
    assert f"mailtrust --config {tmp_path}/hub1.toml new" in shown


def test_it_writes_nothing(tmp_path: Path, start: Start) -> None:
    process = start("--config", a_configuration(tmp_path), "dashboard")
    page(address_of(process))

    assert [one.name for one in tmp_path.iterdir()] == ["hub1.toml"]


def test_its_address_can_be_read_by_a_program_and_chosen(tmp_path: Path, start: Start) -> None:
    port = free_port()
    process = start(
        "--config", a_configuration(tmp_path), "dashboard", "--listen", f"127.0.0.1:{port}", "--json"
    )  # fmt: skip
    assert process.stdout is not None

    found = reads("dashboard", json.loads(process.stdout.readline()))
    assert found == {"schema": "mailtrust.dashboard/1", "address": f"http://127.0.0.1:{port}/"}


def test_several_servers_of_one_host_are_shown_together(tmp_path: Path, start: Start) -> None:
    a_configuration(tmp_path)
    a_configuration(tmp_path, name="hub2.example.test")
    shown = page(address_of(start("dashboard", "--config-dir", tmp_path)))

    assert f"{tmp_path}/hub1.toml new" in shown
    assert "hub2.example.test" in shown


def test_the_agent_shows_it_too_and_again_after_it_read_its_configuration_anew(
    tmp_path: Path, start: Start
) -> None:
    process = start("--config", a_configuration(tmp_path), "agent", "--web")
    assert HUB1 in page(address_of(process))
    process.send_signal(signal.SIGHUP)
    assert HUB1 in page(address_of(process))


@pytest.mark.parametrize(
    ("words", "web", "sentence", "hint"),
    [
        (("dashboard", "--listen", "0.0.0.0:0"), "", "is not an endpoint", "HOST:PORT"),
        (("dashboard", "--listen", "0.0.0.0:8025"), "", "anybody there could read", "web.token_file"),
        (("agent", "--web"), 'listen = "[::]:8025"', "anybody there could read", "web.token_file"),
        (("dashboard",), 'token_file = "/nowhere/token"', "the token cannot be read", "openssl rand"),
        (("dashboard", "--token-file", "/nowhere"), "", "the token cannot be read", "openssl rand"),
        (("dashboard",), 'listen = "here"', "web.listen", "HOST:PORT"),
        (("dashboard",), 'proxies = ["all"]', "web.proxies", ""),
        (("dashboard",), 'proxy_header = "X: Y"', "web.proxy_header", ""),
        (
            ("dashboard", "--listen", "192.0.2.1:8025", "--token-file", "TOKEN"),
            "",
            "cannot listen",
            "no network card of this host has that address; choose another address: --listen",
        ),
    ],
)
def test_what_would_not_be_safe_or_cannot_be_is_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    web: str,
    sentence: str,
    hint: str,
) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    token.chmod(0o600)
    file = a_configuration(tmp_path)
    if web:
        file.write_text(file.read_text().partition("[web]")[0] + f"[web]\n{web}\n")
    code = mailtrust.cli.run(
        ["--config", str(file), *(str(token) if one == "TOKEN" else one for one in words)]
    )

    said = capsys.readouterr().err
    assert code == 1
    assert sentence in said
    assert hint in said
