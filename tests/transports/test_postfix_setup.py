"""`postfix setup` and `postfix undo` on a stranger's Postfix that goes on as before."""

from __future__ import annotations

import asyncio
import os
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.core.model.server import Endpoint, server_name
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.errors import Refused
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.change import apply, planned, refuse_old
from mailtrust.transports.postfix.configuration import Configuration
from mailtrust.transports.postfix.ours import Places, all_wanted
from tests import postfix
from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.make import a_certificate
from tests.postfix import answer, chain_pem, session
from tests.transports.postfix_desk import MX1, MX2, NEXT_HOP, PEER, PostfixDesk, a_desk, colons

pytestmark = postfix.MARKS

LOCAL, FOREIGN = f"ann@{MX1}", "bob@elsewhere.example.test"
STRANGERS = {
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_client_restrictions": "permit_mynetworks",
    "smtpd_sender_restrictions": "reject_non_fqdn_sender",
    "smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt",
    "smtpd_tls_fingerprint_digest": "md5",
    "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
}


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[PostfixDesk]:
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    with a_desk(capsys, main=STRANGERS) as one:
        yield one


@pytest.fixture
def running(desk: PostfixDesk) -> Iterator[PostfixDesk]:
    try:
        desk.one.start()
        yield desk
    finally:
        desk.one.stop()


def transcript(port: int) -> bytes:
    """All that a server says in a session with something of everything in it."""
    client = smtplib.SMTP(timeout=PATIENCE)
    said = [repr(client.connect(LOOPBACK, port))]
    said.append(repr(client.ehlo("peer.example.test")))
    for line in (
        "VRFY ann", "MAIL FROM:<ann>", f"RCPT TO:<{LOCAL}>", f"RCPT TO:<{FOREIGN}>", "RSET",
        "MAIL FROM:<>", "RCPT TO:<nobody@>", "NOOP", "HELP", "WAT", "AUTH PLAIN AAAA", "ETRN x", "QUIT",
    ):  # fmt: skip
        said.append(repr((line, client.docmd(line))))
    client.close()
    return "\n".join((*said, *behind_tls(port))).encode()


def behind_tls(port: int) -> Iterator[str]:
    """The same behind STARTTLS, up to a message that is taken; only its number in the queue differs."""
    with session(port) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        yield repr((client.sock.getpeercert(binary_form=True), client.sock.cipher(), client.ehlo_resp))
        client.mail("ann@peer.example.test")
        yield repr(client.rcpt(LOCAL))
        code, text = client.data("Subject: hello\n\nhello")
        yield repr((code, re.sub(rb"queued as \S+", b"queued as ID", text)))


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


def test_port_25_behaves_as_before_to_the_byte(running: PostfixDesk) -> None:
    before = transcript(running.one.port)

    running.must("setup", "--yes")
    running.compiled(clients={PEER: MX2}, policy={})
    running.one.reload()
    postfix.until(lambda: postfix.answers(running.one.inner), "the new listener answers")

    assert transcript(running.one.port) == before


def test_only_who_is_published_is_let_in_and_everybody_else_comes_again(running: PostfixDesk) -> None:
    """Also for local domains, without TLS, and from mynetworks: never refused for good."""
    running.must("setup", "--yes")
    running.compiled(clients={PEER: MX2}, policy={})
    running.one.reload()
    inner = running.one.inner
    postfix.until(lambda: postfix.answers(inner), "the new listener answers")

    for chain in ("stranger.pem", None):
        file = running.folder / chain if chain else None
        for tls in (True, False) if chain is None else (True,):
            with session(inner, chain=file, tls=tls) as client:
                for recipient in (LOCAL, FOREIGN):
                    told = answer(client, recipient)
                    assert told.code == 454
                    assert "4.7.1" in told.text
                    assert "1036 no published certificate" in told.text
                # RFC 5321 has everybody take this one: Postfix does, up to DATA.
                client.rset()
                client.mail("ann@peer.example.test")
                assert client.rcpt("postmaster")[0] == 250
                code, said = client.docmd("DATA")
                assert (code, b"1036 no published certificate" in said) == (454, True)
    with session(inner, chain=running.folder / "peer.pem") as client:
        assert [answer(client, one).code for one in (LOCAL, FOREIGN)] == [250, 250]
        client.sendmail("ann@peer.example.test", [LOCAL], "Subject: hello\n\nhello")
    running.one.says("to=<ann@mx1.example.test>", "status=sent")


def test_mail_goes_to_a_published_peer_and_waits_for_any_other(running: PostfixDesk) -> None:
    """Through the transport that setup wrote, by a chain file of its own."""
    with postfix.started(
        running.folder / "mx2", chain=chain_pem(MX2, key="peer"), name=MX2, trusting=True,
        tables={"relay_clientcerts": {colons_of(MX1): MX1}, "tls_policy": {}},
    ) as mx2:  # fmt: skip
        hop = f"[{LOOPBACK}]:{mx2.inner}"
        running.must("setup", "--yes")
        running.compiled(clients={}, policy={hop: f"fingerprint match={PEER}"})
        running.route(f"hub:{hop}")
        running.one.reload()
        running.one.send(f"bob@{MX2}")
        sent = running.one.says(f"to=<bob@{MX2}>", "status=")

        other = colons_of("stranger.example.test", key="stranger")
        running.compiled(clients={}, policy={hop: f"fingerprint match={other}"})
        before = len(running.one.log)
        running.one.send(f"bob@{MX2}")
        kept = running.one.says(f"to=<bob@{MX2}>", "status=", after=before)

    assert "status=sent" in sent
    assert "/hub/smtp[" in sent
    assert "status=deferred (Server certificate not" in kept


def test_from_the_directory_to_a_sound_postfix(running: PostfixDesk) -> None:
    """What each command says to type next, typed: then a published peer is let in, and `check` is quiet."""
    replica = SqliteReplica(f"sqlite://{running.folder}/dc1.db", timeout=timedelta(seconds=10))
    asyncio.run(replica.publish(server_name(MX2), a_certificate(MX2, key="peer").der, clock.now()))

    running.must("setup", "--yes")
    running.must("compile", "--yes")
    running.route(f"hub:{NEXT_HOP}")
    running.one.reload()
    postfix.until(lambda: postfix.answers(running.one.inner), "the new listener answers")

    assert "no error and no warning" in running.must("check").out
    with session(running.one.inner, chain=running.folder / "peer.pem") as client:
        assert answer(client, FOREIGN).code == 250
    with session(running.one.inner, chain=running.folder / "stranger.pem") as client:
        assert answer(client, LOCAL).code == 454


def colons_of(name: str, key: str = "a") -> str:
    return colons(a_certificate(name, key=key).pin)


def test_to_set_up_again_changes_nothing(desk: PostfixDesk) -> None:
    desk.must("setup", "--yes")
    before = desk.master.stat()

    told = desk.must("setup", "--json").reads("postfix-setup")

    assert (told["changed"], told["needed"], told["diff"]) == (False, False, "")
    assert "nothing to change" in desk.must("setup").out
    assert desk.master.stat() == before


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
