"""Notices on their way: each once, in order, over failures and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.agent.noticing import deliver_waiting
from mailtrust.agent.outbox import MOST_WAITING, Outbox
from mailtrust.config import Config, Notify, load
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.errors import NotDelivered
from mailtrust.notices.notice import Notice
from mailtrust.texts import load as texts
from tests.agent.agents import Server, an_agent, until
from tests.make import DC1, HUB1, NOON, minutes
from tests.receivers import a_mail_server, a_web_server

ENGLISH = texts("en", strict=True)
WAYS = ("webhook",)
MISSING = Finding(
    catalog.CERTIFICATE_MISSING, HUB1, DC1, "not-enabled", {"replica": DC1, "fingerprint": "3f9a2c71e5b0"},
    action="mailtrust enable 3f9a2c71e5b0",
)  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.configure()
    return made


@pytest.fixture
def config(server: Server) -> Config:
    return replace(load(server.config, {}, default_name=str), notify=Notify(command=("/bin/true",)))


class Receiver:
    """Takes notices, or says why not."""

    def __init__(self) -> None:
        self.got: list[Notice] = []
        self.refusals: list[NotDelivered] = []

    def __call__(self, notices: Sequence[Notice], now: datetime) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        self.got += notices
        return "taken"

    @property
    def states(self) -> list[str]:
        return [one["state"] for one in self.got]


def find(server: Server, *findings: Finding, at: float = 0) -> None:
    server.journal.record_diagnosis(Diagnosis(findings), [HUB1], NOON + minutes(at))


def fill(config: Config, at: float = 0) -> int:
    return Outbox(config.server.store).fill(config, ENGLISH, WAYS, NOON + minutes(at))


def deliver(config: Config, receiver: Receiver, at: float = 0) -> datetime | None:
    return deliver_waiting(config, "webhook", receiver, NOON + minutes(at))


def test_what_opens_and_closes_is_told_once(server: Server, config: Config) -> None:
    receiver = Receiver()
    find(server, MISSING)
    assert (fill(config), fill(config, 1)) == (1, 0)
    find(server, at=2)
    assert fill(config, 2) == 1

    assert deliver(config, receiver, 2) is None
    opened, closed = receiver.got
    assert dict(opened.fields) == {
        "schema": "mailtrust.notice/1", "notice": opened["notice"], "test": False,
        "at": "2026-06-01T12:00:00Z", "state": "opened", "since": "2026-06-01T12:00:00Z", "event": 12012,
        "name": "InternalTransportCertificateMissingInAD", "severity": "error", "server": HUB1, "place": DC1,
        "cause": "not-enabled", "title": "The internal transport certificate is not in the directory",
        "message": ENGLISH.message(MISSING), "explanation": ENGLISH.cause(MISSING),
        "action": f"mailtrust --config {server.config} enable 3f9a2c71e5b0", "text": opened["text"],
    }  # fmt: skip
    assert (closed["state"], closed["message"], closed["action"]) == ("closed", opened["message"], "")


def test_what_could_not_be_delivered_is_tried_again_at_growing_pauses(server: Server, config: Config) -> None:
    """Each of these is a process of its own, as far as the outbox goes: nothing is kept but the file."""
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it is down")] * 3
    find(server, MISSING)
    fill(config)

    again = [deliver(config, receiver, at) for at in (0, 1, 2)]
    early = deliver(config, receiver, 2)

    for at, (one, least) in enumerate(zip(again, (2.5, 5, 10), strict=True)):
        assert one is not None
        assert least <= (one - NOON - minutes(at)).total_seconds() <= 2 * least
    assert early == again[2]
    assert receiver.got == []
    assert deliver(config, receiver, 3) is None
    assert receiver.states == ["opened"]
    [told] = [one for one in server.entries() if one.event is catalog.NOTICE_NOT_DELIVERED]
    assert told.values == {"way": "webhook", "why": "it is down"}


def test_the_order_stays(server: Server, config: Config) -> None:
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it is down")]
    find(server, MISSING)
    fill(config)
    deliver(config, receiver)
    find(server, at=1)
    fill(config, 1)

    deliver(config, receiver, 2)

    assert receiver.states == ["opened", "closed"]


def test_what_is_refused_for_good_is_given_up_and_the_next_one_goes(server: Server, config: Config) -> None:
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it answered 404", is_final=True)]
    find(server, MISSING)
    fill(config)
    find(server, at=1)
    fill(config, 1)

    deliver(config, receiver, 1)
    deliver(config, receiver, 2)

    assert receiver.states == ["closed"]
    [told] = [one for one in server.entries() if one.event is catalog.NOTICE_NOT_DELIVERED]
    assert told.values["why"] == "it answered 404; 1 given up"


def test_after_a_day_it_is_given_up(server: Server, config: Config) -> None:
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it is down")] * 2
    find(server, MISSING)
    fill(config)
    deliver(config, receiver)

    deliver(config, receiver, 25 * 60)

    assert deliver(config, receiver, 26 * 60) is None
    assert receiver.got == []


def test_the_outbox_does_not_grow_without_end(server: Server, config: Config) -> None:
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it is down")]
    many = [replace(MISSING, place=f"{DC1}/{number}") for number in range(MOST_WAITING + 7)]
    find(server, *many)
    assert fill(config) == MOST_WAITING + 7

    deliver(config, receiver)
    deliver(config, receiver, 1)

    assert len(receiver.got) == MOST_WAITING
    assert receiver.got[0]["place"] == f"{DC1}/7"


def test_a_finding_that_flaps_does_not_flood(server: Server, config: Config) -> None:
    said = 0
    for minute in range(60):
        find(server, *((MISSING,) if minute % 2 == 0 else ()), at=minute)
        said += fill(config, minute)

    assert said == 8


def test_who_cannot_be_asked_costs_the_others_nothing(server: Server, config: Config) -> None:
    receiver = Receiver()
    find(server, MISSING)
    Outbox(config.server.store).fill(config, ENGLISH, ("command", "webhook"), NOON)
    broken = Receiver()
    broken.refusals = [NotDelivered("it is down")]

    deliver_waiting(config, "command", broken, NOON)

    deliver(config, receiver)
    assert receiver.states == ["opened"]


def test_where_there_is_no_journal_nobody_is_told_and_none_is_made(server: Server, config: Config) -> None:
    assert fill(config) == 0
    assert not server.journal.path.exists()


async def test_an_agent_tells_by_every_way_and_goes_on_after_a_restart(server: Server) -> None:
    """The web server refuses while the first agent runs; the second one has it in its outbox."""
    file, outbox = server.folder / "told.jsonl", Outbox(server.store)
    with a_web_server() as web, a_mail_server() as mail:
        web.answers = ["503"] * 3
        notify = f"""
