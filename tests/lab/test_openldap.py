"""The lab's directory of real slapd processes: it replicates, breaks, is mended, and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.cli import run
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.open import Directory
from mailtrust.errors import BadInput, DirectoryUnavailable, PublishRefused
from mailtrust.lab.openldap import OpenLdapReplicas, open_openldap
from mailtrust.lab.slapd import Slapd, program
from mailtrust.ldap import names
from tests.lab.left import running_below
from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.make import HUB1, HUB2, NOON, a_certificate
from tests.programs import needs

pytestmark = needs("slapd", "slapadd", "slapcat")

LAG = timedelta(seconds=0.5)
LONG = timedelta(minutes=10)


@dataclass
class Lab:
    """Three replicas, and the directory as hub1's account sees it."""

    replicas: OpenLdapReplicas
    directory: Directory

    async def publish(self, leaf: Certificate, server: ServerName = HUB1) -> None:
        await self.directory.publish(server, leaf.der, NOON)

    async def looks(self, server: ServerName = HUB1) -> tuple[ReplicaSighting, ...]:
        return await self.directory.look([server], NOON)

    async def holding(self, leaf: Certificate, server: ServerName = HUB1) -> list[bool | None]:
        """Replica by replica; None where it cannot be read."""
        return [None if look.found is None else leaf.pin in look.pins for look in await self.looks(server)]

    async def until(self, leaf: Certificate, *expected: bool, server: ServerName = HUB1) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.holding(leaf, server) != list(expected):  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.02)


@asynccontextmanager
async def seen_by(replicas: OpenLdapReplicas, server: ServerName) -> AsyncIterator[Directory]:
    """The directory, by that server's own account."""
    settings = replicas.settings(server)
    account = LdapSettings(
        names.parse(settings["base"]),
        Password(settings["bind_dn"], Path(settings["password_file"])),
        Path(settings["ca_file"]),
    )
    opened = [LdapReplica(url, account, timeout=timedelta(seconds=10)) for url in replicas.urls]
    directory = Directory(tuple(opened), opened[0], opened[0])
    try:
        yield directory
    finally:
        await directory.close()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Lab]:
    async with open_openldap(folder, 3, (HUB1, HUB2)) as replicas, seen_by(replicas, HUB1) as directory:
        yield Lab(replicas, directory)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running(tmp_path) as made:
        yield made
    assert running_below(tmp_path) == []


async def test_what_is_written_comes_to_the_others_when_it_has_lagged(lab: Lab) -> None:
    first, second = a_certificate(key="a"), a_certificate(key="b")
    await lab.publish(first)
    await lab.until(first, True, True, True)
    lab.replicas.lag = LAG
    clock = asyncio.get_running_loop().time

    written_at = clock()
    await lab.publish(second)
    assert await lab.holding(second) == [True, False, False]
    await lab.until(second, True, True, True)
    assert clock() - written_at >= LAG.total_seconds()


async def test_a_cut_replica_gets_nothing_until_it_heals(lab: Lab) -> None:
    third, leaf = lab.replicas.urls[2], a_certificate()
    await lab.replicas.cut(third)
    await lab.publish(leaf)
    await lab.until(leaf, True, True, False)

    await lab.replicas.heal(third)

    await lab.until(leaf, True, True, True)


async def test_a_cut_replica_gives_nothing_either(lab: Lab) -> None:
    first, second, _ = lab.replicas.urls
    leaf, neighbours = a_certificate(), a_certificate(HUB2, key="b")
    await lab.replicas.cut(first)
    await lab.publish(leaf)
    async with seen_by(lab.replicas, HUB2) as directory:
        await directory.publish(HUB2, neighbours.der, NOON, replica_url=second)
    # What went from the second to the third one shows that there was time.
    await lab.until(neighbours, False, True, True, server=HUB2)
    assert await lab.holding(leaf) == [True, False, False]

    await lab.replicas.heal(first)

    await lab.until(leaf, True, True, True)
    await lab.until(neighbours, True, True, True, server=HUB2)


async def test_a_restored_replica_is_older_than_it_was(lab: Lab) -> None:
    """What was written since the backup is gone there, and comes back from nobody while the links are cut."""
    before, after = a_certificate(key="a"), a_certificate(key="b")
    await lab.publish(before)
    await lab.until(before, True, True, True)
    for url in lab.replicas.urls:
        await lab.replicas.cut(url)

    async with lab.replicas.restored_afterwards(lab.replicas.urls[0]):
        await lab.publish(after)
        assert await lab.holding(after) == [True, False, False]

    assert await lab.holding(after) == [False, False, False]
    assert await lab.holding(before) == [True, True, True]
    for url in lab.replicas.urls:
        await lab.replicas.heal(url)
    await lab.publish(after)
    await lab.until(after, True, True, True)


