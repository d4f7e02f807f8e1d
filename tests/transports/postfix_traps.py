"""A sound Postfix, and the traps that are planted in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mailtrust.transports.postfix.compile import NOBODY
from tests.postfix import chain_pem
from tests.transports.postfix_desk import MX1, MX2, NEXT_HOP, PEER, PostfixDesk, a_desk

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
