"""A file with a credential of the directory that everybody can read: used, and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk import HUB1, Desk

KINDS = {
    "password_file": 'bind = "simple"\nbind_dn = "cn=hub1"\npassword_file = "{}"',
    "client_certificate": 'bind = "external"\nclient_certificate = "{}"',
    "keytab": 'bind = "kerberos"\nkeytab = "{}"',
}


def configured(desk: Desk, kind: str) -> Path:
    """The file that the configuration names."""
    file = desk.folder / "its own file"
    file.write_text("sesame\n")
    (desk.folder / "mailtrust.toml").write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{desk.folder}/store"
[directory]
home = "ldaps://dc1.example.test"
base = "dc=example,dc=test"
{KINDS[kind].format(file)}
""",
        "utf-8",
    )
    return file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_file_that_everybody_can_read_or_change_is_named_with_what_to_type(
    desk: Desk, kind: str, mode: int
) -> None:
    file = configured(desk, kind)
    file.chmod(mode)

    ran = desk.type("list", "--json")

    assert ran.code == 0
    assert ran.json == []
    assert ran.err.startswith(f"warning: everybody on this machine can read or change {file}, which holds ")
    assert f"chmod o= '{file}'" in ran.err
    assert ran.err.count("warning") == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o660])
def test_a_file_for_its_owner_and_a_group_is_nobodys_concern(desk: Desk, kind: str, mode: int) -> None:
    configured(desk, kind).chmod(mode)

    assert desk.type("list").err == ""


def test_a_file_that_is_not_there_is_told_when_it_is_needed(desk: Desk) -> None:
    configured(desk, "keytab").unlink()

    assert desk.type("list").err == ""
