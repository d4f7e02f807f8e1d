"""What Postfix presents: put there only if Postfix can present it, and presented after a reload."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrust.core.model.certificate import certificate
from mailtrust.errors import BadInput, KeyMismatch, TransportUnavailable
from mailtrust.transports.postfix import processes
from mailtrust.transports.postfix.chain import CHAIN_FILE, install, presented
from mailtrust.transports.postfix.instance import Instance
from tests import postfix
from tests.loopback import eventually
from tests.make import a_certificate
from tests.postfix import Postfix, answer, chain_pem, session

MX1 = "mx1.example.test"
OLD, NEW = chain_pem(MX1, key="old").encode(), chain_pem(MX1, key="new").encode()
KEY, LEAF = NEW[: NEW.index(b"-----BEGIN CERT")], NEW[NEW.index(b"-----BEGIN CERT") :]


def needs_postfix(test: Callable[..., object]) -> Callable[..., object]:
    for mark in postfix.MARKS:
        test = mark(test)
    return test


def test_the_chain_file_is_its_owners_alone(tmp_path: Path) -> None:
    leaf = install(tmp_path, NEW)

    file = tmp_path / CHAIN_FILE
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (NEW, 0o600)
    assert leaf.pin == a_certificate(MX1, key="new").pin


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        KEY,
        LEAF,
        LEAF + KEY,
        KEY + KEY + LEAF,
        NEW + b"and more",
        b"# a remark\n" + NEW,
        NEW + LEAF * 30,
        NEW + b"\n" * (64 << 10),
        NEW.replace(b"\n", b"\r\n"),
        KEY.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY") + LEAF,
        KEY[:60] + b"AAAA" + KEY[64:] + LEAF,
        KEY + LEAF[:28] + b"AAAA" + LEAF[32:],
    ],
)
def test_what_postfix_cannot_present_is_never_put_there(tmp_path: Path, pem: bytes) -> None:
    install(tmp_path, OLD)

    with pytest.raises(BadInput):
        install(tmp_path, pem)

    assert (tmp_path / CHAIN_FILE).read_bytes() == OLD


def test_a_key_of_another_certificate_is_never_put_there() -> None:
    """`postfix check` does not notice; then every peer is told that there is no TLS."""
    with pytest.raises(KeyMismatch):
        presented(OLD[: OLD.index(b"-----BEGIN CERT")] + LEAF)


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(TransportUnavailable, match=CHAIN_FILE):
        install(tmp_path / "nowhere", NEW)


@pytest.fixture
def mx1() -> Iterator[Postfix]:
    with (
        postfix.folder() as folder,
        postfix.started(
            folder / "mx1", chain=OLD.decode(), trusting=True, tables={"relay_clientcerts": {}}
        ) as one,
    ):
        yield one


def shown(mx1: Postfix) -> object:
    return certificate(postfix.presented(mx1.inner)).pin


@needs_postfix
async def test_after_a_reload_the_new_one_is_presented_and_open_sessions_go_on(mx1: Postfix) -> None:
    instance = Instance(mx1.config, mx1.tables)
    with session(mx1.inner) as before:
        with session(mx1.inner):
            """Its process waits for another session, and read the old file."""
        instance.install(NEW)
        unloaded = shown(mx1)
        done = instance.reload()
        loaded = shown(mx1)
        assert answer(before, f"ann@{MX1}").code == 450

        assert (unloaded, loaded) == tuple(a_certificate(MX1, key=one).pin for one in ("old", "new"))
        # The one behind the open session read the old file, and is named until it ends.
        assert done.older is not None
        [old] = [one for one in done.older if one.name == "smtpd" and one.still_runs()]

    await eventually(lambda: not old.still_runs(), "the old process ends with its session")


@needs_postfix
def test_a_reload_that_fails_says_why(mx1: Postfix) -> None:
    mx1.stop()

    with pytest.raises(TransportUnavailable, match="reload` failed"):
        Instance(mx1.config, mx1.tables).reload()


def test_an_instance_that_does_not_run_has_no_processes_to_look_at(tmp_path: Path) -> None:
    seen = processes.look(tmp_path)

    assert seen.older_than(processes.boot_clock()) is None
    assert "master.pid" in seen.why