[notify]
command = ["/bin/sh", "-c", "cat >> {file}"]
webhook = "http://localhost:{web.port}/"
mail_to = ["postmaster@example.org"]
smarthost = "localhost:{mail.port}"
smarthost_tls = "none"
"""
        server.configure(agent="", more=notify)
        async with an_agent(server.folder, "--config", server.config, "agent") as first:
            await first.manager.hears("READY=1")
            await until(lambda: web.posts and mail.mails and file.exists())
            await until(lambda: not any(outbox.waiting(way).notices for way in ("mail", "command")))
            await first.kill()
        web.answers.clear()
        before = len(web.posts)
        async with an_agent(server.folder, "--config", server.config, "agent") as second:
            await second.manager.hears("READY=1")
            await until(lambda: len(web.posts) > before)
            assert await second.stop() == 0

    assert {post.json["notice"] for post in web.posts} == {web.posts[0].json["notice"]}
    assert web.posts[0].json["event"] == 12012
    assert mail.mails[0].message["X-Mailtrust-Events"] == "12012"
    assert len(file.read_text().splitlines()) == len(mail.mails) == 1


async def test_a_single_round_tells_as_well(server: Server) -> None:
    with a_web_server() as web:
        server.configure(agent="", more=f'[notify]\nwebhook = "http://localhost:{web.port}/"')
        async with an_agent(server.folder, "--config", server.config, "agent", "--once") as agent:
            assert await agent.ends() == 0

    assert [post.json["event"] for post in web.posts] == [12012]


def test_a_pause_is_never_longer_than_a_quarter_of_an_hour(server: Server, config: Config) -> None:
    receiver = Receiver()
    receiver.refusals = [NotDelivered("it is down")] * 20
    find(server, MISSING)
    fill(config)
    at = NOON

    for _ in range(20):
        again = deliver_waiting(config, "webhook", receiver, at)
        assert again is not None
        assert again - at <= timedelta(minutes=15)
        at = again
