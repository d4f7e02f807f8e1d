"""`postfix check`: it finds each trap that was planted in a sound configuration, and is quiet without."""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.agent.doctor import blind, examine, judged
from mailtrust.agent.site import open_site
from mailtrust.config import load
from mailtrust.core.checks import Verdict
from mailtrust.core.model.server import Endpoint, server_name
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.transports.postfix.block import with_block
from mailtrust.transports.postfix.compile import NOBODY
from mailtrust.transports.postfix.doctor.restrictions import AT_DATA
from mailtrust.transports.postfix.ours import Places, all_wanted
from tests import postfix
from tests.make import a_certificate, days
from tests.postfix import chain_pem
from tests.transports.postfix_desk import MX1, MX2, NEXT_HOP, PEER, PostfixDesk, a_desk

pytestmark = postfix.MARKS

Plant = Callable[[PostfixDesk], object]
CLIENTS = "smtpd_client_restrictions = permit_tls_clientcerts,"
ENTRY = f"fingerprint match={PEER}"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[PostfixDesk]:
    """
    A stranger's usual server after `setup`; all that would defeat direct trust stands in its main.cf.

    It does not run.
    """
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    main = {
        "mynetworks": "127.0.0.0/8",
        "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
        "smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt",
        "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
        "smtpd_tls_fingerprint_digest": "md5",
        "smtpd_tls_req_ccert": "yes",
    }
    with a_desk(capsys, main=main) as one:
        one.sound()
        yield one


@pytest.fixture
def desk(written: PostfixDesk) -> Iterator[PostfixDesk]:
    """The same, and it runs: as it was before any trap is planted."""
    with running(written):
        yield written


@contextmanager
def running(desk: PostfixDesk) -> Iterator[None]:
    try:
        desk.one.start()
        yield
    finally:
        desk.one.stop()


def edit(old: str, new: str) -> Plant:
    return lambda desk: desk.edit(old, new)


def clients(key: str) -> Plant:
    return lambda desk: desk.compiled(clients={key: MX2}, policy={NEXT_HOP: ENTRY})


def policy(key: str, value: str = ENTRY) -> Plant:
    return lambda desk: desk.compiled(clients={PEER: MX2}, policy={key: value})


def route(where: str) -> Plant:
    return lambda desk: desk.route(where)


def chain(text: str) -> Plant:
    return lambda desk: (desk.one.tables / "chain.pem").write_text(text)


def mode(name: str, bits: int) -> Plant:
    return lambda desk: (desk.one.tables / name).chmod(bits)


def parts(pem: str) -> tuple[str, str]:
    """Key and certificate."""
    at = pem.index("-----BEGIN CERTIFICATE")
    return pem[:at], pem[at:]


KEY, LEAF = parts(chain_pem(MX1))
OTHER_KEY, _ = parts(chain_pem(MX1, key="other"))

