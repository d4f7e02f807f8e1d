"""`audit`: what is typed, what is written, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from mailtrust.agent.audit import Controllers
from mailtrust.cli.audit_aim import Asked, aim_of
from mailtrust.cli.frame import Session, UsageError
from mailtrust.config import Directory
from mailtrust.core.model.server import Endpoint
from mailtrust.errors import BadInput
from tests.cli.desk import Desk
from tests.collected import a_certificate, a_file, written
from tests.powershell import faults

UNIX_ONLY = ("fcntl", "pwd", "grp", "resource", "termios", "uvloop")


@pytest.fixture
def file(desk: Desk) -> Path:
    path = desk.folder / "mbx1.json"
    path.write_bytes(written(a_file()))
    return path


def asked(**parts: Any) -> Asked:
    """A command line with nothing in it but *parts*."""
    nothing = {
        "controllers": (), "replicas": "in-site", "servers": (), "at": (), "timeout": "10s", "ca_file": None,
        "bind": "", "bind_dn": "", "password_file": None, "client_certificate": None,
    }  # fmt: skip
    return Asked(**{**nothing, **parts})


def context() -> typer.Context:
    return typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))


def test_a_collected_file_alone_makes_the_page_of_its_server(desk: Desk, file: Path) -> None:
    ran = desk.must("audit", "exchange", "--from", file)

    assert ran.out.splitlines()[0] == "ERROR - error 1, warning 0, info 0"
    assert "12012  mbx1.corp.example  InternalTransportCertificateMissingInAD" in ran.out
    said = " ".join(ran.out.split())
    assert "its own event log has 12012 (1 x, the last at 2026-05-31 23:00:00Z)" in said
    assert "Enable-ExchangeCertificate -Server MBX1 -Thumbprint '" in said
    assert "Active Directory: only what was collected on the servers themselves is judged here" in said


def test_a_store_without_a_certificate_is_told_apart(desk: Desk) -> None:
    path = desk.folder / "mbx1.json"
    path.write_bytes(written(a_file(certificates=[])))

    report = desk.must("audit", "exchange", "--from", path, "--json").reads("audit")
    finding, _ = report["findings"]

    assert (finding["event"], finding["cause"]) == (12012, "no-certificate")
    assert finding["action"].startswith("New-ExchangeCertificate -Server MBX1 ")


def test_its_json_has_the_shape_that_was_promised(desk: Desk, file: Path) -> None:
    report = desk.must("audit", "exchange", "--from", file, "--json").json

    assert report["schema"] == "mailtrust.audit/1"
    assert report["verdict"] == "error"
    [finding] = report["findings"]
    assert {"event", "severity", "worst", "server", "cause", "message", "evidence", "action", "steps"} <= (
        finding.keys()
    )
    assert {"says", "commands", "asks", "may_break", "mends"} <= finding["steps"][0].keys()
    assert report["servers"][0]["installed"] == list(report["certificates"])
    assert report["changes"] is None


def test_the_page_speaks_the_language_that_was_asked_for(desk: Desk, file: Path) -> None:
    said = desk.must("audit", "exchange", "--from", file, "--lang", "zh").out

    assert "没有为 MBX1 发布内部传输证书" in "".join(said.split("\n"))


def test_the_page_for_a_browser_is_written_beside_the_one_on_the_screen(desk: Desk, file: Path) -> None:
    page = desk.folder / "audit.html"

    ran = desk.must("audit", "exchange", "--from", file, "--html", page)

    assert ran.out.startswith("ERROR")
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_the_page_alone_goes_to_standard_output_where_that_is_asked_for(desk: Desk, file: Path) -> None:
    ran = desk.must("audit", "exchange", "--from", file, "--html", "-")
    both = desk.type("audit", "exchange", "--from", file, "--html", "-", "--json")

    assert ran.out.startswith("<!DOCTYPE html>")
    assert ran.out.rstrip().endswith("</html>")
    assert not (desk.folder / "-").exists()
    assert (both.code, "would write to the same place" in both.said) == (2, True)


@pytest.mark.parametrize("option", ["--html", "--last"])
def test_a_file_that_cannot_be_written_costs_that_file_and_not_the_page(
    desk: Desk, file: Path, option: str
) -> None:
    ran = desk.type("audit", "exchange", "--from", file, option, desk.folder / "none" / "audit")

    assert ran.code == 1
    assert ran.out.startswith("ERROR")
    assert "cannot be written" in ran.err


def test_the_second_run_tells_what_changed_since_the_first(desk: Desk, file: Path) -> None:
    last = desk.folder / "last.json"
    first = desk.must("audit", "exchange", "--from", file, "--last", last).out
    file.write_bytes(written(a_file(certificates=[])))

    second = desk.must("audit", "exchange", "--from", file, "--last", last).out

    assert "Since the run of" not in first
    assert "changed: 12012 mbx1.corp.example" in second
    assert json.loads(last.read_text("utf-8"))["findings"][0]["cause"] == "no-certificate"


def test_a_damaged_last_run_is_left_as_it_is(desk: Desk, file: Path) -> None:
    last = desk.folder / "last.json"
    last.write_bytes(b"half a rep")

    ran = desk.must("audit", "exchange", "--from", file, "--last", last)

    assert "is no report of a former run, or it is damaged; it was left as it is" in ran.err
    assert last.read_bytes() == b"half a rep"


@pytest.mark.parametrize("data", [b"", b"{}", b"\x30\x82\x01\x00", written(a_file())[:99]])
def test_a_damaged_collected_file_is_one_sentence(desk: Desk, data: bytes) -> None:
    path = desk.folder / "mbx1.json"
    path.write_bytes(data)

    ran = desk.type("audit", "exchange", "--from", path)

    assert ran.code == 1
    assert "is not what the collector wrote, or it is damaged" in ran.err
    assert "Traceback" not in ran.said


def test_without_a_controller_it_says_what_to_type(desk: Desk) -> None:
    """The desk's directory is embedded: there is no domain controller in it."""
    ran = desk.type("audit", "exchange")

    assert ran.code == 1
    assert "it is not known where a domain controller is" in ran.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--at", "MBX1"], "--at 'MBX1' is not NAME=HOST:PORT"),
        (["--at", "=dc1:25"], "is not NAME=HOST:PORT"),
        (["--bind", "simple"], "--bind simple needs --bind-dn as well"),
        (["--bind", "simple", "--bind-dn", "cn=x"], "needs --password-file as well"),
        (["--bind", "external"], "needs --client-certificate as well"),
        (["--bind", "magic"], "--bind"),
        (["--wat"], "--wat"),
    ],
)
def test_wrong_syntax_exits_2(desk: Desk, words: list[str], sentence: str) -> None:
    ran = desk.type("audit", "exchange", "--controller", "dc1.corp.example", *words)

    assert ran.code == 2
    assert sentence in ran.err


