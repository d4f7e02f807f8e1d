"""What a listener's restrictions come to, for whoever may come."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailtrust.transports.postfix.configuration import Configuration, Program
from mailtrust.transports.postfix.doctor.restrictions import Client, Outcome, decide, decide_postmaster, words

STRANGER, PEER = Client(), Client(known=True)
NEIGHBOUR, USER = Client(neighbour=True), Client(logged_in=True)
A, D, R = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.REFUSED
USUAL = {
    "smtpd_delay_reject": "yes", "mynetworks": "192.0.2.0/24", "relay_domains_reject_code": "554",
    "reject_code": "554", "soft_bounce": "no", "smtpd_sasl_auth_enable": "yes",
}  # fmt: skip


def told(client: Client, *, local: bool, **settings: str) -> Outcome:
    configuration = Configuration(Path("/etc/postfix"), {**USUAL, **settings})
    return decide(configuration, Program("smtp", "inet", "smtpd"), client, local=local).outcome


@pytest.mark.parametrize(
    ("restrictions", "stranger", "peer", "neighbour", "user"),
    [
        ("permit_tls_clientcerts, defer", (D, D), (A, A), (D, D), (D, D)),
        ("permit_tls_clientcerts defer_unauth_destination", (A, D), (A, A), (A, D), (A, D)),
        ("permit_tls_clientcerts reject_unauth_destination", (A, R), (A, A), (A, R), (A, R)),
        ("permit_mynetworks, permit_tls_clientcerts, reject", (R, R), (A, A), (A, A), (R, R)),
        ("permit_sasl_authenticated, permit_tls_clientcerts, defer", (D, D), (A, A), (D, D), (A, A)),
        ("reject_unauth_destination, permit", (A, R), (A, R), (A, R), (A, R)),
        ("permit_auth_destination, defer", (A, D), (A, D), (A, D), (A, D)),
        ("check_client_access hash:/x, check_policy_service unix:y, defer", (D, D), (D, D), (D, D), (D, D)),
        ("permit_tls_clientcerts, check_client_access static:{454 4.7.1 no, not you}", (D, D), (A, A), (D, D),
         (D, D)),
        ("check_client_access static:reject", (R, R), (R, R), (R, R), (R, R)),
        ("check_client_access static:OK, reject", (A, A), (A, A), (A, A), (A, A)),
        ("check_client_access static:dunno", (A, A), (A, A), (A, A), (A, A)),
        ("", (A, A), (A, A), (A, A), (A, A)),
    ],
)  # fmt: skip
def test_a_list_is_gone_through_until_something_decides(
    restrictions: str,
    stranger: tuple[Outcome, Outcome],
    peer: tuple[Outcome, Outcome],
    neighbour: tuple[Outcome, Outcome],
    user: tuple[Outcome, Outcome],
) -> None:
    """With a recipient of a local domain, and of another one."""
    expected = {STRANGER: stranger, PEER: peer, NEIGHBOUR: neighbour, USER: user}

    for client, outcomes in expected.items():
        found = tuple(
            told(client, local=local, smtpd_relay_restrictions=restrictions) for local in (True, False)
        )
        assert found == outcomes, client


@pytest.mark.parametrize(
    ("settings", "stranger", "peer"),
    [
        ({}, A, A),
        ({"smtpd_client_restrictions": "permit_tls_clientcerts, defer"}, A, A),
        ({"smtpd_data_restrictions": "permit_tls_clientcerts, defer"}, D, A),
        ({"smtpd_end_of_data_restrictions": "permit_tls_clientcerts, reject"}, R, A),
        ({"smtpd_delay_reject": "no", "smtpd_helo_restrictions": "permit_tls_clientcerts, defer"}, D, A),
    ],
)
def test_a_bare_postmaster_is_only_asked_about_at_data(
    settings: dict[str, str], stranger: Outcome, peer: Outcome
) -> None:
    configuration = Configuration(Path("/etc/postfix"), {**USUAL, **settings})
    smtpd = Program("smtp", "inet", "smtpd")

    assert decide_postmaster(configuration, smtpd, STRANGER).outcome is stranger
    assert decide_postmaster(configuration, smtpd, PEER).outcome is peer


def test_a_permit_ends_its_list_only() -> None:
    lists = {
        "smtpd_client_restrictions": "permit_tls_clientcerts, defer",
        "smtpd_recipient_restrictions": "reject",
    }

    assert told(PEER, local=True, **lists) is R


def test_before_tls_nobody_has_shown_a_certificate() -> None:
    lists = {"smtpd_client_restrictions": "permit_tls_clientcerts, defer", "smtpd_delay_reject": "no"}

    assert told(PEER, local=True, **lists) is D


@pytest.mark.parametrize(
    "setting", [{"soft_bounce": "yes"}, {"relay_domains_reject_code": "454"}], ids=lambda one: next(iter(one))
)
def test_a_refusal_may_be_a_soft_one(setting: dict[str, str]) -> None:
    lists = {"smtpd_relay_restrictions": "permit_tls_clientcerts, reject_unauth_destination"}

    assert told(STRANGER, local=False, **lists, **setting) is D


def test_an_empty_mynetworks_has_no_neighbours() -> None:
    lists = {"smtpd_relay_restrictions": "permit_mynetworks, defer", "mynetworks": ""}

    assert told(NEIGHBOUR, local=True, **lists) is D


def test_a_table_belongs_to_the_restriction_before_it() -> None:
    text = "permit_tls_clientcerts, check_client_access inline:{a = b, {c = d}}, reject_rbl_client x.y, defer"

    assert list(words(text)) == [
        ("permit_tls_clientcerts", ""), ("check_client_access", "inline:{a = b, {c = d}}"),
        ("reject_rbl_client", "x.y"), ("defer", ""),
    ]  # fmt: skip
