"""Whom a host takes mail from by rules of its own."""

from __future__ import annotations

from typing import Any

import pytest

from mailtrust.core.adopt.facts import MasterEntry
from mailtrust.core.adopt.receiving import listeners
from tests.core.adopt.fleet import BY_CERTIFICATE, PUBLIC, inner, instance, leaf, listener

LEAF = leaf("mx1.example.test")


def test_fingerprints_are_told_with_what_stands_beside_them() -> None:
    found = listener(**BY_CERTIFICATE, smtpd_tls_fingerprint_digest="sha256", **{
        "hash:/c": {LEAF.pin: "mx1", "aa" * 16: "in MD5", "AA:BB": "cut off"}
    })  # fmt: skip

    assert [(one.digest, one.label, one.other_function) for one in found.clients] == [
        (LEAF.pin, "mx1", ""), ("aa" * 16, "in MD5", "md5"), (None, "cut off", ""),
    ]  # fmt: skip


def test_a_table_that_no_restriction_asks_for_lets_nobody_in() -> None:
    found = listener(relay_clientcerts="hash:/c", **{"hash:/c": {LEAF.pin: "mx1"}})

    assert found.clients == ()


def test_access_by_certificate_is_a_table_too() -> None:
    found = listener(
        smtpd_client_restrictions="check_ccert_access hash:/a, reject",
        **{"hash:/a": {LEAF.fingerprint: "OK"}},
    )

    assert [one.table for one in found.clients] == ["hash:/a"]


def test_a_class_that_somebody_made_is_looked_into_once() -> None:
    found = listener(
        smtpd_restriction_classes="peers",
        peers="permit_sasl_authenticated, peers, permit_tls_all_clientcerts",
        smtpd_relay_restrictions="peers, reject", smtpd_sasl_auth_enable="yes",
    )  # fmt: skip

    assert (found.takes_passwords, found.any_certificate) == (True, True)


@pytest.mark.parametrize(
    ("said", "address", "network"),
    [
        ({"mynetworks": "127.0.0.0/8, 192.0.2.0/24"}, "192.0.2.1", "192.0.2.0/24"),
        ({"mynetworks": "!192.0.2.1, 192.0.2.0/24"}, "192.0.2.1", ""),
        ({"mynetworks": "[2001:db8::]/32 192.0.2.0/24"}, "2001:db8::1", "[2001:db8::]/32"),
        ({"mynetworks": "192.0.2.0/24"}, "198.51.100.1", ""),
        ({"mynetworks": "cidr:/n", "cidr:/n": {"a": "x", "192.0.2.1": "x"}}, "192.0.2.1", "192.0.2.1"),
    ],
)  # fmt: skip
def test_an_address_is_trusted_by_the_first_network_that_has_it(
    said: dict[str, Any], address: str, network: str
) -> None:
    found = listener(smtpd_relay_restrictions="permit_mynetworks, reject", **said)

    assert found.trusts_address(address) == network


def test_networks_that_no_restriction_asks_for_let_nobody_in() -> None:
    assert listener(mynetworks="192.0.2.0/24").networks == ()


def test_access_by_address_is_a_network_too() -> None:
    found = listener(
        smtpd_recipient_restrictions="check_client_access hash:/a, check_client_access hash:/b, reject",
        **{
            "hash:/a": {"192.0.2.1": "OK", "192.0.2.2": "REJECT", "mx1.test": "OK"},
            "hash:/b": {"a.test": "OK"},
        },
    )

    assert (found.networks, found.networks_of) == (("192.0.2.1",), "hash:/a")


def test_what_cannot_be_listed_is_told() -> None:
    found = listener(
        smtpd_relay_restrictions="permit_mynetworks, permit_tls_clientcerts, check_client_access ldap:/a",
        mynetworks="ldap:/n", relay_clientcerts="ldap:/c", unread=("ldap:/n", "ldap:/c"),
    )  # fmt: skip

    assert found.unread == ("ldap:/c", "ldap:/n", "ldap:/a")


def test_what_a_service_says_goes_before_main_cf() -> None:
    closed = MasterEntry(
        "smtps", receives=True, options={"smtpd_relay_restrictions": "reject", "smtpd_tls_req_ccert": "yes"}
    )
    rows = {"hash:/c": {LEAF.pin: "mx1"}}
    public, other = listeners(instance(PUBLIC, closed, presents=LEAF, **BY_CERTIFICATE, **rows))

    assert (len(public.clients), len(other.clients)) == (1, 0)
    assert (public.port, other.port) == ("25", "465")
    assert (public.asks_for_certificate, other.asks_for_certificate) == (False, True)
    assert public.presents == (LEAF,)


def test_our_own_listener_is_known_by_its_name_in_the_log() -> None:
    assert listener(inner()).is_ours
    assert listener(inner()).port == "2525"
    assert not listener().is_ours


def test_where_master_cf_has_nothing_main_cf_speaks() -> None:
    [found] = listeners(instance(MasterEntry("hub", receives=False)))

    assert (found.service, found.port, found.is_ours) == (None, "25", False)
