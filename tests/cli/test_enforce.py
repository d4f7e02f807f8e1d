"""`mailtrust enforce`: it wants evidence, changes its own line alone, and there is a way back."""

from __future__ import annotations

import asyncio
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.serve import hub_of
from mailtrust.agent.site import open_site
from mailtrust.config import load
from mailtrust.core.sessions import Count, Met, Reason, Way
from tests.cli.desk import Desk
from tests.hub.organization import Held, Peer, held
from tests.loopback import free_port

GOOD, BAD = "192.0.2.7", "192.0.2.9"
TRANSPORT = '[transport]\nkind = "hub"\nbind = ["127.0.0.1:2525"]\nmode = "report"  # for now\n'


@pytest.fixture
def hub1(desk: Desk) -> Desk:
    """Eight clean days of one peer, and seven of one whose last was not."""
    desk.configure(more=TRANSPORT)
    now = clock.now()
    days = [now - timedelta(days=day) for day in range(8)]
    published = Met(GOOD, Way.FROM, Reason.PUBLISHED, "hub2.example.test")
    counts = [Count(published, 3, at, at) for at in days]
    counts += [Count(Met(BAD, Way.FROM, Reason.PUBLISHED, "hub3.example.test"), 1, at, at) for at in days[1:]]
    counts.append(Count(Met(BAD, Way.FROM, Reason.NO_TLS), 1, now, now))
    Journal(desk.folder / "store").count_sessions(counts)
    return desk


def file(desk: Desk) -> Path:
    return desk.folder / "mailtrust.toml"


def modes(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(file(desk).read_text())["transport"]
    return {name: found.get(name) for name in ("mode", "peer_modes")}


def test_a_peer_with_clean_days_is_enforced_in_a_line_of_its_own(hub1: Desk) -> None:
    before = file(hub1).read_text()
    ran = hub1.must("enforce", GOOD, "--yes")

    assert modes(hub1) == {"mode": "report", "peer_modes": {GOOD: "enforce"}}
    assert [line for line in file(hub1).read_text().splitlines() if line not in before.splitlines()] == [
        'peer_modes = {"192.0.2.7" = "enforce"}'
    ]
    assert '+peer_modes = {"192.0.2.7" = "enforce"}' in ran.out
    assert "the way back: mailtrust enforce 192.0.2.7 --back" in ran.out
    assert "enforce at 192.0.2.7" in hub1.must("events").out


def test_a_server_is_enforced_by_the_addresses_that_its_key_came_from(hub1: Desk) -> None:
    hub1.must("enforce", "hub2.example.test", "--yes")

    assert modes(hub1)["peer_modes"] == {GOOD: "enforce"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((BAD,), "it takes 7 clean days in a row, and 192.0.2.9 has 0"),
        ((GOOD, BAD), "192.0.2.9 has 0"),
        ((GOOD, "--days", 9), "it takes 9 clean days in a row, and 192.0.2.7 has 8"),
        (("--all",), "192.0.2.9 has 0"),
        (("192.0.2.77",), "no session with 192.0.2.77 was counted"),
    ],
)
def test_without_evidence_it_refuses_and_changes_nothing(
    hub1: Desk, words: tuple[object, ...], why: str
) -> None:
    before = file(hub1).read_text()
    ran = hub1.type("enforce", *words, "--yes")

    assert ran.code == 1
    assert why in ran.err
    assert "--force" in ran.err
    assert file(hub1).read_text() == before


@pytest.mark.parametrize("peer", [BAD, "192.0.2.77"])
def test_force_enforces_all_the_same(hub1: Desk, peer: str) -> None:
    hub1.must("enforce", peer, "--force", "--yes")

    assert modes(hub1)["peer_modes"] == {peer: "enforce"}


def test_everybody_is_enforced_by_the_mode_itself(hub1: Desk) -> None:
    hub1.configure(more=TRANSPORT + f'peer_modes = {{"{BAD}" = "report"}}\n')
    hub1.must("enforce", "--all", "--force", "--yes")
    there = modes(hub1)
    hub1.must("enforce", "--all", "--back", "--yes")

    assert there == {"mode": "enforce", "peer_modes": {BAD: "enforce"}}
    assert modes(hub1) == {"mode": "report", "peer_modes": {BAD: "report"}}