TRAPS: dict[str, tuple[Plant, list[tuple[int, str | None]]]] = {
    "an authority is insisted on": (edit("req_ccert=no", "req_ccert=yes"), [(12131, None)]),
    "nobody is asked": (edit("ask_ccert=yes", "ask_ccert=no"), [(12118, None)]),
    "no TLS": (edit("smtpd_tls_security_level=may", "smtpd_tls_security_level=none"), [(12117, None)]),
    "authorities are named": (edit("smtpd_tls_CAfile=", "smtpd_tls_CAfile=/etc/ca.pem"), [(12146, None)]),
    "a bare postmaster is let in": (
        lambda desk: desk.master.write_text(
            re.sub(r".*smtpd_data_restrictions.*\n", "", desk.master.read_text())
        ),
        [(12132, "open")],
    ),
    "mynetworks is let in": (
        lambda desk: (
            desk.edit(CLIENTS, f"{CLIENTS} permit_mynetworks,"),
            desk.edit("relay_restrictions=", "relay_restrictions=permit_mynetworks,"),
            desk.edit("-o mynetworks=", "-o mynetworks=127.0.0.0/8"),
        ),
        [(12132, "mynetworks")],
    ),
    "passwords are let in": (
        lambda desk: (
            desk.edit(CLIENTS, f"{CLIENTS} permit_sasl_authenticated,"),
            desk.edit("relay_restrictions=", "relay_restrictions=permit_sasl_authenticated,"),
            desk.edit("smtpd_sasl_auth_enable=no", "smtpd_sasl_auth_enable=yes"),
        ),
        [(12132, "password")],
    ),
    "everybody is let in for local domains": (
        lambda desk: (
            desk.edit(CLIENTS, "smtpd_client_restrictions = permit_tls_clientcerts, permit,"),
            desk.edit("permit_tls_clientcerts,defer", "permit_tls_clientcerts,defer_unauth_destination"),
        ),
        [(12132, "open")],
    ),
    "everything at once, as on a public port": (
        lambda desk: (
            desk.edit(CLIENTS, "smtpd_client_restrictions = permit,"),
            desk.edit(
                "permit_tls_clientcerts,defer",
                "permit_mynetworks,permit_tls_clientcerts,reject_unauth_destination",
            ),
            desk.edit("-o mynetworks=", "-o mynetworks=127.0.0.0/8"),
        ),
        [(12132, "open"), (12132, "mynetworks"), (12133, None)],
    ),
    "no peer is let in": (edit(CLIENTS, "smtpd_client_restrictions ="), [(12132, "no-rule")]),
    "asked before TLS": (edit("smtpd_delay_reject=yes", "smtpd_delay_reject=no"), [(12132, "too-early")]),
    "reject_unauth_destination alone": (
        lambda desk: (
            desk.edit(CLIENTS, f"{CLIENTS} permit,"),
            desk.edit("permit_tls_clientcerts,defer", "permit_tls_clientcerts,reject_unauth_destination"),
        ),
        [(12132, "open"), (12133, None)],
    ),
    "reject": (edit("try again later}, defer", "try again later}, reject"), []),
    "TLS is required": (
        edit("smtpd_tls_security_level=may", "smtpd_tls_security_level=encrypt"), [(12133, None)],
    ),
    "another table of certificates": (
        edit("relay_clientcerts=lmdb:", "relay_clientcerts=inline:{a=b},hash:"),
        [(12145, None), (12141, "missing"), (12137, "digest")],
    ),
    "another chain file": (
        edit("smtpd_tls_chain_files=", "smtpd_tls_chain_files=/nowhere"),
        [(12145, None), (12139, "missing")],
    ),
    "another digest": (
        edit("smtpd_tls_fingerprint_digest=sha256", "smtpd_tls_fingerprint_digest=md5"), [(12137, "digest")],
    ),
    "another digest of the transport": (
        edit("smtp_tls_fingerprint_digest=sha256", "smtp_tls_fingerprint_digest=sha1"), [(12137, "digest")],
    ),
    "MD5 in the table": (clients("ab:cd:" * 7 + "ab:cd"), [(12137, "digest")]),
    "a digest without colons": (clients(PEER.replace(":", "")), [(12137, "spelling")]),
    "a session cache": (
        edit("session_cache_database=", "session_cache_database=btree:/x"), [(12138, None)],
    ),
    "no listener": (
        lambda desk: desk.configure(listeners='"127.0.0.1:9"'), [(12130, None)],
    ),
    "no transport": (
        edit("hub unix - - n - - smtp\n", "hub unix - - n - - lmtp\n"), [(12143, None)],
    ),
    "a transport that may": (
        edit("smtp_tls_security_level=fingerprint", "smtp_tls_security_level=may"),
        [(12144, "level"), ],
    ),
    "a pin for everybody": (
        edit("fingerprint_cert_match=", f"fingerprint_cert_match={PEER}"), [(12144, "any-pin")],
    ),
    "an entry that may": (policy(NEXT_HOP, "may"), [(12144, "entry")]),
    "another policy table": (
        edit("smtp_tls_policy_maps=lmdb:", "smtp_tls_policy_maps=lmdb:/nowhere"),
        [(12145, None), (12141, "missing")],
    ),
    "a next hop around the transport": (route(f"smtp:{NEXT_HOP}"), [(12135, None)]),
    "a next hop through the default": (route(f":{NEXT_HOP}"), [(12135, None)]),
    "a next hop that nobody pinned": (route("hub:[127.0.0.9]:2999"), [(12136, None), (12134, "unused")]),
    "another spelling, and mail waits": (policy("127.0.0.1:2999"), [(12134, "waits")]),
    "capitals in the table": (
        lambda desk: (desk.route("hub:[Mx2.test]:25"), policy("[Mx2.test]:25")(desk)), [],
    ),
    "another spelling, and mail goes out": (
        lambda desk: (
            policy("127.0.0.1:2999")(desk),
            desk.route(f"relay:{NEXT_HOP}"),
            desk.set("-P", f"relay/unix/smtp_tls_policy_maps=lmdb:{desk.one.tables}/tls_policy"),
        ),
        [(12134, "fails-open")],
    ),
    "a next hop whose servers publish nothing": (
        policy(NEXT_HOP, f"fingerprint match={NOBODY}"), [(12136, None)],
    ),
    "a second next hop around the transport": (
        route(f"smtp:[127.0.0.1]:2998, {NEXT_HOP}"), [(12135, None)],
    ),
    "a relayhost": (
        lambda desk: (desk.set("-e", f"relayhost = {NEXT_HOP}"), desk.set("-e", "transport_maps =")),
        [(12135, None)],
    ),
    "mailboxes that are a peer's": (
        lambda desk: desk.set("-e", f"virtual_transport = smtp:{NEXT_HOP}", "transport_maps ="),
        [(12135, None)],
    ),
    "one sender's relayhost": (
        lambda desk: desk.set("-e", f"sender_dependent_relayhost_maps = inline:{{ {{ a@b = {NEXT_HOP} }} }}"),
        [(12135, None)],
    ),
    "a content filter that is a peer": (
        lambda desk: desk.set("-e", f"content_filter = smtp:{NEXT_HOP}"), [(12135, None)],
    ),
    "nobody's entry": (
        lambda desk: desk.compiled(clients={}, policy={NEXT_HOP: ENTRY, "[192.0.2.9]:25": ENTRY}),
        [(12134, "unused")],
    ),
    "the certificate first": (chain(LEAF + KEY), [(12139, "certificate-first")]),
    "no key": (chain(LEAF), [(12139, "no-key")]),
    "another key": (chain(OTHER_KEY + LEAF), [(12139, "key-differs")]),
    "no PEM": (chain("hello"), [(12139, "unparsable")]),
    "a chain file that others can read": (mode("chain.pem", 0o644), [(12115, None)]),
    "no chain file": (lambda desk: (desk.one.tables / "chain.pem").unlink(), [(12139, "missing")]),
    "a table that is gone": (
        lambda desk: (desk.one.tables / "relay_clientcerts.lmdb").unlink(), [(12141, "missing")],
    ),
    "a damaged table": (
        lambda desk: (desk.one.tables / "tls_policy.lmdb").write_bytes(b"no table" * 2000),
        [(12141, "damaged")],
    ),
    "a table that everybody may write": (mode("tls_policy.lmdb", 0o666), [(12142, None)]),
    "a folder that everybody may write": (mode("", 0o777), [(12142, None)]),
}  # fmt: skip


