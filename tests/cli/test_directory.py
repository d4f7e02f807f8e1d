"""`directory`: the replicas as a whole, bringing them together, and putting raw bytes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from mailtrust.core.model.certificate import fingerprint_of, short
from tests.cli.desk import HUB1, Desk
from tests.cli.test_enable import replicating
from tests.make import a_certificate, a_key, an_x509
from tests.shapes import reads

SECONDS = 30


def row(screen: str, replica: str) -> list[str]:
    return next(line.split() for line in screen.splitlines() if line.split()[1:2] == [replica])


def test_show_says_what_each_replica_holds(desk: Desk) -> None:
    desk.must("enable", desk.made(), "--yes")
    desk.damage("dc3")

    screen = desk.must("directory", "show").out

    assert row(screen, "dc1+")[:5] == ["●", "dc1+", "1", "1", "0"]
    assert row(screen, "dc2*") == ["●", "dc2*", "0", "0", "0", "-"]
    assert row(screen, "dc3") == ["?", "dc3", "-", "-", "-", "-"]
    assert f"? {desk.url('dc3')}: its file is no database" in screen
    assert "mailtrust directory replicate --once" in screen


def test_show_as_json(desk: Desk) -> None:
    desk.must("enable", desk.made(), "--yes")
    desk.damage("dc3")

    report = desk.must("directory", "show", "--json").json

    assert report["schema"] == "mailtrust.directory/1"
    states: dict[str, Any] = {one["replica"]: one for one in report["replicas"]}
    assert (states[desk.url("dc1")]["values"], states[desk.url("dc1")]["primary"]) == (1, True)
    assert (states[desk.url("dc2")]["values"], states[desk.url("dc2")]["home"]) == (0, True)
    assert (states[desk.url("dc3")]["values"], states[desk.url("dc3")]["readable"]) == (None, False)
    assert states[desk.url("dc3")]["why"] == "its file is no database"


def test_replicating_once_brings_all_together(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--yes")

    first = desk.must("directory", "replicate", "--once").out
    second = desk.must("directory", "replicate", "--once").out

    assert set(map(tuple, filter(None, desk.published().values()))) == {(fingerprint,)}
    assert "all replicas hold the same now" in first
    assert second == "nothing to change: all replicas hold the same\n"


def test_replicating_once_skips_and_names_the_unreadable(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("enable", fingerprint, "--yes")
    desk.damage("dc3")

    words = desk.type("directory", "replicate", "--once")
    report = desk.type("directory", "replicate", "--once", "--json")

    assert (words.code, report.code) == (1, 1)
    assert "dc3 took no part" in words.err
    assert "its file is no database" in words.err
    assert desk.published() == {"dc1": [fingerprint], "dc2": [fingerprint], "dc3": None}
    assert report.json["complete"] is False
    assert [one["replica"] for one in report.json["skipped"]] == [desk.url("dc3")]


@asynccontextmanager
async def uniting(desk: Desk, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mailtrust", "directory", "replicate", *words, "--json",
        cwd=desk.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: asyncio.subprocess.Process, count: int) -> list[Any]:
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        return [json.loads(await process.stdout.readline()) for _ in range(count)]


async def test_replicating_goes_on_until_interrupted(desk: Desk) -> None:
    """With a lag nothing arrives before its time; then everything does."""
    value = a_certificate(HUB1).der
    (desk.folder / "value").write_bytes(value)
    async with uniting(desk, "--lag", "1s") as process:
        await asyncio.to_thread(desk.must, "directory", "put", HUB1, "value", "--yes")
        found = [reads("replicate-delivered", one) for one in await lines(process, 2)]
        process.send_signal(2)
        async with asyncio.timeout(SECONDS):
            code = await process.wait()

    assert {one["target"] for one in found} == {desk.url("dc2"), desk.url("dc3")}
    assert code == 130


async def test_a_replica_that_cannot_be_reached_is_a_line_as_well(desk: Desk) -> None:
    desk.damage("dc3")

    async with uniting(desk) as process:
        [found] = await lines(process, 1)

    assert reads("replicate-reached", found)["replica"] == desk.url("dc3")


def test_a_lag_and_once_exclude_each_other(desk: Desk) -> None:
    ran = desk.type("directory", "replicate", "--once", "--lag", "5s")

    assert ran.code == 2
    assert "--lag belongs to going on" in ran.err


def test_put_publishes_a_files_bytes_as_they_are(desk: Desk) -> None:
    leaf = a_certificate("hub9.example.test")
    (desk.folder / "hub9.cer").write_bytes(leaf.der)

    ran = desk.must(
        "directory", "put", "hub9.example.test", "hub9.cer", "--replica", "dc3", "--yes", "--json"
    )

    assert ran.json == {
        "schema": "mailtrust.put/1", "server": "hub9.example.test",
        "replica": desk.url("dc3"), "fingerprint": leaf.fingerprint,
    }  # fmt: skip
    [server] = desk.must("status", "--server", "hub9.example.test", "--json").json["servers"]
    assert [one["found"] for one in server["published"]] == [[], [], [leaf.fingerprint]]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_put_changes_nothing_unasked(desk: Desk, options: list[str]) -> None:
    (desk.folder / "value").write_bytes(b"garbage")

    ran = desk.type("directory", "put", HUB1, "value", *options)

    assert ran.code == (0 if options else 1)
    assert f"{short(fingerprint_of(b'garbage'))} (7 bytes that are no certificate)" in ran.said
    assert desk.must("directory", "show", "--json").json["replicas"][1]["values"] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["hub1", "value"], "'hub1' is not a fully qualified server name"),
        ([HUB1, "nowhere"], "there is no file nowhere"),
        ([HUB1, "empty"], "empty is empty: there is nothing to put"),
        ([HUB1, "value", "--replica", "dc7"], "'dc7' names none of this server's replicas"),
    ],
)
def test_put_says_what_it_cannot_use(desk: Desk, arguments: list[str], sentence: str) -> None:
    (desk.folder / "value").write_bytes(b"garbage")
    (desk.folder / "empty").write_bytes(b"")

    ran = desk.type("directory", "put", *arguments, "--yes")

    assert ran.code == 1
    assert sentence in ran.err


@pytest.mark.parametrize("kind", ["PEM", "DER", "encrypted PEM", "PKCS#12"])
def test_a_private_key_is_never_put_into_the_directory(desk: Desk, kind: str) -> None:
    """Everybody may read it, and what was published once is known for ever."""
    key, secret = a_key("a", "p256"), serialization.BestAvailableEncryption(b"secret")
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    content = {
        "PEM": key.private_bytes(serialization.Encoding.PEM, pkcs8, plain),
        "DER": key.private_bytes(serialization.Encoding.DER, pkcs8, plain),
        "encrypted PEM": key.private_bytes(serialization.Encoding.PEM, pkcs8, secret),
        "PKCS#12": pkcs12.serialize_key_and_certificates(None, key, an_x509(HUB1), None, secret),
    }
    (desk.folder / "value").write_bytes(content[kind])

    ran = desk.type("directory", "put", HUB1, "value", "--yes")

    assert ran.code == 1
    assert "value holds a private key, and everybody may read the directory: nothing was put" in ran.err
    assert not list(desk.folder.glob("dc?.db"))


def test_a_file_knows_no_accounts_and_says_so(desk: Desk) -> None:
    """Whoever may write it may publish for everybody: no rule could be tried."""
    ran = desk.type("directory", "check", "--yes")

    assert ran.code == 1
    assert "whoever may write it may publish for every server" in ran.err
    assert "hint: guard it by the rights of the file" in ran.err


def test_files_are_brought_together_by_us_and_not_pulled(desk: Desk) -> None:
    fingerprint = desk.enabled()
    assert "nothing to fetch" in desk.must("directory", "pull").out
    new = desk.made()
    desk.must("enable", new, "--yes")

    ran = desk.type("directory", "pull")
    json = desk.type("directory", "pull", "--json").json

    assert ran.code == 1
    assert "mailtrust directory replicate --once" in ran.out
    assert {(one["lacks"], one["told"]) for one in json["replicas"]} == {(new, False)}
    assert desk.must("directory", "pull", "--dry-run").out.count(new[:12]) == 2
    assert fingerprint != new


def test_show_tells_how_quickly_replicas_answer_and_how_long_replication_took(desk: Desk) -> None:
    """Measured whenever somebody waited."""
    desk.enabled()
    new = desk.made()
    with replicating(desk):
        desk.must("enable", new, "--yes", "--wait")

    said = desk.must("directory", "show").out
    shown = {one["replica"]: one for one in desk.must("directory", "show", "--json").json["replicas"]}

    assert "replication took" in said
    assert "due within 15m (directory.latency)" in said
    late = shown[desk.url("dc3")]
    assert late["latency_seconds"] == 900
    assert 0 <= late["latency_measured_seconds"][-1] < 60
    assert late["answered_in_seconds"] > 0
    assert shown[desk.url("dc1")]["latency_measured_seconds"] == []


@pytest.mark.parametrize(
    ("replica", "sentences"),
    [
        (
            "dc1",
            [
                "dc1 takes this server's writes",
                "no rotation publishes or withdraws anything",
                "let `directory.primary` name another replica that takes writes",
            ],
        ),
        (
            "dc2",
            ["this server reads dc2", "`check` has no verdict", "let `directory.home` name another replica;"],
        ),
    ],
)
def test_a_replica_that_is_read_or_written_here_is_called_dead_with_a_warning(
    desk: Desk, replica: str, sentences: list[str]
) -> None:
    """The word ends the waiting for it and nothing else: somebody has to name another one."""
    words = ["directory", "dead", replica, "--until", "2d", "--reason", "its disk is gone"]

    foretold = desk.must(*words, "--dry-run")
    said = desk.must(*words, "--yes", "--json")
    back = desk.must("directory", "dead", replica, "--alive")

    for ran in (foretold, said):
        assert all(sentence in ran.err for sentence in sentences)
        assert f"to take this word back: mailtrust directory dead {replica} --alive" in ran.err
    assert said.json["reason"] == "its disk is gone"
    assert "warning" not in back.err


def test_a_replica_that_only_peers_read_is_called_dead_without_a_warning(desk: Desk) -> None:
    said = desk.must("directory", "dead", "dc3", "--until", "2d", "--reason", "its disk is gone", "--yes")

    assert said.err == ""