async def test_a_damaged_replica_cannot_be_read_and_comes_back_as_it_was(lab: Lab) -> None:
    leaf, second = a_certificate(), lab.replicas.urls[1]
    await lab.publish(leaf)
    await lab.until(leaf, True, True, True)

    for _ in range(2):
        await lab.replicas.damage(second)
    look = (await lab.looks())[1]
    assert (look.found, look.why) == (None, "cannot be reached: Connection refused")
    for _ in range(2):
        await lab.replicas.repair(second)

    assert await lab.holding(leaf) == [True, True, True]


async def test_a_lag_does_not_keep_a_server_from_ending(lab: Lab) -> None:
    """One that waits for what a slow link tells does not hear that it shall stop."""
    second = lab.replicas.urls[1]
    lab.replicas.lag = LONG
    await lab.replicas.damage(second)
    await lab.replicas.repair(second)
    clock = asyncio.get_running_loop().time
    began = clock()
    await lab.replicas.damage(second)

    assert clock() - began < PATIENCE


async def test_garbage_is_taken_and_read_by_nobody(lab: Lab) -> None:
    value = lab.replicas.garbage(HUB1)
    await lab.directory.publish(HUB1, value, NOON)

    [first, *_] = await lab.looks()
    assert (first.found, [one.size_bytes for one in first.unparsable]) == ((), [len(value)])


async def test_a_server_writes_its_own_entry_and_nobody_elses(lab: Lab) -> None:
    """As the page on OpenLDAP has it."""
    with pytest.raises(PublishRefused):
        await lab.publish(a_certificate(HUB2), HUB2)


def opened(file: Path) -> tuple[str, tuple[int, int]]:
    """What stands in it, and who may look into its folder and into itself."""
    return file.read_text(), (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777)


async def test_passwords_are_for_nobody_else_to_read(lab: Lab) -> None:
    settings = lab.replicas.settings(HUB1)
    file = Path(settings["password_file"])
    password, modes = opened(file)

    assert modes == (0o700, 0o600)
    assert [one for one in running_below(file.parent) if password in one] == []


async def test_an_exception_leaves_nothing_running(tmp_path: Path) -> None:
    async def stumble() -> None:
        async with running(tmp_path) as lab:
            lab.replicas.lag = LONG
            assert len(running_below(tmp_path)) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumble()

    assert running_below(tmp_path) == []


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2])
async def test_who_is_cancelled_while_it_starts_leaves_nothing_running(
    tmp_path: Path, seconds: float
) -> None:
    """Whatever it is doing at that moment."""

    async def stay() -> None:
        async with running(tmp_path):
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    await asyncio.sleep(seconds)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert running_below(tmp_path) == []


async def test_a_server_that_does_not_start_says_why_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third of three: two run already."""
    fake = tmp_path / "bin" / "slapd"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\ncase "$2" in *3/slapd.conf) echo "no luck today"; exit 1;; esac\n'
        f'exec {program("slapd")} "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(DirectoryUnavailable, match="slapd did not start; it said: no luck today"):
        async with running(tmp_path):
            pytest.fail("it did start")

    assert running_below(tmp_path / "openldap") == []


def test_a_server_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    """And does not take whoever answers there for itself."""
    server = Slapd(tmp_path / "dc1", 1, free_port(), free_port())
    server.configure("include /etc/ldap/schema/core.schema\n")
    with (
        socket.create_server((LOOPBACK, server.tls_port)),
        pytest.raises(DirectoryUnavailable, match=r"said: .*Address already in use"),
    ):
        server.start()

    assert server.process is None


def test_without_slapd_one_sentence_says_so_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert run(["lab", "--directory", "openldap"]) == 1
    assert capsys.readouterr() == (
        "",
        "mailtrust: slapd is not installed, and the lab starts OpenLDAP servers of its own\n"
        "hint: on Debian or Ubuntu: apt install slapd; it need not run as a service\n",
    )
    assert list(tmp_path.iterdir()) == []


async def test_ten_replicas_are_too_many(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="9 OpenLDAP replicas at most"):
        async with open_openldap(tmp_path, 10, (HUB1,)):
            pytest.fail("it did start")
