"""A mail server's life in OpenLDAP, typed: from `init` to a clean check."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import slapd
from tests.cli.desk import HUB1, Desk
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd")


@pytest.fixture
def servers() -> Iterator[tuple[Server, ...]]:
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, slapd.started(Path(folder), 2) as started:
        yield started


def begin(desk: Desk, servers: tuple[Server, ...], account: str = ADMIN) -> list[object]:
    """What is typed first, on a host that has nothing yet."""
    (desk.folder / "mailtrust.toml").unlink()
    password = password_file(servers[0].folder)
    password.chmod(0o600)
    return [
        "init", "--name", HUB1, "--store", desk.folder / "store", "--output", desk.folder / "mailtrust.toml",
        "--replica", servers[0].ldaps, "--replica", servers[1].ldaps, "--base", SERVERS,
        "--ca-file", servers[0].ca_file, "--bind", "simple", "--bind-dn", account,
        "--password-file", password,
    ]  # fmt: skip


def test_from_init_to_a_clean_check(desk: Desk, servers: tuple[Server, ...]) -> None:
    begun = desk.must(*begin(desk, servers), "--json").reads("init")
    again = desk.must(*begin(desk, servers), "--json").json
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--wait", "--yes")

    [server] = desk.must("status", "--json").json["servers"]

    assert (begun["directory"]["entry"], again["directory"]["entry"]) == ("made", "there")
    assert [one["why"] for one in begun["directory"]["replicas"]] == ["", ""]
    assert {one["replica"]: one["found"] for one in server["published"]} == {
        one.ldaps: [fingerprint] for one in servers
    }  # fmt: skip
    assert desk.must("check", "--all").code == 0


def test_whoever_may_make_no_entry_gets_what_an_administrator_can_add(
    desk: Desk, servers: tuple[Server, ...]
) -> None:
    """The configuration is written all the same."""
    ran = desk.must(*begin(desk, servers, slapd.MX1))

    assert "this server's entry could not be made" in ran.err
    assert f"dn: cn={HUB1},{SERVERS}\nobjectClass: device" in ran.out
    assert (desk.folder / "mailtrust.toml").exists()


def test_a_server_without_an_entry_is_not_told_that_its_rights_are_right(
    desk: Desk, servers: tuple[Server, ...]
) -> None:
    """They could not be tried, and it cannot publish."""
    desk.must(*begin(desk, servers, slapd.MX1))

    ran = desk.type("directory", "check", "--yes")

    assert ran.code == 1
    assert "the entry is not there" in ran.out
    assert "writes its own entry" not in ran.out


def test_a_directory_that_does_not_answer_costs_the_entry_and_not_the_configuration(
    desk: Desk, servers: tuple[Server, ...]
) -> None:
    for one in servers:
        one.stop()

    ran = desk.must(*begin(desk, servers))

    assert "cannot be reached" in ran.out
    assert "hint: is the server running?" in ran.err
    assert (desk.folder / "mailtrust.toml").exists()


def test_the_written_file_explains_the_keys_of_this_kind_of_directory(
    desk: Desk, servers: tuple[Server, ...]
) -> None:
    desk.must(*begin(desk, servers))

    text = (desk.folder / "mailtrust.toml").read_text()
    assert f'base = "{SERVERS}"' in text
    assert "# keytab =" in text
    assert "members" not in text


def test_half_an_ldap_directory_is_refused_before_anything_is_written(desk: Desk) -> None:
    (desk.folder / "mailtrust.toml").unlink()

    ran = desk.type("init", "--name", HUB1, "--replica", "ldaps://dc1.example.test")

    assert ran.code == 1
    assert "directory.base does not say" in ran.err
    assert not (desk.folder / "mailtrust.toml").exists()
