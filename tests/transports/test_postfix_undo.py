"""`postfix undo`: a stranger's Postfix as it was before, and what was edited since."""

from __future__ import annotations

import os
import re

from tests import postfix
from tests.transports.postfix_desk import MX2, PostfixDesk
from tests.transports.postfix_stranger import desk, running

__all__ = ["desk", "running"]
pytestmark = postfix.MARKS


def test_undo_gives_the_file_back_to_the_byte(desk: PostfixDesk) -> None:
    desk.master.chmod(0o640)
    os.chown(desk.master, 12, 34)
    before = desk.master.read_bytes()

    desk.must("setup", "--yes")
    assert desk.master.read_bytes() != before
    foretold = desk.must("undo", "--dry-run", "--json").reads("postfix-undo")
    ran = desk.must("undo", "--yes")

    assert (foretold["needed"], foretold["changed"]) == (True, False)
    assert desk.master.read_bytes() == before
    about = desk.master.stat()
    assert (about.st_mode & 0o7777, about.st_uid, about.st_gid) == (0o640, 12, 34)
    assert f"postfix -c {desk.one.config} reload" in ran.out
    assert "nothing to undo" in desk.must("undo").out


def test_undo_leaves_what_was_edited_since(running: PostfixDesk) -> None:
    """Our lines, other lines, and what Postfix makes of them afterwards."""
    running.must("setup", "--yes")
    running.edit("  -o smtp_tls_loglevel=1\n", "  -o smtp_tls_loglevel=2\n")
    running.edit("cleanup unix n - n - 0 cleanup", "cleanup unix n - n - 0 cleanup -v")
    services = running.one.run("postconf", "-M").stdout

    ran = running.must("undo", "--yes")

    text = running.master.read_text()
    assert "cleanup unix n - n - 0 cleanup -v\n" in text
    assert "#  -o smtp_tls_loglevel=2\n" in text
    assert "smtp_tls_policy_maps" not in text
    assert (
        "left as a comment, because hub/unix is gone, for it was edited by hand: -o smtp_tls_loglevel=2"
        in ran.out
    )
    ours = re.compile(rf"^(?:hub|{re.escape(running.listener)}) .*\n", re.MULTILINE)
    assert squeezed(running.one.run("postconf", "-M").stdout) == squeezed(ours.sub("", services))
    assert running.one.run("postfix", "check").stderr == ""
    running.one.reload()
    assert postfix.answers(running.one.port)


def test_undo_that_cannot_tell_our_lines_any_more_says_so_and_changes_nothing(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    lines = desk.master.read_text().splitlines(keepends=True)
    bare = "".join(one for one in lines if "mailtrust sha256" not in one)
    desk.master.write_text(bare)

    ran = desk.type("undo", "--yes")

    assert ran.code == 1
    assert f"nothing was changed: whether {desk.listener}/inet, hub/unix is as" in ran.err
    assert "# mailtrust --config" not in ran.err, "a comment is no command"
    assert desk.master.read_text() == bare


def test_undo_names_services_that_no_comment_of_ours_stands_around(desk: PostfixDesk) -> None:
    assert "stays in force" not in desk.must("undo").err
    desk.must("setup", "--yes")
    lines = desk.master.read_text().splitlines(keepends=True)
    desk.master.write_text("".join(one for one in lines if not one.startswith("# mailtrust")))

    ran = desk.must("undo", "--yes")

    assert "nothing to undo" in ran.out
    assert f"{desk.listener}/inet, hub/unix stays in force" in ran.err


def squeezed(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_undo_says_whose_mail_would_wait(desk: PostfixDesk) -> None:
    desk.sound()

    assert f"mail for {MX2} is routed to hub" in desk.must("undo", "--yes").err
