"""What we say of restrictions, Postfix does: a listener for each list, asked by each kind of client."""

from __future__ import annotations

import itertools
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.doctor.restrictions import Client, Outcome, decide
from tests import postfix
from tests.loopback import free_port
from tests.postfix import Postfix, answer, chain_pem, session
from tests.transports.postfix_desk import MX1, MX2, PEER

pytestmark = postfix.MARKS

RECIPIENTS = {True: f"ann@{MX1}", False: "bob@elsewhere.example.test"}
LISTS = (
    {"client": "permit_tls_clientcerts,defer", "relay": "permit_tls_clientcerts,defer"},
    {"relay": "permit_tls_clientcerts,defer_unauth_destination"},
    {"relay": "permit_tls_clientcerts,reject_unauth_destination"},
    {"relay": "permit_mynetworks,permit_tls_clientcerts,reject"},
    {"relay": "permit_mynetworks,permit_tls_clientcerts,reject", "mynetworks": "127.0.0.0/8"},
    {"relay": "permit_auth_destination,permit_tls_clientcerts,defer"},
    {"relay": "reject_unauth_destination,permit_tls_clientcerts"},
    {
        "client": "permit_tls_clientcerts, check_client_access static:{454 4.7.1 no, not you}",
        "relay": "permit_mynetworks, defer",
        "mynetworks": "127.0.0.0/8",
    },
    {"client": "check_client_access static:OK, reject", "relay": "permit_tls_clientcerts, reject"},
    {
        "client": "check_client_access static:dunno, permit_tls_clientcerts, reject",
        "relay": "permit_mynetworks, defer",
        "mynetworks": "127.0.0.0/8",
    },
    {
        "client": "permit_tls_clientcerts,reject",
        "relay": "permit_mynetworks, defer",
        "mynetworks": "127.0.0.0/8",
        "soft_bounce": "yes",
    },
    {"relay": "permit_tls_clientcerts,reject_unauth_destination", "relay_domains_reject_code": "450"},
    {
        "client": "permit_tls_clientcerts,defer",
        "relay": "permit_mynetworks, defer",
        "mynetworks": "127.0.0.0/8",
        "smtpd_delay_reject": "no",
    },
    {"relay": "permit_tls_clientcerts,defer", "recipient": "reject"},
    {"helo": "defer", "relay": "permit_mynetworks, defer", "mynetworks": "127.0.0.0/8"},
    {
        "sender": "permit_tls_clientcerts, defer",
        "relay": "permit_mynetworks, defer",
        "mynetworks": "127.0.0.0/8",
    },
    {
        "client": "permit",
        "helo": "permit",
        "relay": "permit_tls_clientcerts, permit_sasl_authenticated, defer",
    },
)
ALL = ("client", "helo", "sender", "relay", "recipient")


def lines(port: int, settings: dict[str, str]) -> str:
    """A listener of master.cf with those lists; Postfix ends where none of the last two can say no."""
    named = {f"smtpd_{one}_restrictions": settings.get(one, "") for one in ALL}
    named |= {name: value for name, value in settings.items() if name not in ALL}
    options = "".join(f"  -o {{ {name} = {value} }}\n" for name, value in named.items())
    # Braces are the builder's own.
    return f"127.0.0.1:{port} inet n - n - - smtpd\n{options}".replace("{", "{{").replace("}", "}}")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with postfix.folder() as one:
        for label in ("peer", "stranger"):
            (one / f"{label}.pem").write_text(chain_pem(MX2, key=label))
        yield one


@pytest.fixture(scope="module")
def listening(folder: Path) -> Iterator[tuple[Postfix, tuple[int, ...]]]:
    ports = tuple(free_port() for _ in LISTS)
    main = {
        "smtpd_tls_ask_ccert": "yes", "smtpd_tls_fingerprint_digest": "sha256",
        "relay_clientcerts": f"inline:{{ {{ {PEER} = {MX2} }} }}",
    }  # fmt: skip
    master = "".join(lines(port, settings) for port, settings in zip(ports, LISTS, strict=True))
    with postfix.started(folder / "mx1", chain=chain_pem(MX1), main=main, master=master) as one:
        yield one, ports


@pytest.mark.parametrize("number", range(len(LISTS)), ids=lambda number: str(LISTS[number]))
def test_postfix_does_what_we_say(
    folder: Path, listening: tuple[Postfix, tuple[int, ...]], number: int
) -> None:
    one, ports = listening
    configuration = postconf.read(one.config)
    service = configuration.service(f"127.0.0.1:{ports[number]}/inet")
    assert service is not None

    near = bool(configuration.setting(service, "mynetworks"))
    for known, local in itertools.product((False, True), (False, True)):
        expected = decide(configuration, service, Client(known=known, neighbour=near), local=local).outcome
        found = asked(ports[number], folder / ("peer.pem" if known else "stranger.pem"), RECIPIENTS[local])
        assert found is expected, (known, local)


def asked(port: int, chain: Path, recipient: str) -> Outcome:
    """What a client with that certificate is told."""
    try:
        with session(port, chain=chain) as client:
            code = answer(client, recipient).code
    except smtplib.SMTPConnectError as error:
        code = error.smtp_code
    return {2: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REFUSED}[code // 100]
