"""The part that runs as root, asked by somebody who means no good: it does what it is for, or nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mailtrust
from mailtrust.core.model.certificate import certificate
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.asking import Asking
from mailtrust.transports.postfix.chain import CHAIN_FILE
from mailtrust.transports.postfix.compile import CLIENTS, POLICY, Difference
from mailtrust.transports.postfix.lmdb_table import read
from mailtrust.transports.postfix.requests import LONGEST_LINE_BYTES
from tests import postfix
from tests.make import HUB1, HUB2, a_certificate
from tests.postfix import chain_pem
from tests.programs import needs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root may do is done as root")

DIGEST = ":".join(["ab"] * 32)
HOP = "[192.0.2.7]:25"
TABLES = {CLIENTS: {DIGEST: HUB2}, POLICY: {HOP: f"fingerprint match={DIGEST}"}}
CHAIN = chain_pem(HUB1)
NOBODY = 65534
HELPER = (sys.executable, "-I", "-m", "mailtrust.transports.postfix.helper")


@dataclass
class Setting:
    """What root has set up: a folder for the tables, and the file that says so."""

    folder: Path

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def settings(self) -> Path:
        return self.folder / "helper.toml"

    def says(self, text: str) -> None:
        self.settings.write_text(text)

    def run(self, *lines: bytes, settings: Path | None = None) -> list[Any]:
        """Ask those lines; the answers."""
        done = subprocess.run(
            [*HELPER, str(settings or self.settings)], input=b"".join(lines), capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def asked(self, **request: object) -> str:
        """The error with which one request is answered; empty where it was done."""
        [answer] = self.run(json.dumps(request).encode() + b"\n")
        return str(answer.get("error", ""))

    def files(self) -> list[str]:
        return sorted(str(one.relative_to(self.folder)) for one in self.folder.rglob("*") if one.is_file())


@pytest.fixture
def root() -> Iterator[Setting]:
    with postfix.folder() as folder:
        one = Setting(folder)
        (folder / "etc").mkdir()
        one.tables.mkdir()
        one.says(f'postfix = "{folder}/etc"\ntables = "{folder}/tables"\n')
        yield one


def test_it_writes_tables_and_chain_file(root: Setting) -> None:
    asking = Asking([*HELPER, str(root.settings)])
    asking.write(TABLES)
    asking.change({CLIENTS: Difference({DIGEST.replace("ab", "cd"): HUB1}, frozenset({DIGEST}))})
    asking.install(CHAIN.encode())
    asking.close()

    assert read(root.tables / f"{CLIENTS}.lmdb") == {DIGEST.replace("ab", "cd"): HUB1}
    assert read(root.tables / f"{POLICY}.lmdb") == TABLES[POLICY]
    assert (root.tables / CHAIN_FILE).read_text() == CHAIN


def test_a_socket_leads_to_it_as_well(root: Setting) -> None:
    """As systemd does for a socket unit with Accept=yes."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root.folder / "socket"))
        listener.listen()

        def accept() -> None:
            plug, _ = listener.accept()
            with plug:
                subprocess.run([*HELPER, str(root.settings)], stdin=plug, stdout=plug, check=True)

        serving = threading.Thread(target=accept)
        serving.start()
        asking = Asking(root.folder / "socket")
        asking.write(TABLES)
        asking.close()
        serving.join()

    assert read(root.tables / f"{CLIENTS}.lmdb") == TABLES[CLIENTS]


def test_what_it_refuses_is_told_in_its_words(root: Setting) -> None:
    asking = Asking([*HELPER, str(root.settings)])
    with pytest.raises(TransportUnavailable, match="no chain file"):
        asking.install(b"-----BEGIN PRIVATE KEY-----")
    asking.write(TABLES)
    asking.close()

    assert read(root.tables / f"{CLIENTS}.lmdb") == TABLES[CLIENTS]


def test_a_helper_that_is_not_there_is_told_with_a_hint(tmp_path: Path) -> None:
    for where in (tmp_path / "socket", [str(tmp_path / "program")], ["/bin/true"], ["/bin/echo", "hello"]):
        with pytest.raises(TransportUnavailable) as raised:
            Asking(where).reload()
        assert raised.value.hint


