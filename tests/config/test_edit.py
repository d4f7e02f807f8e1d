"""Changing modes in an administrator's own file: that line, and nothing else."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from mailtrust.config.edit import replace_text, with_modes
from mailtrust.errors import BadConfiguration

WRITTEN = """\
# ours since 2019; ask before you touch it
[server]
name = "hub1.example.test"   # the name in DNS

[transport]
kind = "hub"
mode = "report"  # until all is clean
peer_modes = {"192.0.2.7" = "report", "192.0.2.9" = "enforce"}  # see the wiki

[policy]
days   =   900
"""


def changed(before: str, after: str) -> dict[str, str]:
    """The lines that differ."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return {old: new for old, new in pairs if old != new}


def test_one_mode_is_changed_and_every_comment_stays() -> None:
    after = with_modes(WRITTEN, None, {"192.0.2.7": "enforce"})

    assert changed(WRITTEN, after) == {
        'peer_modes = {"192.0.2.7" = "report", "192.0.2.9" = "enforce"}  # see the wiki': (
            'peer_modes = {"192.0.2.7" = "enforce", "192.0.2.9" = "enforce"}  # see the wiki'
        )
    }


def test_the_mode_itself_is_changed_in_its_line() -> None:
    after = with_modes(WRITTEN, "enforce", {})

    assert changed(WRITTEN, after) == {
        'mode = "report"  # until all is clean': 'mode = "enforce"  # until all is clean'
    }


def test_back_is_back_to_the_letter() -> None:
    there = with_modes(WRITTEN, "enforce", {"192.0.2.7": "enforce"})

    assert with_modes(there, "report", {"192.0.2.7": "report"}) == WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[server]\nname = "hub1.example.test"\n',
        '[transport]\nkind = "hub"',
        '[transport]\nkind = "hub"\n\n[policy]\ndays = 900\n',
        '[transport.peer_modes]\n"192.0.2.9" = "report"\n',
        'transport.kind = "hub"\ntransport.peer_modes."192.0.2.9" = "report"\n',
        "[transport]\npeer_modes = {}\n",
        '\ufeff[transport]\r\nkind = "hub"\r\n',
    ],
)
def test_what_is_not_there_yet_is_added(text: str) -> None:
    before = tomllib.loads(text.removeprefix("\ufeff"))
    after = with_modes(text, "enforce", {"192.0.2.7": "enforce", "2001:db8::7": "report"})

    found = tomllib.loads(after.removeprefix("\ufeff"))
    modes = {"192.0.2.7": "enforce", "2001:db8::7": "report"}
    held = before.get("transport", {})
    assert found["transport"] == {
        **held,
        "mode": "enforce",
        "peer_modes": {**held.get("peer_modes", {}), **modes},
    }
    assert {name: table for name, table in found.items() if name != "transport"} == {
        name: table for name, table in before.items() if name != "transport"
    }
    assert after.startswith("\ufeff") == text.startswith("\ufeff")


def test_nothing_is_written_where_nothing_changes() -> None:
    assert with_modes(WRITTEN, "report", {"192.0.2.7": "report"}) == WRITTEN


def test_owner_and_rights_of_the_file_stay(tmp_path: Path) -> None:
    """The agent, which is nobody in particular, goes on reading it."""
    file = tmp_path / "mailtrust.toml"
    file.write_text(WRITTEN)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 1234)
    owner = file.stat().st_uid, file.stat().st_gid
    replace_text(file, WRITTEN, "# new\n")

    assert file.read_text() == "# new\n"
    assert (file.stat().st_mode & 0o777, (file.stat().st_uid, file.stat().st_gid)) == (0o640, owner)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(WRITTEN)
    (tmp_path / "mailtrust.toml").symlink_to("real.toml")
    replace_text(tmp_path / "mailtrust.toml", WRITTEN, "# new\n")

    assert (tmp_path / "mailtrust.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == "# new\n"


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mailtrust.toml"
    file.write_text("# theirs\n")

    with pytest.raises(BadConfiguration, match="changed by somebody else"):
        replace_text(file, WRITTEN, "# new\n")
    assert file.read_text() == "# theirs\n"