def test_a_sound_configuration_is_quiet(desk: PostfixDesk) -> None:
    """Although main.cf has everything that would defeat direct trust: none of it holds here."""
    ran = desk.must("check")

    assert ran.out.startswith(f"MAILTRUST OK - {desk.one.config}: no error and no warning | errors=0")
    assert "the certificate decides, in both directions" in ran.out
    assert ran.err == ""


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


def test_a_content_filter_of_this_machine_is_sound(desk: PostfixDesk) -> None:
    desk.set("-e", "content_filter = smtp:[127.0.0.1]:10024")

    assert desk.findings() == []


def test_a_name_that_an_authority_vouches_for_is_no_digest(desk: PostfixDesk) -> None:
    own = desk.one.tables / "own"
    own.write_text("partner.test secure match=nexthop\n")
    desk.edit("smtp_tls_policy_maps=", f"smtp_tls_policy_maps=texthash:{own},")

    assert desk.findings() == []


def test_another_port_of_the_same_host_is_another_server(desk: PostfixDesk) -> None:
    """A filter on this machine, or a peer's public port."""
    routes = f"{{ x.test = smtp:[127.0.0.1]:25 }}, {{ {MX2} = hub:{NEXT_HOP} }}"
    desk.set("-e", f"transport_maps = inline:{{ {routes} }}")

    assert desk.findings() == []