def test_back_needs_no_evidence(hub1: Desk) -> None:
    hub1.must("enforce", BAD, "--force", "--yes")
    hub1.must("enforce", BAD, "--back", "--yes")

    assert modes(hub1)["peer_modes"] == {BAD: "report"}


def test_the_way_back_needs_no_journal(hub1: Desk) -> None:
    hub1.must("enforce", GOOD, "--yes")
    (hub1.folder / "store" / "journal.db").write_bytes(b"not a database any more\n" * 400)
    ran = hub1.type("enforce", GOOD, "--days", 1, "--yes")
    hub1.must("enforce", GOOD, "--back", "--yes")

    assert ran.code == 1
    assert modes(hub1)["peer_modes"] == {GOOD: "report"}


def test_again_changes_nothing(hub1: Desk) -> None:
    hub1.must("enforce", GOOD, "--yes")
    before = file(hub1).read_text()
    ran = hub1.must("enforce", GOOD)

    assert "nothing to change" in ran.out
    assert file(hub1).read_text() == before


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_without_a_yes_it_only_shows_the_difference(hub1: Desk, words: tuple[str, ...]) -> None:
    before = file(hub1).read_text()
    ran = hub1.type("enforce", GOOD, *words)

    assert ran.code == (0 if words else 1)
    assert '+peer_modes = {"192.0.2.7" = "enforce"}' in ran.out
    assert file(hub1).read_text() == before


def test_json_has_the_difference(hub1: Desk) -> None:
    found = hub1.must("enforce", GOOD, "--yes", "--json").json

    assert (found["schema"], found["mode"], found["peers"], found["changed"]) == (
        "mailtrust.enforce/1", "enforce", [GOOD], True,
    )  # fmt: skip
    assert '+peer_modes = {"192.0.2.7" = "enforce"}' in found["diff"]


@pytest.mark.parametrize("words", [(), (GOOD, "--all")])
def test_it_is_one_peer_or_all(hub1: Desk, words: tuple[str, ...]) -> None:
    assert hub1.type("enforce", *words, "--yes").code == 2


def test_the_report_tells_both_apart(hub1: Desk) -> None:
    ran = hub1.must("report")

    assert "192.0.2.7  hub2.example.test  report" in ran.out
    assert "1 no TLS" in ran.out
    assert "next: mailtrust enforce 192.0.2.7" in ran.out


def test_the_report_offers_no_step_that_would_be_refused(desk: Desk) -> None:
    desk.configure(more=TRANSPORT)
    Journal(desk.folder / "store").count_sessions(
        [Count(Met(GOOD, Way.FROM, Reason.PUBLISHED), 3, *[clock.now()] * 2)]
    )

    ran = desk.must("report")

    assert GOOD in ran.out
    assert "next:" not in ran.out


def test_where_nothing_came_the_report_says_so(desk: Desk) -> None:
    assert "No session was counted" in desk.must("report").out


def answered(desk: Desk, peer: str, presenting: Held) -> str:
    """What a caller hears from the hub that the configuration describes."""

    async def call() -> str:
        config = load(file(desk), {}, default_name=lambda: "")
        async with open_site(config) as site:
            hub = hub_of(site)
            await hub.start()
            try:
                async with Peer.meets(hub.bound[0], presenting, source=peer) as session:
                    return (await session.mails("postmaster@hub1.example.test"))[:3]
            finally:
                await hub.stop()

    return asyncio.run(call())


def test_from_report_to_enforce_and_back_on_a_hub(desk: Desk) -> None:
    """The whole way: counted, refused without evidence, enforced all the same, and back."""
    listening = f'bind = ["127.0.0.1:{free_port()}"]\nlocal_domains = ["hub1.example.test"]\n'
    desk.configure(more=f'[transport]\nkind = "hub"\nmode = "report"\n{listening}')
    desk.enabled()
    stranger, peer = held("hub9.example.test", "enforced"), "127.0.0.9"
    before = answered(desk, peer, stranger)
    [counted] = desk.must("report", "--json").json["peers"]
    refused = desk.type("enforce", peer, "--yes")
    desk.must("enforce", peer, "--force", "--yes")
    enforced = answered(desk, peer, stranger)
    desk.must("enforce", peer, "--back", "--yes")

    assert (counted["peer"], counted["mode"], counted["reasons"]) == (peer, "report", {"unknown-key": 1})
    assert refused.code == 1
    assert (before, enforced, answered(desk, peer, stranger)) == ("250", "454", "250")
