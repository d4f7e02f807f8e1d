"""`enable` and `wait`: what is published when, what is current when, and what is said about it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from mailtrust import clock
from mailtrust.config import load
from mailtrust.core.model.certificate import short
from mailtrust.directory.open import open_directory
from mailtrust.directory.replicate import replicate_once
from tests.cli.desk import Desk


@contextmanager
def replicating(desk: Desk) -> Iterator[None]:
    """Bring the replicas together again and again, while the body waits for them."""
    config = load(desk.folder / "mailtrust.toml", {}, default_name=lambda: "")
    begun, over = threading.Event(), threading.Event()

    def carry() -> None:
        async def until_over() -> None:
            where = config.directory
            directory = open_directory(
                where.home, where.primary, where.replicas, timeout=config.policy.probe_timeout, memory=None
            )
            while not over.is_set():
                begun.set()
                await replicate_once(directory, clock.now())
                await asyncio.sleep(0.05)

        asyncio.run(until_over())

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        begun.wait(10)
        yield
    finally:
        over.set()
        thread.join()


def test_the_first_certificate_is_current_at_once(desk: Desk) -> None:
    """Nothing is presented yet, so that no peer can lose what it believes."""
    fingerprint = desk.made()

    said = desk.must("enable", fingerprint, "--yes").out

    assert desk.slots() == {fingerprint: "current"}
    assert desk.published() == {"dc1": [fingerprint], "dc2": [], "dc3": []}
    assert f"{short(fingerprint)} is the current certificate now" in said
    assert f"dc2.db does not publish {short(fingerprint)} yet" in said
    assert "to see it arrive: mailtrust wait" in said


def test_the_next_one_waits_until_every_replica_has_it(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()

    said = desk.must("enable", new, "--yes").out

    assert desk.slots() == {old: "current", new: "none"}
    assert f"dc3.db does not publish {short(new)} yet" in said
    assert f"mailtrust enable {short(new)} --wait" in said


def test_enabling_again_finishes_what_was_begun(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()
    desk.must("enable", new, "--yes")
    desk.must("directory", "replicate", "--once")

    said = desk.must("enable", new, "--yes").out

    assert desk.slots() == {old: "previous", new: "current"}
    assert f"it replaces {short(old)}" in said


def test_fix_finishes_it_too(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()
    desk.must("enable", new, "--yes")
    desk.must("directory", "replicate", "--once")

    desk.must("fix", "--yes")

    assert desk.slots() == {old: "previous", new: "current"}


def test_enabling_what_is_enabled_changes_nothing(desk: Desk) -> None:
    """Neither a question nor a terminal is needed to be told so."""
    fingerprint = desk.enabled()

    ran = desk.must("enable", fingerprint)

    assert ran.out.startswith(f"nothing to change: {short(fingerprint)}")
    assert desk.must("enable", fingerprint, "--json").json["changed"] is False


def test_enabling_again_publishes_listeners_that_were_named_since(desk: Desk) -> None:
    """It is what the flow and the dashboard advise where nobody says where a server listens."""
    fingerprint, file = desk.enabled(), desk.folder / "mailtrust.toml"
    file.write_text(file.read_text().replace("listeners = []", 'listeners = ["127.0.0.1:1"]'))

    foretold = desk.must("enable", fingerprint, "--dry-run").out
    said = desk.must("enable", fingerprint).out
    again = desk.must("enable", fingerprint).out

    assert foretold == f"would publish where {short(fingerprint)} is presented now: 127.0.0.1:1\n"
    assert said.endswith(f"where {short(fingerprint)} is presented now: 127.0.0.1:1\n")
    assert again.startswith("nothing to change")


def test_with_wait_it_is_current_as_soon_as_it_has_arrived(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()

    with replicating(desk):
        said = desk.must("enable", new, "--wait", "--timeout", "30s", "--yes").out

    assert desk.slots() == {old: "previous", new: "current"}
    assert "dc3: has it" in said


def test_with_wait_and_nobody_replicating_it_names_who_is_late(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()

    ran = desk.type("enable", new, "--wait", "--timeout", "1s", "--yes")

    assert ran.code == 1
    assert "late, and not there yet:" in ran.out
    assert f"dc2.db does not publish {short(new)} yet" in ran.out
    assert desk.slots()[old] == "current"


def test_with_now_it_says_who_will_defer(desk: Desk) -> None:
    desk.enabled()
    new = desk.made()

    ran = desk.must("enable", new, "--now", "--yes")

    assert desk.slots()[new] == "current"
    assert (
        "peers that read dc2, dc3 do not know it yet: they defer our mail until it arrives there" in ran.out
    )


def test_a_replica_that_cannot_be_read_is_named_and_holds_nothing_back(desk: Desk) -> None:
    desk.enabled()
    desk.damage("dc3")
    new = desk.made()
    desk.must("enable", new, "--yes")
    desk.type("directory", "replicate", "--once")

    ran = desk.must("enable", new, "--yes")

    assert desk.slots()[new] == "current"
    assert "dc3 could not be read: its file is no database" in ran.out


def test_a_primary_that_cannot_be_written_stops_it(desk: Desk) -> None:
    """And the next `enable` goes on as soon as it can be."""
    old, new = desk.enabled(), desk.made()
    saved = (desk.folder / "dc1.db").read_bytes()
    desk.damage("dc1")

    ran = desk.type("enable", new, "--yes")

    assert ran.code == 1
    assert f"{short(new)} cannot be published at {desk.url('dc1')}: its file is no database" in ran.err
    assert desk.slots() == {old: "current", new: "none"}

    (desk.folder / "dc1.db").write_bytes(saved)
    [finding] = [one for one in desk.type("check", "--json").json["findings"] if one["event"] == 12012]
    assert finding["cause"] == "not-written"
    desk.must("enable", new, "--yes")
    assert new in (desk.published()["dc1"] or [])


def test_a_locked_replica_costs_its_time_and_no_more(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", desk.enabled())
    with closing(sqlite3.connect(desk.folder / "dc1.db", isolation_level=None)) as somebody:
        somebody.execute("begin exclusive")

        ran = desk.type("enable", fingerprint, "--yes")

    assert ran.code == 1
    assert desk.slots()[fingerprint] == "none"
    assert "dc1.db" in ran.err


def test_another_replica_can_be_written_to(desk: Desk) -> None:
    fingerprint = desk.made()

    desk.must("enable", fingerprint, "--replica", "dc3", "--yes")

    assert desk.published() == {"dc1": [], "dc2": [], "dc3": [fingerprint]}


def test_what_was_withdrawn_is_not_enabled_again(desk: Desk) -> None:
    old = desk.enabled()
    desk.enabled()
    desk.must("withdraw", old, "--yes")

    ran = desk.type("enable", old, "--yes")

    assert ran.code == 1
    assert f"{short(old)} was withdrawn" in ran.err
    assert "hint: make a new certificate: mailtrust new" in ran.err


@pytest.mark.parametrize("options", [[], ["--json"], ["--wait"], ["--now"]])
def test_without_a_terminal_and_without_yes_nothing_is_enabled(desk: Desk, options: list[str]) -> None:
    fingerprint = desk.made()

    ran = desk.type("enable", fingerprint, *options)

    assert ran.code == 1
    assert "nothing was changed: there is no terminal to ask at" in ran.said
    assert desk.slots() == {fingerprint: "none"}
    assert desk.published() == {"dc1": [], "dc2": [], "dc3": []}


def test_a_dry_run_says_what_would_be_replaced(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()

    ran = desk.must("enable", new, "--dry-run")

    assert ran.out.splitlines() == [
        f"would publish {short(new)} at the primary",
        f"would make {short(new)} the current certificate once every readable replica has it, "
        f"in place of {short(old)}",
    ]
    assert desk.slots() == {old: "current", new: "none"}
    assert new not in (desk.published()["dc1"] or [])


def test_json_says_what_was_replaced_and_what_is_waited_for(desk: Desk) -> None:
    old, new = desk.enabled(), desk.made()

    waiting = desk.must("enable", new, "--yes", "--json").json
    desk.must("directory", "replicate", "--once")
    done = desk.must("enable", new, "--yes", "--json").json

    assert waiting["fingerprint"] == new
    assert [one["replica"] for one in waiting["waiting_for"]] == [desk.url("dc2"), desk.url("dc3")]
    assert all(one["why"] for one in waiting["waiting_for"])
    assert (waiting["slot"], waiting["changed"], waiting["unread"]) == ("none", True, [])
    assert (done["slot"], done["waiting_for"], done["replaced"]["fingerprint"]) == ("current", [], old)


def test_wait_ends_when_every_replica_has_the_current_one(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--yes")

    with replicating(desk):
        ran = desk.must("wait", "--timeout", "30s")

    assert "dc2: has it" in ran.out
    assert f"every replica has {short(fingerprint)}" in ran.out


def test_wait_names_who_is_late_and_who_cannot_be_read(desk: Desk) -> None:
    desk.must("enable", desk.made(), "--yes")
    desk.damage("dc3")

    ran = desk.type("wait", "--timeout", "1s")

    assert ran.code == 1
    assert f"dc2 ({desk.url('dc2')}) does not have it" in ran.err
    assert f"dc3 ({desk.url('dc3')}) could not be read: its file is no database" in ran.err


def test_wait_gives_the_end_as_json(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--yes")

    desk.damage("dc3")

    ran = desk.type("wait", "--timeout", "0s", "--json")

    assert ran.code == 1
    report = ran.json
    assert (report["schema"], report["complete"]) == ("mailtrust.wait/1", False)
    assert report["certificate"]["fingerprint"] == fingerprint
    states = {one["replica"]: one["has_it"] for one in report["replicas"]}
    # What could not be read is not "not there".
    assert states == {desk.url("dc1"): True, desk.url("dc2"): False, desk.url("dc3"): None}


def test_wait_says_what_to_type_where_nothing_is_current(desk: Desk) -> None:
    empty = desk.type("wait")
    fingerprint = desk.made()
    made = desk.type("wait")

    assert (empty.code, made.code) == (1, 1)
    assert "has no current certificate to wait for" in empty.err
    assert "hint: mailtrust new" in empty.err
    assert f"hint: mailtrust enable {short(fingerprint)}" in made.err


def test_wait_awaits_the_one_that_is_to_become_current(desk: Desk) -> None:
    """The current one is everywhere already; whoever types `wait` after `enable` means the new one."""
    desk.enabled()
    new = desk.made()
    desk.must("enable", new, "--yes")

    late = desk.type("wait", "--timeout", "0s")
    desk.must("directory", "replicate", "--once")
    arrived = desk.must("wait", "--timeout", "0s")

    assert late.code == 1
    assert f"mailtrust enable {short(new)} --wait" in late.out
    assert f"{short(new)} can be made current now:\n  mailtrust enable {short(new)}\n" in arrived.out