@pytest.mark.parametrize(
    "words",
    [["--at", "MBX1=nowhere"], ["--timeout", "soon"], ["--controller", "https://dc1"], ["--lang", "de"]],
)
def test_a_value_that_cannot_be_meant_is_bad_input(desk: Desk, words: list[str]) -> None:
    ran = desk.type("audit", "exchange", "--controller", "dc1.corp.example", *words)

    assert ran.code == 1
    assert ran.err.startswith("mailtrust: ")


def test_what_was_typed_is_what_is_looked_at() -> None:
    aim = aim_of(
        asked(
            controllers=("dc1.corp.example", "ldap://dc2.corp.example"),
            replicas="dc1, dc3",
            servers=("MBX1",),
            at=("MBX1=127.0.0.1:2525", "mbx1=127.0.0.1:2526"),
            timeout="3s",
            bind="simple",
            bind_dn="cn=x",
            password_file=Path("/p"),
        ),
        Session(),
        context(),
    )

    assert aim.directory.replicas == ("ldaps://dc1.corp.example", "ldap://dc2.corp.example")
    assert (aim.directory.bind, aim.directory.bind_dn) == ("simple", "cn=x")
    assert (aim.controllers, aim.listed) == (Controllers.LISTED, ("dc1", "dc3"))
    assert aim.at == {"mbx1": (Endpoint("127.0.0.1", 2525), Endpoint("127.0.0.1", 2526))}
    assert aim.timeout.total_seconds() == 3


@pytest.mark.parametrize(
    ("parts", "bind"),
    [
        ({}, "kerberos"),
        ({"bind_dn": "cn=x", "password_file": Path("/p")}, "simple"),
        ({"client_certificate": Path("/c")}, "external"),
        ({"bind": "kerberos", "client_certificate": Path("/c")}, "kerberos"),
    ],
)
def test_how_we_say_who_we_are_follows_from_what_was_typed(parts: dict[str, Any], bind: str) -> None:
    """Nobody reads Active Directory without an account."""
    aim = aim_of(asked(controllers=("dc1.corp.example",), **parts), Session(), context())

    assert aim.directory.bind == bind


def test_windows_names_the_controller_that_logged_us_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAILTRUST_CONFIG", raising=False)
    monkeypatch.setenv("LOGONSERVER", "\\\\DC1")
    monkeypatch.setenv("USERDNSDOMAIN", "CORP.EXAMPLE")

    aim = aim_of(asked(replicas="all"), Session(), context())

    assert (aim.directory.home, aim.directory.bind) == ("ldap://dc1.corp.example", "kerberos")
    assert aim.controllers is Controllers.ALL


