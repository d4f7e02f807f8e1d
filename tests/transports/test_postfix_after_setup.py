"""A stranger's Postfix after `postfix setup`: its public port as before, direct trust at the inner one."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Iterator
from datetime import timedelta

from mailtrust import clock
from mailtrust.core.model.server import server_name
from mailtrust.directory.sqlite import SqliteReplica
from tests import postfix
from tests.loopback import LOOPBACK, PATIENCE
from tests.make import a_certificate
from tests.postfix import answer, chain_pem, session
from tests.transports.postfix_desk import MX1, MX2, NEXT_HOP, PEER, PostfixDesk, colons
from tests.transports.postfix_stranger import desk, running

__all__ = ["desk", "running"]
pytestmark = postfix.MARKS

LOCAL, FOREIGN = f"ann@{MX1}", "bob@elsewhere.example.test"


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
