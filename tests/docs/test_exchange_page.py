"""The page on Exchange, followed on a jump host by somebody who has only the page."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mailtrust.directory.exchange_entries import CONNECTOR_ATTRIBUTES, SERVER_ATTRIBUTES
from tests.exchange.certificates import internal
from tests.exchange.organization import MailServer, Organization
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import PASSWORD, READER, Forest

__all__ = ["forest", "forest_at_rest"]
pytestmark = needs_forest

PAGE = (Path(__file__).parents[2] / "docs" / "directories" / "exchange.md").read_text("utf-8")


def written(*holds: str) -> list[str]:
    """The one command of the page that holds all of these words, for an account that there is."""
    lines = [line.strip() for line in re.sub(r"\\\n\s+", "", PAGE).splitlines() if line.startswith("    ")]
    [command] = [line for line in lines if all(word in line for word in holds)]
    return shlex.split(command.replace("auditor", READER))


@pytest.fixture(scope="module")
def corp(forest: Forest) -> Forest:
    """One server, with its own certificate, where nobody listens."""
    asyncio.run(Organization(forest).add(MailServer("MBX1", internal("MBX1").certificate.der)))
    return forest


class Auditor:
    """Somebody with an empty folder, and an account of the domain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def types(self, words: list[str], *, said: str = "") -> str:
        typed = (
            [str(Path(sys.executable).with_name(words[0])), *words[1:]] if words[0] == "mailtrust" else words
        )
        ran = subprocess.run(
            typed, input=said, capture_output=True, text=True, cwd=self.folder, timeout=120,
            env={**os.environ, "KRB5CCNAME": f"FILE:{self.folder}/ticket"},
        )  # fmt: skip
        assert ran.returncode == 0, f"{typed}: {ran.stdout}{ran.stderr}"
        return ran.stdout


def test_it_is_run_with_a_ticket(corp: Forest, tmp_path: Path) -> None:
    auditor = Auditor(tmp_path)
    auditor.types(written("kinit"), said=PASSWORD)

    page = auditor.types(written("--controller ldap://dc1.corp.example"))

    assert "2 of 2 answered" in page
    assert "12116  mbx1.corp.example" in page
    assert (tmp_path / "audit.html").exists()


def test_it_is_run_with_a_password(corp: Forest, tmp_path: Path) -> None:
    shutil.copy(corp.ca_file, tmp_path / "domain-ca.pem")
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)

    page = Auditor(tmp_path).types(written("--bind-dn", "--password-file"))

    assert "2 of 2 answered" in page
    assert "reader@corp.example" in page


def test_every_attribute_that_is_read_stands_on_the_page() -> None:
    read = {*SERVER_ATTRIBUTES, *CONNECTOR_ATTRIBUTES} - {"objectClass"}

    assert {one for one in read if f"`{one}`" not in PAGE} == set()