def rows(**tables: object) -> dict[str, object]:
    return {"do": "write", "tables": {**TABLES, **tables}}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "run", "command": "id"},
        {"do": "write"},
        {"do": "write", "tables": {}},
        {"do": "write", "tables": {CLIENTS: {DIGEST: HUB2}}},
        {"do": "write", "tables": TABLES, "path": "/etc"},
        rows(**{"../../etc/passwd": {}}),
        rows(**{"/etc/shadow": {}}),
        rows(**{CLIENTS: {DIGEST.upper(): HUB2}}),
        rows(**{CLIENTS: {DIGEST[:-3]: HUB2}}),
        rows(**{CLIENTS: {DIGEST + "\n": HUB2}}),
        rows(**{CLIENTS: {DIGEST: ""}}),
        rows(**{CLIENTS: {DIGEST: "two words"}}),
        rows(**{CLIENTS: {DIGEST: "nul\0"}}),
        rows(**{CLIENTS: {DIGEST: "x" * 300}}),
        rows(**{CLIENTS: {DIGEST: 7}}),
        rows(**{CLIENTS: [DIGEST]}),
        rows(**{POLICY: {HOP: "may"}}),
        rows(**{POLICY: {HOP: "none"}}),
        rows(**{POLICY: {HOP: "fingerprint"}}),
        rows(**{POLICY: {HOP: "fingerprint match="}}),
        rows(**{POLICY: {HOP: f"fingerprint match={DIGEST} ciphers=null"}}),
        rows(**{POLICY: {HOP: f"fingerprint match={DIGEST}|zz"}}),
        rows(**{POLICY: {"[MX1]:25": f"fingerprint match={DIGEST}"}}),
        rows(**{POLICY: {"": f"fingerprint match={DIGEST}"}}),
        rows(**{POLICY: {"two words": f"fingerprint match={DIGEST}"}}),
        {"do": "change", "put": {"chain.pem": {}}, "gone": {}},
        {"do": "change", "put": {}, "gone": {POLICY: ["two words"]}},
        {"do": "change", "put": {}, "gone": {"../x": [DIGEST]}},
        {"do": "install"},
        {"do": "install", "pem": ""},
        {"do": "install", "pem": CHAIN, "path": "/etc/shadow"},
        {"do": "install", "pem": CHAIN + "x"},
        {"do": "install", "pem": "é" * 100},
        {"do": "install", "pem": "x" * (1 << 20)},
        {"do": "reload", "command": "stop"},
    ],
)
def test_what_is_no_request_changes_nothing(root: Setting, request_: dict[str, object]) -> None:
    assert root.asked(**request_)

    assert root.files() == ["helper.toml"]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{\n",
        b"null\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"\0" * 100 + b"\n",
        b"[" * 100_000 + b"\n",
        b'{"do":"reload"}',
    ],
)
def test_what_is_no_line_of_json_is_answered(root: Setting, line: bytes) -> None:
    [answer] = root.run(line)

    assert answer["error"]
    assert root.files() == ["helper.toml"]


def test_a_line_without_end_is_given_up(root: Setting) -> None:
    [answer] = root.run(b" " * (LONGEST_LINE_BYTES + 100), b"\n", json.dumps(rows()).encode() + b"\n")

    assert "too long" in answer["error"]
    assert root.files() == ["helper.toml"]


def test_an_error_does_not_repeat_what_was_asked(root: Setting) -> None:
    [answer] = root.run(json.dumps({"do": "install", "pem": [CHAIN]}).encode() + b"\n")

    assert "PRIVATE" not in json.dumps(answer)


def test_a_bad_request_ends_nothing(root: Setting) -> None:
    first, second = root.run(b"{}\n", json.dumps(rows()).encode() + b"\n")

    assert first["error"]
    assert second == {}


def test_a_folder_that_leads_elsewhere_is_not_written(root: Setting) -> None:
    elsewhere = root.folder / "elsewhere"
    root.tables.rename(elsewhere)
    root.tables.symlink_to(elsewhere)

    assert "a link to one does not do" in root.asked(**rows())
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("change", ["owner", "mode", "owner above", "mode above"])
def test_a_folder_that_somebody_else_may_change_is_not_written(root: Setting, change: str) -> None:
    place = root.folder if "above" in change else root.tables
    if "owner" in change:
        os.chown(place, NOBODY, NOBODY)
    else:
        place.chmod(0o777)

    assert "not root's alone" in root.asked(**rows())
    assert root.files() == ["helper.toml"]


