"""`mailtrust postfix compile`: the directory's keys in Postfix's tables, or a word about why not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from mailtrust.transports.postfix.compile import CLIENTS, POLICY
from mailtrust.transports.postfix.lmdb_table import read
from tests.cli.desk import HUB1, Desk
from tests.shapes import reads

HOP = "[127.0.0.1]:2525"


@pytest.fixture
def at_postfix(desk: Desk) -> Desk:
    """A desk where Postfix is the transport and hub1 itself the next hop."""
    desk.configure(more=TRANSPORT.format(folder=desk.folder))
    return desk


TRANSPORT = f"""
[transport]
kind = "postfix"
postfix = "{{folder}}/etc"
tables = "{{folder}}/tables"
helper = ["/bin/false"]
next_hops = {{{{"{HOP}" = ["{HUB1}"]}}}}
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the tables are root's")


def rows(desk: Desk, name: str = CLIENTS) -> dict[str, str]:
    return read(desk.folder / "tables" / f"{name}.lmdb")


def digest(desk: Desk, fingerprint: str) -> str:
    return bytes.fromhex(desk.must("show", fingerprint, "--json").json["pin"]).hex(":")


def test_a_published_key_stands_in_both_tables(at_postfix: Desk) -> None:
    pin = digest(at_postfix, at_postfix.enabled())

    ran = at_postfix.must("postfix", "compile", "--yes")

    assert rows(at_postfix) == {pin: HUB1}
    assert rows(at_postfix, POLICY) == {HOP: f"fingerprint match={pin}"}
    assert ran.out.splitlines() == [
        f"changed {CLIENTS} (+1 -0), {POLICY} (+1 -0) in {at_postfix.folder}/tables",
        f"  + {CLIENTS} {pin} {HUB1}",
        f"  + {POLICY} {HOP} fingerprint match={pin}",
        f"next: postfix -c {at_postfix.folder}/etc reload, so that processes that began without "
        f"{CLIENTS} and {POLICY} find it",
    ]


def test_a_second_time_nothing_changes(at_postfix: Desk) -> None:
    at_postfix.enabled()
    at_postfix.must("postfix", "compile", "--yes")

    ran = at_postfix.must("postfix", "compile")
    said = at_postfix.must("postfix", "compile", "--json").reads("postfix-compile")

    assert ran.out.startswith("nothing to change")
    assert said["changed"] is False
    assert [(one["table"], one["rows"], one["put"]) for one in said["tables"]] == [
        (CLIENTS, 1, {}),
        (POLICY, 1, {}),
    ]


def test_a_dry_run_writes_nothing_and_says_what_it_would(at_postfix: Desk) -> None:
    at_postfix.enabled()
    before = sorted(str(one) for one in at_postfix.folder.rglob("*"))

    ran = at_postfix.must("postfix", "compile", "--dry-run")
    as_json = at_postfix.must("postfix", "compile", "--dry-run", "--json").json

    assert ran.out.startswith(f"would change {CLIENTS} (+1 -0)")
    assert as_json["would"] == ran.out.splitlines()
    assert sorted(str(one) for one in at_postfix.folder.rglob("*")) == before


def test_without_a_word_from_anybody_nothing_is_written(at_postfix: Desk) -> None:
    at_postfix.enabled()

    ran = at_postfix.type("postfix", "compile")

    assert ran.code == 1
    assert "nothing was changed" in ran.err
    assert not (at_postfix.folder / "tables").exists()


def test_a_home_that_cannot_be_read_leaves_what_was_known(at_postfix: Desk) -> None:
    pin = digest(at_postfix, at_postfix.enabled())
    at_postfix.must("postfix", "compile", "--yes")
    for name in ("dc1", "dc2", "dc3"):
        at_postfix.damage(name)

    ran = at_postfix.must("postfix", "compile", "--yes")

    assert ran.out.startswith("nothing to change")
    assert rows(at_postfix) == {pin: HUB1}


def test_a_directory_that_was_never_read_leaves_the_tables(at_postfix: Desk) -> None:
    for name in ("dc1", "dc2", "dc3"):
        at_postfix.damage(name)

    ran = at_postfix.type("postfix", "compile", "--yes")

    assert ran.code == 1
    assert "everything stays as it is" in ran.err


def test_root_does_not_write_where_others_decide(at_postfix: Desk) -> None:
    at_postfix.enabled()
    at_postfix.folder.chmod(0o777)

    ran = at_postfix.type("postfix", "compile", "--yes")

    assert ran.code == 1
    assert "not root's alone" in ran.err


def test_an_account_without_rights_asks_roots_part(at_postfix: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = at_postfix.folder / "helper.toml"
    settings.write_text(f'postfix = "{at_postfix.folder}/etc"\ntables = "{at_postfix.folder}/tables"\n')
    for name in ("etc", "tables"):
        (at_postfix.folder / name).mkdir()
    words = [sys.executable, "-I", "-m", "mailtrust.transports.postfix.helper", str(settings)]
    said = TRANSPORT.format(folder=at_postfix.folder).replace('["/bin/false"]', json.dumps(words))
    at_postfix.configure(more=said)
    pin = digest(at_postfix, at_postfix.enabled())
    # Root here, but the command shall not know.
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    at_postfix.must("postfix", "compile", "--yes")

    assert rows(at_postfix) == {pin: HUB1}


def test_a_helper_that_is_not_set_up_is_told(at_postfix: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    at_postfix.enabled()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    ran = at_postfix.type("postfix", "compile", "--yes")

    assert ran.code == 1
    assert "docs/transports/postfix-helper.md" in ran.err


def test_where_the_hub_is_the_mail_server_there_are_no_tables(desk: Desk) -> None:
    desk.configure(more='[transport]\nkind = "hub"\nbind = ["127.0.0.1:0"]\n'.replace(":0", ":2525"))

    ran = desk.type("postfix", "compile", "--yes")

    assert ran.code == 1
    assert "it needs no such tables" in ran.err


def test_watching_writes_each_change_until_it_is_told_to_stop(at_postfix: Desk) -> None:
    pin = digest(at_postfix, at_postfix.enabled())
    words = [
        "--config",
        at_postfix.folder / "mailtrust.toml",
        "postfix",
        "compile",
        "--watch",
        "--yes",
        "--json",
    ]
    watching = subprocess.Popen(
        [sys.executable, "-m", "mailtrust", *map(str, words)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert watching.stdout is not None
        first = reads("postfix-compile", json.loads(watching.stdout.readline()))
        assert rows(at_postfix) == {pin: HUB1}
        fingerprint = at_postfix.made()
        at_postfix.must("enable", fingerprint, "--yes", "--now", "--replica", at_postfix.url("dc2"))
        second = reads("postfix-compile", json.loads(watching.stdout.readline()))
    finally:
        watching.send_signal(signal.SIGTERM)
        code = watching.wait(20)
        assert watching.stdout is not None
        watching.stdout.close()

    assert code == 0
    assert first["changed"] is False
    [come] = second["tables"][0]["put"]
    assert come == digest(at_postfix, fingerprint)
    assert set(rows(at_postfix)) == {pin, come}
