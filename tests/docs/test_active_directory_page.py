"""The page on Active Directory, followed by somebody who has only the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import needs
from tests.samba.fixtures import forest, forest_at_rest, needs_forest
from tests.samba.forest import ADMINISTRATOR, PASSWORD, Forest

__all__ = ["forest", "forest_at_rest"]
pytestmark = [*needs_forest, needs("adcli")]

PAGE = (Path(__file__).parents[2] / "docs" / "directories" / "active-directory.md").read_text("utf-8")
HUB7 = "hub7.corp.example"


def written(begins: str) -> list[str]:
    """A command of the page, for hub7 where the page has hub1."""
    lines = re.sub(r"\\\n\s+", "", PAGE).splitlines()
    [command] = [line.strip() for line in lines if line.strip().startswith(begins)]
    return shlex.split(
        command.replace("HUB1$,HUB2$", "HUB7$").replace("HUB1", "HUB7").replace("hub1", "hub7")
    )


class Stranger:
    """Somebody with an empty folder, and the domain's password of its administrator."""

    def __init__(self, forest: Forest, folder: Path) -> None:
        self._forest = forest
        self.folder = folder
        self.keytab = folder / "hub7.keytab"

    def types(self, words: list[str], *, said: str = "") -> str:
        here = {"/etc/mailtrust/hub7.keytab": str(self.keytab)}
        typed = [re.sub("|".join(here), lambda found: here[found[0]], word) for word in words]
        if typed[0] == "mailtrust":
            typed = [str(Path(sys.executable).with_name("mailtrust")), *typed[1:]]
        ran = subprocess.run(
            typed, input=said, capture_output=True, text=True, cwd=self.folder, timeout=120,
            env={**os.environ, "KRB5CCNAME": f"FILE:{self.folder}/none"},
        )  # fmt: skip
        assert ran.returncode == 0, f"{typed}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def administers(self, words: list[str]) -> None:
        assert words[0] == "samba-tool"
        self._forest.tool(*words[1:], "-H", "ldap://dc1.corp.example", f"--user={ADMINISTRATOR}%{PASSWORD}")


def test_a_stranger_follows_the_page_to_a_clean_check(forest: Forest, tmp_path: Path) -> None:
    """Joined by adcli, signed in by Kerberos, without a certificate on any controller."""
    stranger = Stranger(forest, tmp_path)
    stranger.types([*written("adcli join"), "--stdin-password"], said=PASSWORD)
    stranger.administers(["samba-tool", "group", "add", "Relays"])
    [_, *_, members] = written("samba-tool group addmembers")
    stranger.administers(["samba-tool", "group", "addmembers", "Relays", members])
    stranger.administers(written("samba-tool dsacl set"))
    group = "CN=Relays,CN=Users,DC=corp,DC=example"
    init = [group if word.startswith("CN=Mail Servers") else word for word in written("mailtrust init")]

    begun = stranger.types(
        [*init, "--store", str(tmp_path / "store"), "--output", str(tmp_path / "mailtrust.toml")]
    )
    stranger.types(["mailtrust", "new"])
    fingerprint = next((tmp_path / "store" / "certificates").glob("*.crt")).stem[:12]
    stranger.types(["mailtrust", "enable", fingerprint, "--wait", "--yes"])

    assert "this server's entry is in the directory" in begun
    assert "dc2.corp.example" in begun
    assert "no error and no warning" in stranger.types(["mailtrust", "check", "--all"])
    assert "this account writes its own entry and no other" in stranger.types(
        ["mailtrust", "directory", "check", "--yes"]
    )


@pytest.mark.parametrize("command", ["samba-tool group add ", "samba-tool group addmembers"])
def test_each_command_for_samba_stands_there_once(command: str) -> None:
    assert written(command)[0] == "samba-tool"