def test_one_next_hop_of_many_domains_is_said_once(desk: PostfixDesk) -> None:
    routes = ", ".join(f"{{ d{number}.test = smtp:{NEXT_HOP} }}" for number in range(9))
    desk.set("-e", f"transport_maps = inline:{{ {routes} }}")

    [finding] = desk.type("check", "--json").json["findings"]

    assert finding["event"] == 12135
    assert len(finding["evidence"]) == 5


def test_what_somebody_wrote_by_hand_is_judged_by_what_it_comes_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Other settings than ours: nobody is let in without a certificate, and so it is sound."""
    with a_desk(capsys, trusting=True) as desk:
        desk.compiled(clients={PEER: MX2}, policy={NEXT_HOP: ENTRY})
        desk.route(f"hub:{NEXT_HOP}")

        with running(desk):
            assert desk.findings() == []


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


def test_a_postfix_that_does_not_run_is_told(written: PostfixDesk) -> None:
    [finding] = written.type("check", "--json").json["findings"]

    assert finding["event"] == 12116
    assert f"(then: postfix -c {written.one.config} start)" in finding["evidence"][1]


def test_somebody_else_at_our_place_is_told(written: PostfixDesk) -> None:
    """The public listener of another configuration has no TLS."""
    written.edit("smtpd_tls_security_level=may", "smtpd_tls_security_level=none")
    with running(written):
        written.edit("smtpd_tls_security_level=none", "smtpd_tls_security_level=may")

        [finding] = written.type("check", "--json").json["findings"]
        assert (finding["event"], finding["action"]) == (12117, f"postfix -c {written.one.config} reload")


async def test_a_listener_that_could_not_be_looked_at_is_unknown(written: PostfixDesk) -> None:
    """For a reason of our own, as when no file can be opened any more: nothing is known then."""
    config = load(written.folder / "mailtrust.toml", {}, default_name=str)
    async with open_site(config, looking_only=True) as site:
        [endpoint] = config.server.listeners
        examined = await examine(site, written.one.config, "")
    look = WireSighting(config.server.name, endpoint, None, clock.now(), "no", WireFailure.NO_ANSWER)

    assert examined.verdict is Verdict.OK
    assert blind(replace(examined.seen, wires=(look,))) == (f"{endpoint} was not looked at: no",)
    assert judged(replace(examined.seen, wires=(look,)), examined.diagnosis) is Verdict.UNKNOWN


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


def test_a_transport_table_that_cannot_be_listed_is_said_and_is_no_finding(desk: PostfixDesk) -> None:
    desk.set("-e", "transport_maps = regexp:/etc/nowhere")
    desk.compiled(clients={PEER: MX2}, policy={NEXT_HOP: ENTRY})

    ran = desk.must("check")

    assert "where mail is routed cannot be told in full" in ran.err
    assert "errors=0 warnings=0 information=0" in ran.out


def test_what_cannot_be_read_is_unknown_and_not_well(desk: PostfixDesk) -> None:
    ran = desk.type("check", "--instance", desk.folder)

    assert ran.code == 3
    assert ran.out.startswith(
        f"MAILTRUST UNKNOWN - {desk.folder} is not the configuration folder of a Postfix"
    )


def test_it_speaks_chinese(desk: PostfixDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")

    assert "两个方向上都由证书决定" in desk.must("check").out


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