def test_a_configuration_with_ldap_is_used_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "mailtrust.toml"
    config.write_text(
        '[server]\nname = "jump.corp.example"\n'
        '[directory]\nhome = "ldaps://dc1.corp.example"\nbase = "dc=corp,dc=example"\n',
        "utf-8",
    )

    aim = aim_of(asked(), Session(config), context())

    assert (aim.directory.home, aim.directory.base) == ("ldaps://dc1.corp.example", "dc=corp,dc=example")


def test_what_was_typed_goes_before_the_configuration(tmp_path: Path) -> None:
    """Its account and its authority serve for the controllers that were typed, where none was typed."""
    config = tmp_path / "mailtrust.toml"
    (tmp_path / "ca.pem").touch()
    (tmp_path / "password").touch(0o600)
    config.write_text(
        '[server]\nname = "jump.corp.example"\n'
        '[directory]\nhome = "ldaps://dc1.corp.example"\nbase = "dc=corp,dc=example"\nbind = "simple"\n'
        'bind_dn = "cn=audit"\n'
        f'ca_file = "{tmp_path / "ca.pem"}"\npassword_file = "{tmp_path / "password"}"\n',
        "utf-8",
    )

    def aim(**parts: Any) -> Directory:
        return aim_of(asked(**parts), Session(config), context()).directory

    controller = aim(controllers=("dc2.corp.example",))
    account = aim(bind_dn="cn=other", password_file=Path("/p"))
    authority = aim(ca_file=Path("/ca"))

    assert controller.replicas == ("ldaps://dc2.corp.example",)
    assert (controller.bind_dn, controller.ca_file) == ("cn=audit", tmp_path / "ca.pem")
    assert account.replicas == ("ldaps://dc1.corp.example",)
    assert (account.bind_dn, account.password_file) == ("cn=other", Path("/p"))
    assert account.ca_file == tmp_path / "ca.pem"
    assert (authority.bind_dn, authority.ca_file) == ("cn=audit", Path("/ca"))


def test_nothing_to_go_by_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MAILTRUST_CONFIG", "LOGONSERVER"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(BadInput, match="where a domain controller is"):
        aim_of(asked(), Session(), context())
    with pytest.raises(UsageError, match="client-certificate"):
        aim_of(asked(bind="external"), Session(), context())


def test_the_collector_is_printed_whole_and_written_whole(desk: Desk) -> None:
    path = desk.folder / "collect.ps1"

    printed = desk.must("audit", "collector").out
    told = desk.must("audit", "collector", "--output", path).out
    report = desk.must("audit", "collector", "--json").json

    assert path.read_text("utf-8").rstrip() == printed.rstrip()
    assert faults(printed) == []
    assert ".\\collect.ps1 -Output C:\\collected.json" in told
    assert report["schema"] == "mailtrust.collector/1"
    assert report["script"].rstrip() == printed.rstrip()


WITHOUT_UNIX = """
import os, sys

class Windows:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Windows())
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "fchmod", "getuid", "geteuid"):
    delattr(os, name)
import mailtrust.cli
sys.exit(mailtrust.cli.run(sys.argv[1:]))
"""


def test_nothing_on_its_way_is_unixs_alone(desk: Desk, file: Path) -> None:
    """The audit runs on a Windows jump host: modules and flags that are not there are not used."""
    files = ("--html", str(desk.folder / "a.html"), "--last", str(desk.folder / "last.json"))
    typed = ("audit", "exchange", "--from", str(file), *files)

    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX.replace("{names!r}", repr(UNIX_ONLY)), *typed],
        cwd=desk.folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("ERROR")
    assert (desk.folder / "a.html").stat().st_size > 1000
    assert (desk.folder / "last.json").stat().st_size > 1000


def test_a_key_that_the_transport_may_not_read_is_found(desk: Desk) -> None:
    path = desk.folder / "mbx1.json"
    held = a_certificate(readers=["S-1-5-18"])
    path.write_bytes(written(a_file(certificates=[held])))
    [thumbprint] = [
        one["thumbprint"].upper()
        for one in desk.must("audit", "exchange", "--from", path, "--json").json["certificates"].values()
    ]
    path.write_bytes(written(a_file(certificates=[held], internalThumbprint=thumbprint)))

    [finding] = desk.must("audit", "exchange", "--from", path, "--json").json["findings"]

    assert finding["event"] == 12013
    assert (
        finding["action"]
        == f"Enable-ExchangeCertificate -Server MBX1 -Thumbprint '{thumbprint}' -Services SMTP"
    )
