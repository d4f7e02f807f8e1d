"""From our journal to the machine's log: each entry once, whatever becomes of the log."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.agent.journal import Journal
from mailtrust.agent.shipping import is_journal, ship, ship_or_say_why
from mailtrust.config import Config, Log, load
from mailtrust.config.log_kind import Kind
from mailtrust.core.events import catalog
from mailtrust.core.events.message_id import message_id
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.core.model.sighting import Act
from mailtrust.errors import LogUnavailable
from mailtrust.texts import load as texts
from tests.agent.agents import Server, an_agent
from tests.journald import JOURNALD, a_journal
from tests.make import DC1, HUB1, NOON, a_certificate, minutes
from tests.programs import needs
from tests.shapes import reads

ENGLISH = texts("en", strict=True)
MISSING = Finding(
    catalog.CERTIFICATE_MISSING, HUB1, DC1, "not-enabled", {"replica": DC1, "fingerprint": "ab" * 32},
    action="mailtrust enable ab",
)  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    made.configure()
    return made


def logging_to(server: Server, log: Log) -> Config:
    return replace(load(server.config, {}, default_name=str), log=log)


@pytest.fixture
def config(server: Server) -> Config:
    """Its events go to a file."""
    return logging_to(server, Log(Kind.JSON, server.folder / "log.jsonl"))


def lines(config: Config) -> list[dict[str, object]]:
    assert config.log.file is not None
    return [reads("log", json.loads(line)) for line in config.log.file.read_text("utf-8").splitlines()]


def find(journal: Journal, *findings: Finding, at: int = 0) -> None:
    journal.record_diagnosis(Diagnosis(findings), [HUB1], NOON + minutes(at))


def test_each_entry_is_shipped_once(server: Server, config: Config) -> None:
    find(server.journal, MISSING)
    assert ship(config, ENGLISH, NOON) == 1
    find(server.journal, at=1)

    assert (ship(config, ENGLISH, NOON), ship(config, ENGLISH, NOON)) == (1, 0)
    opened, closed = lines(config)
    assert opened == {
        "schema": "mailtrust.log/1", "identifier": "mailtrust", "priority": 3,
        "message_id": message_id(12012), "at": "2026-06-01T12:00:00Z", "state": "opened", "event": 12012,
        "name": "InternalTransportCertificateMissingInAD", "severity": "error", "server": HUB1, "place": DC1,
        "cause": "not-enabled", "action": f"mailtrust --config {server.config} enable ab",
        "values": {"replica": DC1, "fingerprint": "ab" * 32},
        "message": f"12012 opened: {ENGLISH.message(MISSING)}",
    }  # fmt: skip
    assert (closed["state"], closed["priority"]) == ("closed", 5)


def test_an_act_says_what_was_done(server: Server, config: Config) -> None:
    leaf = a_certificate()
    server.journal.record_act(Act("publish", HUB1, leaf.fingerprint, NOON, DC1))

    ship(config, ENGLISH, NOON)

    [done] = lines(config)
    assert (done["event"], done["state"], done["priority"]) == (None, "done", 6)
    assert done["message"] == f"{HUB1} done: publish {leaf.fingerprint[:12]} at {DC1}"


def test_what_a_log_did_not_take_follows_when_it_is_back(server: Server, config: Config) -> None:
    """It is said in the journal why; and the order stays."""
    assert config.log.file is not None
    config.log.file.mkdir()
    find(server.journal, MISSING)

    why = ship_or_say_why(config, ENGLISH, NOON)
    config.log.file.rmdir()
    shipped = ship(config, ENGLISH, NOON)

    assert "cannot be written" in why
    assert shipped == 2
    assert [line["event"] for line in lines(config)] == [12012, 12165]


def test_what_is_older_than_a_day_stays_where_it_is(server: Server, config: Config) -> None:
    find(server.journal, MISSING)

    assert ship(config, ENGLISH, NOON + timedelta(days=2)) == 0


def test_a_journal_of_an_older_release_is_not_told_anew(server: Server, config: Config) -> None:
    find(server.journal, MISSING)
    with closing(sqlite3.connect(server.journal.path)) as db:
        for table in ("reader", "told", "notice", "way"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 4")
        db.commit()

    assert ship(config, ENGLISH, NOON) == 0
    find(server.journal, at=1)
    assert ship(config, ENGLISH, NOON) == 1


def test_two_who_ship_do_not_ship_twice(server: Server, config: Config) -> None:
    """Whoever comes second leaves it to the first."""
    find(server.journal, MISSING)
    with (config.server.store / "log.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert ship(config, ENGLISH, NOON) == 0
    assert ship(config, ENGLISH, NOON) == 1


def test_a_log_that_is_full_is_not_waited_for(server: Server) -> None:
    """Nobody reads from that socket: it takes what its buffer holds, and the rest later."""
    with tempfile.TemporaryDirectory(prefix="mt") as folder, closing(_socket(Path(folder) / "log")) as plug:
        config = logging_to(server, Log(Kind.SYSLOG, socket=Path(folder) / "log"))
        leaf = a_certificate().fingerprint
        for number in range(300):
            server.journal.record_act(Act("publish", HUB1, leaf, NOON, f"{DC1}{number}"))

        first = ship(config, ENGLISH, NOON)
        heard = [plug.recv(4096) for _ in range(first)]
        rest = ship(config, ENGLISH, NOON)
        heard += [plug.recv(4096) for _ in range(rest)]

    assert 0 < first < 300
    assert len(set(heard)) == first + rest


def _socket(path: Path) -> socket.socket:
    plug = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    plug.bind(str(path))
    plug.settimeout(5)
    return plug


def test_a_log_that_is_named_and_gone_is_said(server: Server) -> None:
    config = logging_to(server, Log(Kind.JOURNALD, socket=server.folder / "nobody"))
    find(server.journal, MISSING)

    with pytest.raises(LogUnavailable):
        ship(config, ENGLISH, NOON)
    assert ship_or_say_why(config, ENGLISH, NOON).startswith("systemd's journal does not listen")


def test_where_the_output_is_the_journal_it_is_known(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())

        assert is_journal(stream.fileno(), {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not is_journal(stream.fileno(), {"JOURNAL_STREAM": "8:1"})
        assert not is_journal(stream.fileno(), {})


async def test_an_agent_writes_lines_where_it_is_told_to(server: Server) -> None:
    file = server.folder / "log.jsonl"
    server.configure(agent="", more=f'[log]\nfile = "{file}"')
    async with an_agent(
        server.folder, "--config", server.config, "agent", environment={"MAILTRUST_LOG": ""}
    ) as agent:
        await agent.manager.hears("READY=1")
        await server.comes_to(lambda _: file.exists() and "12012" in file.read_text("utf-8"))

        assert await agent.stop() == 0
    said = [reads("log", json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    assert [one["event"] for one in said if one["state"] == "opened"][:1] == [12012]


async def test_without_a_log_the_lines_stand_on_standard_error_and_nothing_twice(server: Server) -> None:
    server.configure(agent="", more='[log]\nto = "json"')
    environment = {"MAILTRUST_LOG": ""}
    words = ("--config", server.config, "agent")
    async with an_agent(server.folder, *words, environment=environment) as agent:
        await agent.manager.hears("READY=1")
        assert agent.process.stderr is not None
        line = reads("log", json.loads(await agent.process.stderr.readline()))
        assert await agent.stop() == 0
        assert agent.process.stdout is not None
        said = await agent.process.stdout.read()

    assert (line["event"], line["state"]) == (12012, "opened")
    assert said == b""


@pytest.mark.timeout(120)
@needs(JOURNALD, "journalctl", "unshare")
async def test_an_agent_writes_into_the_journal_of_systemd_and_check_too(server: Server) -> None:
    with a_journal() as journal:
        server.configure(agent="", more=f'[log]\nto = "journald"\nsocket = "{journal.socket}"')
        environment = {"MAILTRUST_LOG": ""}
        words = ("--config", server.config)
        async with an_agent(server.folder, *words, "agent", environment=environment) as agent:
            await agent.manager.hears("READY=1")
            [entry] = journal.comes_to(1, "MAILTRUST_EVENT=12012")
            assert await agent.stop() == 0
        async with an_agent(server.folder, *words, "new", environment=environment) as new:
            assert await new.ends() == 0
        async with an_agent(server.folder, *words, "check", environment=environment) as check:
            assert await check.ends() == 2
        later = journal.comes_to(2, "MAILTRUST_EVENT=12012")

    assert entry["MESSAGE_ID"] == message_id(12012)
    assert (entry["MAILTRUST_STATE"], entry["MAILTRUST_CAUSE"]) == ("opened", "no-certificate")
    assert [one["MAILTRUST_STATE"] for one in later] == ["opened", "changed"]
    assert later[1]["MAILTRUST_ACTION"].startswith(f"mailtrust --config {server.config} enable ")
