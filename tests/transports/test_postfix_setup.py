"""`postfix setup` on a stranger's Postfix: what it writes, and what it leaves alone."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from mailtrust.core.model.server import Endpoint
from mailtrust.errors import Refused
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.change import apply, planned, refuse_old
from mailtrust.transports.postfix.configuration import Configuration
from mailtrust.transports.postfix.ours import Places, all_wanted
from tests import postfix
from tests.loopback import free_port
from tests.postfix import chain_pem
from tests.transports.postfix_desk import MX2, NEXT_HOP, PEER, PostfixDesk
from tests.transports.postfix_stranger import desk, running

__all__ = ["desk", "running"]
pytestmark = postfix.MARKS


def test_setup_changes_what_it_shows_and_nothing_else(desk: PostfixDesk) -> None:
    before, main = desk.master.read_text(), (desk.one.config / "main.cf").read_bytes()

    shown = desk.must("setup", "--dry-run").out
    written = desk.must("setup", "--yes").out

    after = desk.master.read_text()
    added = [line[1:] for line in shown.splitlines() if re.match(r"\+(?!\+\+ )", line)]
    assert after == before + "".join(f"{line}\n" for line in added)
    assert shown.partition("would write")[0] == written.partition("wrote ")[0]
    assert (desk.one.config / "main.cf").read_bytes() == main
    assert desk.one.run("postfix", "check").stderr == ""


def test_what_it_shows_is_a_patch(desk: PostfixDesk) -> None:
    """Also of a file with tabulators, and without a line feed at its end."""
    desk.master.write_text(desk.master.read_text() + "late unix - - n - - smtp\n\t-o max_use=3\n# end")

    shown = desk.must("setup", "--dry-run").out

    assert "\n \t-o max_use=3\n-# end\n\\ No newline at end of file\n+# end\n" in shown


def test_to_set_up_again_changes_nothing(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    before = desk.master.stat()

    told = desk.must("setup", "--json").reads("postfix-setup")

    assert (told["changed"], told["needed"], told["diff"]) == (False, False, "")
    assert "nothing to change" in desk.must("setup").out
    assert desk.master.stat() == before


def test_a_harmless_edit_of_our_lines_is_left_alone(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    desk.edit(f"{desk.listener} inet n - n - - smtpd", f"{desk.listener} inet n - n - 20 smtpd")
    edited = desk.master.read_text()

    assert "nothing to change" in desk.must("setup", "--yes").out
    assert desk.master.read_text() == edited


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("smtpd_tls_req_ccert=no", "smtpd_tls_req_ccert=yes", "smtpd_tls_req_ccert"),
        ("permit_tls_clientcerts, check", "reject, check", "smtpd_client_restrictions"),
        ("  -o smtp_tls_security_level=fingerprint\n", "", "smtp_tls_security_level"),
    ],
)
def test_an_edit_that_defeats_the_purpose_is_not_written_over(
    desk: PostfixDesk, old: str, new: str, named: str
) -> None:
    desk.must("setup", "--yes")
    desk.edit(old, new)
    edited = desk.master.read_text()

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert "it was edited by hand" in ran.err
    assert named in ran.err
    assert desk.master.read_text() == edited


def test_the_printed_lines_are_accepted_as_they_are(running: PostfixDesk) -> None:
    """By `check` and by `setup`, also where configuration management leaves our comments out."""
    desk = running
    printed = desk.must("setup", "--print", "--json").reads("postfix-setup-print")["master_cf"]
    bare = "".join(f"{line}\n" for line in printed.splitlines() if not line.startswith("#"))
    before = desk.master.read_text()
    desk.compiled(clients={PEER: MX2}, policy={NEXT_HOP: f"fingerprint match={PEER}"})
    desk.route(f"hub:{NEXT_HOP}")

    for lines in (printed, bare):
        desk.master.write_text(before + lines)
        desk.one.reload()
        postfix.until(lambda: postfix.answers(desk.one.inner), "the new listener answers")

        assert "no error and no warning" in desk.must("check").out
        assert "nothing to change" in desk.must("setup").out
        assert desk.master.read_text() == before + lines


def test_what_is_printed_can_be_pasted(desk: PostfixDesk) -> None:
    desk.master.write_text(desk.master.read_text() + desk.must("setup", "--print").out)

    assert f"{desk.listener}/inet/mynetworks" in desk.one.run("postconf", "-P").stdout


def test_printing_needs_no_postfix(desk: PostfixDesk) -> None:
    (desk.one.config / "main.cf").unlink()

    assert "hub unix - - n - - smtp" in desk.must("setup", "--print").out


def test_a_transport_of_that_name_that_is_not_ours_is_left_alone(desk: PostfixDesk) -> None:
    theirs = desk.master.read_text() + "hub unix - - n - 2 smtp\n  -o smtp_helo_timeout=9\n"
    desk.master.write_text(theirs)

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert "hub/unix is in" in ran.err
    assert "somebody else wrote it, and differs from what direct trust needs in" in ran.err
    assert desk.master.read_text() == theirs


def test_a_postfix_of_ipv6_alone_gets_no_address_of_ipv4(desk: PostfixDesk) -> None:
    """Its master would not start any more, and with it port 25."""
    desk.set("-e", "inet_protocols = ipv6", "inet_interfaces = ::1")
    before = desk.master.read_text()

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert f"this Postfix could not listen at {desk.listener}: inet_protocols is ipv6" in ran.err
    assert "IPv6 address" in ran.err
    assert desk.master.read_text() == before


def test_the_public_port_is_not_taken(desk: PostfixDesk) -> None:
    desk.configure(listeners=f'"127.0.0.1:{desk.one.port}", "{desk.listener}"')
    desk.edit(f"127.0.0.1:{desk.one.port} inet", f"{desk.one.port} inet")

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert f"has {desk.one.port} already, which takes what comes to 127.0.0.1:{desk.one.port}" in ran.err
    assert "hint: choose an inner address or another port" in ran.err


@pytest.mark.parametrize(
    ("where", "why"),
    [("192.0.2.77:2525", "does not have that address"), ("[::1]:2525", "inet_protocols is ipv4")],
)
def test_a_place_where_postfix_could_not_listen_is_refused(desk: PostfixDesk, where: str, why: str) -> None:
    """It would not merely complain: its master ends, and with it all mail."""
    desk.configure(listeners=f'"{where}"')

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert why in ran.err


def test_a_port_that_somebody_else_has_is_refused(running: PostfixDesk) -> None:
    running.edit(f"127.0.0.1:{running.one.port} inet", f"127.0.0.1:{free_port()} inet")
    running.configure(listeners=f'"127.0.0.1:{running.one.port}"')

    ran = running.type("setup", "--yes")

    assert "somebody else listens there" in ran.err


def test_without_a_terminal_and_without_yes_nothing_changes(desk: PostfixDesk) -> None:
    before = desk.master.read_bytes()

    ran = desk.type("setup")

    assert ran.code == 1
    assert "nothing was changed" in ran.err
    assert desk.master.read_bytes() == before


def test_a_link_stays_one(desk: PostfixDesk) -> None:
    """As some configuration management has it."""
    elsewhere = desk.folder / "master.cf"
    desk.master.rename(elsewhere)
    desk.master.symlink_to(elsewhere)

    desk.must("setup", "--yes")

    assert desk.master.is_symlink()
    assert "hub unix" in elsewhere.read_text()


def test_several_instances_are_told_apart(desk: PostfixDesk) -> None:
    other = postfix.made(desk.folder / "mx2", chain=chain_pem(MX2), name=MX2)

    ran = desk.must("setup", "--yes", "--instance", other.config)

    assert "hub unix" in (other.config / "master.cf").read_text()
    assert "hub unix" not in desk.master.read_text()
    assert f"postfix check --instance {other.config}" in ran.out
    assert f"postfix -c {other.config} reload" in ran.out


@pytest.mark.parametrize(
    ("version", "refused"), [("2.11.3", True), ("3.3.22", True), ("3.4.0", False), ("3.10-20251101", False)]
)
def test_an_old_postfix_is_refused(version: str, *, refused: bool) -> None:
    """It would say "unused parameter" at most, and offer no TLS."""
    old = Configuration(Path("/etc/postfix"), {"mail_version": version})

    with pytest.raises(Refused, match="does not know") if refused else nullcontext():
        refuse_old(old)


def test_edited_lines_are_no_place_for_another_listener(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    desk.edit("  -o smtp_tls_loglevel=1\n", "  -o smtp_tls_loglevel=2\n")
    desk.configure(listeners=f'"{desk.listener}", "127.0.0.1:{free_port()}"')

    ran = desk.type("setup", "--yes")

    assert ran.code == 1
    assert "were edited by hand, and lack 127.0.0.1:" in ran.err


def test_a_file_without_a_last_line_end_is_no_trap(desk: PostfixDesk) -> None:
    desk.master.write_text(desk.master.read_text().rstrip("\n"))

    desk.must("setup", "--yes")

    assert desk.one.run("postconf", "-M", "hub/unix").stdout.startswith("hub")
    assert desk.one.run("postconf", "-M", "postlog/unix-dgram").stdout.split()[-1] == "postlogd"


def test_another_listener_takes_the_place_of_the_first(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    place = f"127.0.0.1:{free_port()}"
    desk.configure(listeners=f'"{place}"')

    ran = desk.must("setup", "--yes")

    text = desk.master.read_text()
    assert f"{place} inet" in text
    assert f"{desk.listener} inet" not in text
    assert text.count("hub unix") == 1
    assert f"{place} is an address of loopback: no other host can come there" in ran.err


def test_what_somebody_else_writes_meanwhile_is_not_lost(desk: PostfixDesk) -> None:
    """Whoever is asked may take his time, and have the file open elsewhere."""
    read = postconf.read(desk.one.config)
    change = planned(read, all_wanted((Endpoint("127.0.0.1", desk.one.inner),), Places(desk.one.tables), "x"))
    desk.edit("cleanup unix n - n - 0 cleanup", "cleanup unix n - n - 0 cleanup -v")

    with pytest.raises(Refused, match="somebody else wrote"):
        apply(change, read)

    assert "cleanup -v" in desk.master.read_text()