def test_a_folder_that_is_swapped_while_it_runs_is_not_written(root: Setting) -> None:
    asking = Asking([*HELPER, str(root.settings)])
    asking.write(TABLES)
    root.tables.rename(root.folder / "old")
    (root.folder / "target").mkdir()
    root.tables.symlink_to(root.folder / "target")

    with pytest.raises(TransportUnavailable, match="not a folder"):
        asking.write(TABLES)
    asking.close()

    assert list((root.folder / "target").iterdir()) == []


def test_a_link_in_the_place_of_the_chain_file_is_replaced_and_not_followed(root: Setting) -> None:
    target = root.folder / "target"
    target.write_text("precious")
    (root.tables / CHAIN_FILE).symlink_to(target)

    assert root.asked(do="install", pem=CHAIN) == ""

    assert target.read_text() == "precious"
    assert (root.tables / CHAIN_FILE).read_text() == CHAIN


def test_a_link_in_the_place_of_a_table_is_not_followed(root: Setting) -> None:
    target = root.folder / "target"
    target.write_text("precious")
    (root.tables / f"{CLIENTS}.lmdb").symlink_to(target)

    assert "cannot be written" in root.asked(**rows())

    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    "text",
    ["", "postfix = 7\n", 'tables = "/tmp"\n', 'postfix = "etc"\ntables = "/x"\n', "x = \xff", "= ="],
)
def test_settings_that_say_too_little_start_nothing(root: Setting, text: str) -> None:
    root.says(text)

    [answer] = root.run(json.dumps(rows()).encode() + b"\n")

    assert answer["error"]


def test_settings_with_a_key_that_nobody_knows_start_nothing(root: Setting) -> None:
    root.says(root.settings.read_text() + 'command = "id"\n')

    assert "keys that nobody knows: command" in root.asked(**rows())


@pytest.mark.parametrize("change", ["owner", "mode", "link", "pipe"])
def test_settings_that_are_not_roots_start_nothing(root: Setting, change: str) -> None:
    place = root.settings
    match change:
        case "owner":
            os.chown(place, NOBODY, NOBODY)
        case "mode":
            place.chmod(0o666)
        case "link":
            place.rename(root.folder / "other.toml")
            place.symlink_to(root.folder / "other.toml")
        case _:
            place.unlink()
            os.mkfifo(place)

    assert root.asked(**rows())
    assert not (root.tables / f"{CLIENTS}.lmdb").exists()


UNIT = Path(mailtrust.__file__).parent / "systemd" / "mailtrust-postfix-helper@.service"


@needs("setpriv", *postfix.PROGRAMS)
def test_the_rights_that_its_unit_leaves_are_enough() -> None:
    """`postfix reload` looks at owners and changes accounts; less than this and it fails."""
    rights = UNIT.read_text().partition("CapabilityBoundingSet=")[2].splitlines()[0].lower().split()
    bounded = ",".join(("-all", *(f"+{one.removeprefix('cap_')}" for one in rights)))
    with (
        postfix.folder() as folder,
        postfix.started(folder / "mx1", chain=chain_pem(HUB1), trusting=True) as mx1,
    ):
        (folder / "helper.toml").write_text(f'postfix = "{mx1.config}"\ntables = "{mx1.tables}"\n')
        words = ["setpriv", "--bounding-set", bounded, "--no-new-privs", *HELPER, folder / "helper.toml"]
        asking = Asking([str(one) for one in words])
        asking.write(TABLES)
        asking.install(chain_pem(HUB1, key="new").encode())
        done = asking.reload()
        asking.close()
        presented = certificate(postfix.presented(mx1.inner))

    assert done.why == ""
    assert presented.pin == a_certificate(HUB1, key="new").pin


def test_who_is_not_root_is_told_so(root: Setting) -> None:
    code = "import os, sys; from mailtrust.transports.postfix import helper; os.setuid(65534); helper.main()"
    done = subprocess.run([sys.executable, "-c", code, str(root.settings)], capture_output=True, check=True)

    assert "only root may" in json.loads(done.stdout)["error"]
