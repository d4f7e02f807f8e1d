"""`postfix check` finds each trap that was planted in a sound configuration, and says what to type."""

from __future__ import annotations

import asyncio
import smtplib
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.core.model.server import Endpoint, server_name
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.transports.postfix.block import with_block
from mailtrust.transports.postfix.doctor.restrictions import AT_DATA
from mailtrust.transports.postfix.ours import Places, all_wanted
from tests import postfix
from tests.make import a_certificate, days
from tests.transports.postfix_desk import MX2, NEXT_HOP, PostfixDesk
from tests.transports.postfix_traps import KEY, LEAF, TRAPS, desk, running, written

__all__ = ["desk", "written"]
pytestmark = postfix.MARKS


@pytest.mark.parametrize("trap", TRAPS)
def test_a_planted_trap_is_found(desk: PostfixDesk, trap: str) -> None:
    plant, expected = TRAPS[trap]
    plant(desk)

    assert desk.findings() == expected


def test_who_comes_in_plain_text_where_tls_is_required_is_refused_for_good(desk: PostfixDesk) -> None:
    """As a peer does whose own certificate cannot be loaded."""

    def told() -> int:
        with smtplib.SMTP("127.0.0.1", desk.one.inner, local_hostname=MX2, timeout=30) as session:
            session.ehlo()
            code = session.mail("someone@mx2.test")[0]
            return code if code >= 400 else session.rcpt("someone@mx1.test")[0]

    before = told()
    desk.edit("smtpd_tls_security_level=may", "smtpd_tls_security_level=encrypt")
    desk.one.reload()

    assert before == 454
    postfix.until(lambda: told() == 530, "new processes require TLS")


def test_one_next_hop_of_many_domains_is_said_once(desk: PostfixDesk) -> None:
    routes = ", ".join(f"{{ d{number}.test = smtp:{NEXT_HOP} }}" for number in range(9))
    desk.set("-e", f"transport_maps = inline:{{ {routes} }}")

    [finding] = desk.type("check", "--json").json["findings"]

    assert finding["event"] == 12135
    assert len(finding["evidence"]) == 5


def test_a_listener_that_postfix_has_not_read_yet_is_an_error_and_not_well(written: PostfixDesk) -> None:
    """What setup wrote is right, and nobody answers before Postfix reads it."""
    block = written.master.read_text()
    written.must("undo", "--yes")
    with running(written):
        written.master.write_text(block)
        ran = written.type("check")
        [finding] = written.type("check", "--json").json["findings"]

        assert ran.code == 2
        assert ran.out.startswith(f"MAILTRUST CRITICAL - mx1 12116 on {written.listener}")
        assert f"postfix -c {written.one.config} reload" in ran.out
        assert finding["action"] == f"postfix -c {written.one.config} reload"
        written.one.reload()
        postfix.until(lambda: postfix.answers(written.one.inner), "the new listener answers")
        assert written.findings() == []


def test_somebody_else_at_our_place_is_told(written: PostfixDesk) -> None:
    """The public listener of another configuration has no TLS."""
    written.edit("smtpd_tls_security_level=may", "smtpd_tls_security_level=none")
    with running(written):
        written.edit("smtpd_tls_security_level=none", "smtpd_tls_security_level=may")

        [finding] = written.type("check", "--json").json["findings"]
        assert (finding["event"], finding["action"]) == (12117, f"postfix -c {written.one.config} reload")


def test_a_peer_in_mynetworks_is_named(desk: PostfixDesk) -> None:
    TRAPS["mynetworks is let in"][0](desk)

    [finding] = desk.type("check", "--json").json["findings"]

    assert f"the peer {NEXT_HOP} has the address 127.0.0.1, which stands in mynetworks" in finding["evidence"]


def test_an_expired_pin_is_named_with_whom_it_lets_in(desk: PostfixDesk) -> None:
    """Postfix looks at no dates; the directory tells them."""
    long_ago = clock.now() - days(400)
    leaf = a_certificate(MX2, key="peer", not_before=long_ago, life=days(365))
    replica = SqliteReplica(f"sqlite://{desk.folder}/dc1.db", timeout=timedelta(seconds=10))
    asyncio.run(replica.publish(server_name(MX2), leaf.der, long_ago))

    ran = desk.type("check")

    assert ran.code == 1
    assert "W 12140 ExpiredPinAccepted" in ran.out
    assert f"The certificate {leaf.fingerprint[:12]} of {MX2} ended at" in ran.out
    assert f"On {MX2}: make a new certificate" in ran.out
    [finding] = desk.type("check", "--json").json["findings"]
    assert finding["user_action"][0].startswith(f"On {MX2}: ")
    assert f"`mailtrust withdraw {leaf.fingerprint[:12]} --server {MX2}`" in finding["user_action"][1]


