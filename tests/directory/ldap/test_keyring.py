"""The directory's password in a key ring: of the library's own kind, found as its documentation has it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import slapd
from tests.make import HUB1
from tests.programs import needs
from tests.slapd import ADMIN, PASSWORD, SERVERS, Server

pytestmark = needs("slapd", "slapadd")

SERVICE = "mailtrust"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Desk:
    """A mail server whose configuration names a key ring."""

    folder: Path
    server: Server

    def shown(self, backend: str, *, before: str = "", service: str = SERVICE) -> str:
        """What the program says of the directory, in one line; *before* it begins, this is done."""
        file = self.folder / "mailtrust.toml"
        file.write_text(
            f"""\
[server]
name = "{HUB1}"
store = "{self.folder}/store"
[directory]
home = "{self.server.ldaps}"
base = "{SERVERS}"
ca_file = "{self.server.ca_file}"
bind = "simple"
bind_dn = "{ADMIN}"
password_keyring = "{service}"
[policy]
probe_timeout = "2s"
""",
            "utf-8",
        )
        code = f"import sys\n{before}\nfrom mailtrust.cli import main\nmain()"
        held = {"RING_SERVICE": SERVICE, "RING_ACCOUNT": ADMIN, "RING_PASSWORD": PASSWORD}
        ran = subprocess.run(
            [sys.executable, "-c", code, "--config", file, "directory", "show"],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, **held, "PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return " ".join(ran.stdout.split())


@pytest.fixture
def desk(short: Path) -> Iterator[Desk]:
    with slapd.started(short) as (server,):
        yield Desk(short, server)


def test_the_password_comes_out_of_the_ring(desk: Desk) -> None:
    said = desk.shown("tests.directory.ring.Held")

    assert " - - - " not in said
    assert f'BIND dn="{ADMIN}" mech=SIMPLE' in desk.server.log()


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("keyring.backends.fail.Keyring", "in a key ring, and this account has none here"),
        ("keyring.backends.null.Keyring", f"no password for the service {SERVICE} and the account {ADMIN}"),
        ("tests.directory.ring.Locked", f"did not give the password of {ADMIN}: Failed to unlock"),
        ("tests.directory.ring.Broken", f"did not give the password of {ADMIN}: ZeroDivisionError"),
        ("tests.directory.ring.Nowhere", f"did not give the password of {ADMIN}: "),
    ],
)
def test_a_ring_that_does_not_give_it_is_a_sentence(desk: Desk, backend: str, words: str) -> None:
    said = desk.shown(backend)

    assert words in said
    assert "BIND" not in desk.server.log()


def test_an_entry_of_another_service_is_not_ours(desk: Desk) -> None:
    assert "holds no password for the service postfix" in desk.shown(
        "tests.directory.ring.Held", service="postfix"
    )


def test_the_library_is_named_where_it_is_missing(desk: Desk) -> None:
    said = desk.shown("tests.directory.ring.Held", before="sys.modules['keyring'] = None")

    assert "the password is in a key ring, and the library for it is missing" in said


def test_a_ring_that_waits_for_somebody_costs_the_deadline(desk: Desk) -> None:
    """And the program ends, though nobody ever comes."""
    begun = time.monotonic()

    said = desk.shown("tests.directory.ring.Silent")

    assert "within 1.8 seconds, asking the key ring for the password" in said
    assert time.monotonic() - begun < 15
