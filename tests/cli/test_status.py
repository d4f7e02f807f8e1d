"""`status`: the copies side by side, as a screen and as JSON."""

from __future__ import annotations

import re
from pathlib import Path

from mailtrust.core.model.certificate import short
from tests.cli.desk import HUB1, Desk
from tests.make import a_certificate


def row(screen: str, fingerprint: str) -> list[str]:
    """The words of a certificate's row."""
    return next(line.split() for line in screen.splitlines() if short(fingerprint) in line)


def test_it_shows_where_a_certificate_stands(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--yes")
    desk.damage("dc3")

    screen = desk.must("status").out

    assert screen.splitlines()[1].split() == [
        "slot",
        "certificate",
        "until",
        "installed",
        "dc2*",
        "dc1+",
        "dc3",
    ]
    assert row(screen, fingerprint)[0] == "current"
    assert row(screen, fingerprint)[-4:] == ["●", "·", "●", "?"]
    assert f"? {desk.url('dc3')}: its file is no database" in screen


def test_it_ends_with_the_verdict_and_what_to_type(desk: Desk) -> None:
    fingerprint = desk.made()

    verdict, following = desk.must("status").out.splitlines()[-2:]

    assert verdict == "MAILTRUST CRITICAL - hub1 12012 not-enabled on dc2"
    assert following == f"next: mailtrust enable {short(fingerprint)}"


def test_where_there_is_nothing_it_says_so(desk: Desk) -> None:
    """And exits 0: only `check` judges."""
    ran = desk.must("status")

    assert "nothing seen" in ran.out
    assert ran.out.splitlines()[-1].startswith("next: mailtrust new")


def test_all_shows_strangers_and_garbage_as_rows(desk: Desk) -> None:
    desk.enabled()
    stranger, guest = a_certificate(HUB1, key="stranger"), a_certificate("hub9.example.test", key="guest")
    for server, value in ((HUB1, stranger.der), (HUB1, b"garbage"), ("hub9.example.test", guest.der)):
        (desk.folder / "value").write_bytes(value)
        desk.must("directory", "put", server, "value", "--yes")

    screen = desk.must("status", "--all").out

    assert row(screen, stranger.fingerprint)[0] == "stranger"
    assert any(line.startswith("garbage") and "7 bytes" in line for line in screen.splitlines())
    assert "hub9.example.test" in screen
    assert row(screen, guest.fingerprint)[-4:] == ["?", "·", "●", "·"]


def test_a_renewal_with_the_same_key_is_called_so(desk: Desk) -> None:
    desk.enabled()
    for leaf in (a_certificate(HUB1, key="twin"), a_certificate(HUB1, key="twin")):
        (desk.folder / "value").write_bytes(leaf.der)
        desk.must("directory", "put", HUB1, "value", "--yes")

    assert "same key, so that peers notice no difference" in desk.must("status").out


def test_many_servers_take_a_line_each(desk: Desk) -> None:
    for number in range(11):
        name = f"mx{number}.example.test"
        (desk.folder / "value").write_bytes(a_certificate(name, key=name).der)
        desk.must("directory", "put", name, "value", "--yes")

    lines = desk.must("status", "--all").out.splitlines()

    assert [line.split()[0] for line in lines[1:13]] == [
        HUB1,
        *sorted(f"mx{n}.example.test" for n in range(11)),
    ]


def test_no_line_is_wider_than_80_columns(desk: Desk) -> None:
    desk.enabled()

    assert max(map(len, desk.must("status", "--all").out.splitlines())) <= 80


def test_json_gives_the_copies_as_check_does(desk: Desk) -> None:
    fingerprint = desk.enabled()
    desk.damage("dc3")

    report = desk.must("status", "--json").json

    assert report["schema"] == "mailtrust.status/1"
    assert report["verdict"] == "warning"
    [server] = report["servers"]
    assert server == desk.type("check", "--json").json["servers"][0]
    assert [one["slot"] for one in server["installed"]] == ["current"]
    found = {one["replica"]: (one["found"], one["why"]) for one in server["published"]}
    assert found[desk.url("dc1")] == ([fingerprint], "")
    assert found[desk.url("dc3")] == (None, "its file is no database")


def test_a_server_that_nobody_knows_is_an_error(desk: Desk) -> None:
    ran = desk.type("status", "--server", "hub7.example.test")

    assert ran.code == 1
    assert "no replica that could be read has an entry for hub7.example.test" in ran.err
    assert "`mailtrust status --all` lists the servers of the directory" in ran.err


def test_status_tells_since_when_and_until_when_a_replica_is_behind(desk: Desk) -> None:
    desk.enabled()
    new = desk.made()
    desk.must("enable", new, "--yes")

    said = desk.must("status").out
    [server] = desk.must("status", "--json").json["servers"]

    published = {Path(one["replica"]).stem: one for one in server["published"]}
    assert re.search(r"dc1\+ +has it, written 20", said)
    assert re.search(r"dc2\* +behind by \d+s, due in 14m", said)
    assert new in published["dc1"]["since"]
    [behind] = published["dc2"]["behind"]
    assert (behind["fingerprint"], behind["proof"]) == (new, "unknown")
    assert behind["since"] < behind["due"]