def test_a_finding_says_what_to_type_for_that_instance(desk: PostfixDesk) -> None:
    desk.edit("hub unix - - n - - smtp\n", "hub unix - - n - - lmtp\n")
    text = (desk.folder / "mailtrust.toml").read_text()
    (desk.folder / "mailtrust.toml").write_text(text.replace(f'postfix = "{desk.one.config}"\n', ""))

    ran = desk.type("check", "--instance", desk.one.config)

    assert f"postfix setup --instance {desk.one.config}" in ran.out


@pytest.mark.parametrize(("level", "severity"), [("may", "warning"), ("encrypt", "error")])
def test_insisting_on_an_authority_is_an_error_only_where_tls_is_required(
    desk: PostfixDesk, level: str, severity: str
) -> None:
    """Postfix ignores ``smtpd_tls_req_ccert`` while TLS is optional: nobody is called at night."""
    desk.edit("req_ccert=no", "req_ccert=yes")
    desk.edit("smtpd_tls_security_level=may", f"smtpd_tls_security_level={level}")

    [one] = desk.type("check", "--json").json["findings"]

    assert (one["event"], one["severity"]) == (12131, severity)


def test_listeners_that_decide_by_certificates_elsewhere_are_judged_too(desk: PostfixDesk) -> None:
    """Whoever did it on the public port hears of the gap, and not that it takes mail from strangers."""
    desk.set("-e", "relay_clientcerts = inline:{}")
    rules = "permit_mynetworks, permit_tls_clientcerts, reject_unauth_destination"
    desk.set("-e", f"smtpd_relay_restrictions = {rules}")

    found = desk.findings()

    assert {(12131, None), (12132, "mynetworks"), (12133, None)} <= set(found)
    assert (12132, "open") not in found


def test_what_is_said_to_be_typed_mends_a_chain_file(desk: PostfixDesk) -> None:
    made = desk.typed("new", "--json").json["fingerprint"]
    desk.typed("enable", made, "--yes")
    (desk.one.tables / "chain.pem").write_text(LEAF + KEY)
    [finding] = desk.type("check", "--json").json["findings"]
    assert (
        finding["action"] == f"mailtrust export {made[:12]} --with-key --output {desk.one.tables}/chain.pem"
    )

    assert desk.typed(*finding["action"].split()[1:], "--yes").code == 0

    # Who loaded the broken file goes on without TLS.
    assert desk.findings() in ([], [(12117, None)])
    desk.one.reload()
    postfix.until(lambda: desk.findings() == [], "new processes have loaded it")


def test_setup_mends_the_listener_of_an_older_release(written: PostfixDesk) -> None:
    """As it was written before the lists at DATA: a stranger's mail for a bare <postmaster> got in."""
    written.must("undo", "--yes")
    places = Places(written.one.tables)
    older = [
        replace(one, options={k: v for k, v in one.options.items() if k not in AT_DATA})
        for one in all_wanted((Endpoint("127.0.0.1", written.one.inner),), places, "postfix")
    ]
    written.master.write_text(with_block(written.master.read_text(), older))
    with running(written):
        [finding] = written.type("check", "--json").json["findings"]
        assert (finding["event"], finding["cause"]) == (12132, "open")
        assert finding["action"] == "mailtrust postfix setup"

        written.must("setup", "--yes")

        assert written.findings() == []


def test_setup_says_how_to_put_the_chain_file_there(written: PostfixDesk) -> None:
    written.must("undo", "--yes")
    (written.one.tables / "chain.pem").unlink()

    steps = [one["type"] for one in written.must("setup", "--yes", "--json").json["next"]]

    words = f"export CERTIFICATE --with-key --output {written.one.tables}/chain.pem"
    assert [one.partition("mailtrust.toml ")[2] for one in steps[:3]] == ["postfix compile", "new", words]
    assert steps[-1] == f"DOMAIN hub:{NEXT_HOP}"
