"""A mail server in Active Directory, typed: a clean check, a stopped controller, a link that is cut."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest

from tests.cli.desk import Desk
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import MEMBERS, Forest

__all__ = ["forest", "forest_at_rest"]
pytestmark = needs_forest
HUB1 = "hub1.corp.example"


@pytest.fixture
def domain(desk: Desk, forest: Forest) -> Desk:
    """hub1, signed in by its own account; it reads dc1, and dc2 is found through the directory."""
    forest.password("HUB1$")
    configure(desk, forest, latency="auto")
    return desk


def configure(desk: Desk, forest: Forest, *, latency: str, home: str = "dc1") -> None:
    (desk.folder / "mailtrust.toml").write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{desk.folder / "store"}"
listeners = []

[directory]
home = "ldaps://{home}.corp.example"
primary = "ldaps://dc1.corp.example"
layout = "computer"
members = "{MEMBERS}"
latency = "{latency}"
ca_file = "{forest.ca_file}"
bind = "simple"
bind_dn = "HUB1$@corp.example"
password_file = "{forest.folder / "password"}"

[policy]
key = "p256"
probe_timeout = "5s"
"""
    )


def findings(desk: Desk) -> dict[tuple[int, str], dict[str, object]]:
    found = desk.type("check", "--json").json["findings"]
    return {(one["event"], Path(one["place"] or "").name): one for one in found}


def test_from_a_new_certificate_to_a_clean_check(domain: Desk) -> None:
    fingerprint = domain.made()

    domain.must("enable", fingerprint, "--yes", "--wait")

    [server] = domain.must("status", "--json").json["servers"]
    assert {one["replica"]: one["found"] for one in server["published"]} == {
        "ldaps://dc1.corp.example": [fingerprint], "ldaps://dc2.corp.example": [fingerprint],
    }  # fmt: skip
    assert domain.must("check", "--all").code == 0
    shown = domain.must("directory", "show", "--json").json["replicas"]
    assert [one["replica"] for one in shown] == ["ldaps://dc1.corp.example", "ldaps://dc2.corp.example"]


def test_a_stopped_controller_that_is_nobodys_home_is_12103_there(domain: Desk, forest: Forest) -> None:
    domain.must("enable", domain.made(), "--yes", "--wait")
    forest.dc2.stop()
    new = domain.made()

    domain.must("enable", new, "--yes")
    found = findings(domain)

    forest.dc2.start()
    assert (12103, "dc2.corp.example") in found
    assert not {event for event, _ in found} & {12012, 12101, 12102}
    domain.must("wait", "--timeout", "60s")
    assert not {event for event, _ in findings(domain)} & {12012, 12101, 12102, 12103}


def test_a_cut_link_to_home_is_overdue_with_its_proof_and_heals_by_itself(
    domain: Desk, forest: Forest
) -> None:
    domain.must("enable", domain.made(), "--yes", "--wait")
    configure(domain, forest, latency="1s", home="dc2")
    forest.dc2.pause()
    new = domain.made()
    domain.must("enable", new, "--yes")
    # The latency is to pass, and nothing tells of that.
    time.sleep(1.1)

    overdue = findings(domain)[12012, "dc2.corp.example"]

    assert overdue["cause"] == "overdue"
    assert overdue["action"] == f"mailtrust enable {new[:12]} --replica ldaps://dc2.corp.example"
    proof = "\n".join(str(line) for line in overdue["evidence"])  # type: ignore[attr-defined]
    assert "says itself that this write has not arrived there" in proof
    assert "ldaps://dc2.corp.example copies from dc1.corp.example" in proof
    forest.dc2.resume()
    forest.replicate(forest.dc2, forest.dc1)
    assert 12012 not in {event for event, _ in findings(domain)}


def test_the_account_of_a_server_writes_its_own_entry_and_no_other(domain: Desk) -> None:
    """Seen, not believed: each trial is made, refused or undone."""
    words = ("directory", "check", "--neighbour", "hub2.corp.example", "--yes", "--json")
    tried = domain.must(*words).reads("directory-check")

    assert {one["deed"]: one["allowed"] for one in tried["trials"]} == {
        "write-own": True, "write-neighbour": False, "read-anonymously": False,
    }  # fmt: skip
    assert tried["right"] is True


def test_an_account_that_may_write_everywhere_is_told(domain: Desk, forest: Forest) -> None:
    file = domain.folder / "mailtrust.toml"
    forest.password("Administrator")
    file.write_text(file.read_text().replace("HUB1$@", "Administrator@"))

    ran = domain.type("directory", "check", "--neighbour", "hub2.corp.example", "--yes")

    assert ran.code == 1
    assert "could stand for that server" in ran.out
    assert "not as they should be" in ran.out


def test_what_a_controller_lacks_it_is_told_to_fetch_or_its_administrator_is(
    domain: Desk, forest: Forest
) -> None:
    """Samba fetches no single entry; then the commands are right to the letter."""
    domain.must("enable", domain.made(), "--yes", "--wait")
    forest.dc2.pause()
    new = domain.made()
    domain.must("enable", new, "--yes")

    ran = domain.type("directory", "pull", "--json")
    forest.dc2.resume()
    [lacking] = ran.json["replicas"]
    windows, samba = lacking["commands"]
    forest.tool(*shlex.split(samba)[1:], "--user=Administrator%Open-Sesame-1")

    assert (ran.code, lacking["lacks"], lacking["told"]) == (1, new, False)
    assert windows.startswith('repadmin /replsingleobj dc2.corp.example dc1.corp.example "CN=mailtrust-')
    assert "nothing to fetch" in domain.must("directory", "pull").out
