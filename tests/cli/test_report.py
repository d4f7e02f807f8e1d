"""`mailtrust report` on a real Postfix, whose old rules decide: nothing changes, and the counts are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from mailtrust.core.digests import digests_of
from mailtrust.core.model.certificate import Certificate, certificate
from tests import postfix
from tests.cli.desk import Desk
from tests.make import HUB1, der
from tests.postfix import Postfix

pytestmark = postfix.MARKS
GOOD, STALE, UNKNOWN, NO_CERTIFICATE, NO_TLS = (f"127.0.0.{last}" for last in range(2, 7))
NAMES = {GOOD: "good.example.test", STALE: "stale.example.test", UNKNOWN: "unknown.example.test"}
CALLS = (GOOD, GOOD, STALE, UNKNOWN, NO_CERTIFICATE, NO_TLS)
DUE = {
    GOOD: (2, {}),
    STALE: (1, {"withdrawn-key": 1}),
    UNKNOWN: (0, {"unknown-key": 1}),
    NO_CERTIFICATE: (0, {"no-certificate": 1}),
    NO_TLS: (0, {"no-tls": 1}),
}


@dataclass
class Site:
    """A desk beside a Postfix that takes mail by a table of fingerprints."""

    desk: Desk
    folder: Path
    leaves: dict[str, Certificate]
    mx1: Postfix

    def publish(self, peer: str) -> None:
        file = self.desk.folder / f"{peer}.der"
        file.write_bytes(self.leaves[peer].der)
        self.desk.must("directory", "put", NAMES[peer], file, "--yes")
        self.desk.must("directory", "replicate", "--once")

    def withdraw(self, peer: str) -> None:
        leaf = self.leaves[peer].fingerprint
        self.desk.must("withdraw", leaf, "--server", NAMES[peer], "--yes")
        self.desk.must("directory", "replicate", "--once")

    def call(self, peer: str) -> int:
        """What a caller hears who wants to send to somebody elsewhere."""
        chain = self.folder / f"{peer}.pem" if peer in NAMES else None
        with postfix.session(self.mx1.port, chain=chain, tls=peer != NO_TLS, source=peer) as session:
            code = postfix.answer(session, "bob@elsewhere.test").code
            session.quit()
        return code

    def report(self, *words: str) -> dict[str, Any]:
        """The peers of the report, by address."""
        calls = self.mx1.log.count("]: connect from ")
        self.mx1.says("disconnect from")
        postfix.until(lambda: self.mx1.log.count("]: disconnect from ") == calls, "every session is logged")
        return {one["peer"]: one for one in self.desk.must("report", "--json", *words).json["peers"]}


@pytest.fixture(params=["sha256", "sha1", "md5"])
def site(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Site]:
    function = request.param
    with postfix.folder() as folder:
        leaves = {}
        for peer, name in NAMES.items():
            chain = postfix.chain_pem(name, key=name)
            (folder / f"{peer}.pem").write_text(chain)
            leaves[peer] = certificate(der(x509.load_pem_x509_certificate(chain.encode())))
        old = {colons(digests_of(leaves[peer], function)[0]): peer for peer in (GOOD, STALE)}
        main = {
            "smtpd_tls_ask_ccert": "yes",
            "smtpd_tls_loglevel": "summary, peercert",
            "smtpd_tls_fingerprint_digest": function,
            "relay_clientcerts": "lmdb:{folder}/tables/old_clientcerts",
            "smtpd_relay_restrictions": "permit_tls_clientcerts, defer_unauth_destination",
        }
        with postfix.started(
            folder / "mx1", chain=postfix.chain_pem(HUB1), main=main, tables={"old_clientcerts": old}
        ) as mx1:
            addresses = ", ".join(f'"{peer}" = "report"' for peer in (NO_CERTIFICATE, NO_TLS))
            desk.configure(
                more=f'[transport]\nkind = "postfix"\npostfix = "{mx1.config}"\npeer_modes = {{{addresses}}}'
            )
            yield Site(desk, folder, leaves, mx1)


def colons(digest: str) -> str:
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def test_the_verdicts_stay_and_the_counts_are_right(site: Site) -> None:
    for peer in (GOOD, STALE):
        site.publish(peer)
    alone = site.call(STALE)
    assert site.report()[STALE]["would_accept"] == 1
    site.withdraw(STALE)
    before = [site.call(peer) for peer in CALLS]
    found = site.report()
    again = [site.call(peer) for peer in CALLS]

    # The old table knows the stale peer still; it is what report mode is there to find.
    assert (alone, before, again) == (250, [250, 250, 250, 454, 454, 454], before)
    assert {peer: (one["would_accept"], one["reasons"]) for peer, one in found.items()} == DUE
    assert found[GOOD]["servers"] == [NAMES[GOOD]]
    assert found[STALE]["last_deferred"]["server"] == NAMES[STALE]
    assert {peer: one["clean_days"] for peer, one in found.items()} == {
        GOOD: 1,
        **dict.fromkeys(CALLS[2:], 0),
    }
    assert site.report()[GOOD]["would_accept"] == 4
    assert site.report()[GOOD]["would_accept"] == 4


def test_at_the_listener_for_peers_everybody_counts(desk: Desk) -> None:
    """On port 25 the whole world calls; whoever calls there is a peer, or means to be one."""
    with (
        postfix.folder() as folder,
        postfix.started(
            folder / "mx1", chain=postfix.chain_pem(HUB1), trusting=True, tables={"relay_clientcerts": {}}
        ) as mx1,
    ):
        desk.configure(more=f'[transport]\nkind = "postfix"\npostfix = "{mx1.config}"')
        for port in (mx1.port, mx1.inner):
            with postfix.session(port, source=NO_CERTIFICATE) as session:
                postfix.answer(session, "bob@elsewhere.test")
                session.quit()
        postfix.until(lambda: mx1.log.count("]: disconnect from ") == 3, "all sessions are logged")
        ran = desk.must("report", "--json")

    assert [(one["peer"], one["reasons"]) for one in ran.json["peers"]] == [
        (NO_CERTIFICATE, {"no-certificate": 1})
    ]
    assert [one["code"] for one in ran.json["notes"]] == ["counting.not-logged", "counting.not-asked"]


def test_a_log_that_cannot_be_found_is_said_and_the_rest_is_shown(desk: Desk) -> None:
    desk.configure(more='[transport]\nkind = "postfix"\npostfix = "/nowhere"')
    ran = desk.must("report")

    assert "Postfix's log was not read" in ran.err
    assert "No session was counted" in ran.out
