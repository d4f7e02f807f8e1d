"""Where a host sends by a route of its own, read as Postfix reads it."""

from __future__ import annotations

from typing import Any

import pytest

from mailtrust.core.adopt.facts import MasterEntry, listed
from mailtrust.core.adopt.sending import host_of, routes
from tests.core.adopt.fleet import MX1, TO_MX2, instance, leaf, route

PIN = leaf("mx2.example.test").pin


def a_table(parameter: str, rows: dict[str, str]) -> dict[str, Any]:
    return {parameter: f"hash:/{parameter}", f"hash:/{parameter}": rows}


@pytest.mark.parametrize(
    ("hop", "host"),
    [
        ("[MX2.test]:25", "mx2.test"),
        ("[2001:db8::2]:25", "2001:db8::2"),
        ("mx2.test:25", "mx2.test"),
        ("a.test", "a.test"),
    ],
)
def test_the_host_of_a_next_hop_is_read(hop: str, host: str) -> None:
    assert host_of(hop) == host


def test_a_list_is_read_as_postfix_does() -> None:
    assert listed("a, b  inline:{ {c = d, e} }\n f") == ("a", "b", "inline:{ {c = d, e} }", "f")


@pytest.mark.parametrize(
    ("said", "hops"),
    [
        (
            a_table("transport_maps", {"a": "smtp:[m1]:25, [m2]:25", "b": ":[m3]"}),
            ["[m1]:25", "[m2]:25", "[m3]"],
        ),
        # Without a hop, DNS says where to; and not every transport is SMTP.
        (a_table("transport_maps", {"a.test": "smtp", "b.test": "smtp:", "c.test": "error:no"}), []),
        ({"default_transport": "smtp", "relay_transport": "relay:[m4]"}, ["[m4]"]),
        ({"relayhost": "[m5]:587"}, ["[m5]:587"]),
        (a_table("sender_dependent_relayhost_maps", {"@a.test": "[m6]"}), ["[m6]"]),
        (a_table("sender_dependent_default_transport_maps", {"@a.test": "smtp:[m7]"}), ["[m7]"]),
        # A password and a policy are for somebody, also where no route is.
        (a_table("smtp_sasl_password_maps", {"m8.test": "", "ann@m.test": ""}), ["m8.test"]),
        (a_table("smtp_tls_policy_maps", {"[m9]": "may", ".example.test": "may"}), ["[m9]"]),
        ({"relayhost": "[m1]:25", **a_table("smtp_tls_policy_maps", {"[m1]": "may"})}, ["[m1]:25"]),
    ],
)
def test_every_next_hop_is_found(said: dict[str, Any], hops: list[str]) -> None:
    assert [one.hop for one in routes(instance(**said))] == hops


def test_a_service_that_receives_sends_nothing() -> None:
    assert routes(instance(MasterEntry("odd", receives=True), relay_transport="odd:[m1]")) == ()


@pytest.mark.parametrize(
    ("hop", "port"), [("[m1]", "25"), ("[m1]:587", "587"), ("m1.test:26", "26"), ("[2001:db8::1]", "25")]
)
def test_a_next_hop_has_a_port(hop: str, port: str) -> None:
    assert route(relayhost=hop).port == port


@pytest.mark.parametrize(
    ("policy", "level", "pinned"),
    [
        ({"[192.0.2.2]:25": f"fingerprint match={PIN}|zz match=AA:BB"}, "fingerprint", [PIN, None, None]),
        ({"[192.0.2.2]:25": "secure match=mx2.test"}, "secure", []),
        # The key is not the next hop to the letter: Postfix does not find it.
        ({"[192.0.2.2]": "secure"}, "may", []),
        ({}, "may", []),
    ],
)
def test_the_policy_is_that_of_the_hop_as_it_is_written(
    policy: dict[str, str], level: str, pinned: list[str | None]
) -> None:
    said = {**TO_MX2, **a_table("smtp_tls_policy_maps", policy), "smtp_tls_security_level": "may"}
    found = routes(instance(**said))[0]

    assert (found.level, [one.digest for one in found.pinned]) == (level, pinned)
    assert found.checks_names == (level == "secure")


def test_the_policy_of_a_domain_is_also_that_of_its_parents() -> None:
    found = route(
        relayhost="mx2.example.test", **a_table("smtp_tls_policy_maps", {".example.test": "verify"})
    )

    assert found.level == "verify"


def test_a_transport_has_settings_of_its_own() -> None:
    hub = MasterEntry("hub", receives=False, options={
        "smtp_tls_security_level": "fingerprint", "smtp_tls_fingerprint_cert_match": PIN,
        "smtp_tls_chain_files": "/chain.pem",
    })  # fmt: skip
    said = {"relay_transport": "hub:[m1]", "smtp_tls_chain_files": "/other.pem"}
    [found] = routes(instance(hub, presents=leaf(MX1), **said))

    assert (found.transport, found.level) == ("hub", "fingerprint")
    assert [(one.digest, one.table) for one in found.pinned] == [(PIN, "main.cf")]
    assert found.presents == (leaf(MX1),)


def test_a_policy_that_cannot_be_listed_is_told() -> None:
    found = route(**TO_MX2, smtp_tls_policy_maps="ldap:/p", unread=("ldap:/p",))

    assert (found.policy_unread, found.level) == ("ldap:/p", "none")


@pytest.mark.parametrize(
    ("key", "enabled", "table"),
    [
        ("[192.0.2.2]:25", "yes", "hash:/p"),
        ("192.0.2.2", "yes", "hash:/p"),
        ("[192.0.2.9]:25", "yes", ""),
        ("[192.0.2.2]:25", "no", ""),
    ],
)
def test_a_password_is_for_a_hop_or_its_host(key: str, enabled: str, table: str) -> None:
    found = routes(
        instance(
            **TO_MX2,
            smtp_sasl_auth_enable=enabled,
            smtp_sasl_password_maps="hash:/p",
            **{"hash:/p": {key: ""}},
        )
    )

    assert found[0].password == table
