"""Hosts beside each other: how the one knows the other, what is stale, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailtrust.core.adopt.next_step import mending, next_step
from mailtrust.core.adopt.pairs import How, State, older
from mailtrust.core.digests import digests_of
from mailtrust.core.model.certificate import Certificate
from tests.core.adopt.fleet import (
    BY_CERTIFICATE,
    HUB_TO_MX2,
    MX1,
    MX2,
    PUBLIC,
    TO_MX2,
    adopted,
    host,
    inner,
    leaf,
    pair,
)
from tests.make import NOON, a_certificate, days

OLD = a_certificate(MX1, key="the one before")
BOTH = {MX1: (leaf(MX1),), MX2: (leaf(MX2),)}


def clients(*leaves: Certificate, label: str = "mx1") -> dict[str, Any]:
    return {**BY_CERTIFICATE, "hash:/c": {one.pin: label for one in leaves}}


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_a_host_that_was_collected_twice_the_newer_one_counts(*, newer_first: bool) -> None:
    """Else the host was paired with itself, and what was mended since was called stale."""
    old = host(MX2, PUBLIC, **clients(OLD))
    new = replace(host(MX2.upper(), PUBLIC, **clients(leaf(MX1))), collected_at=NOON + days(1))
    twice = (new, old) if newer_first else (old, new)

    sender = host(MX1, **TO_MX2)
    found = adopted(sender, *twice)

    assert older(found, (sender, *twice)) == (old,)
    assert [one.host.collected_at for one in found.places.all] == [NOON, NOON + days(1)]
    assert [one.how for one in pair(found).known_by] == [How.CERTIFICATE]
    assert {(one.sender, one.receiver) for one in found.pairs} == {(MX1, MX2), (MX2, MX1)}


@pytest.mark.parametrize("function", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("of", [0, 1], ids=["certificate", "public key"])
def test_a_certificate_is_known_by_any_digest(function: str, of: int) -> None:
    written = digests_of(leaf(MX1), function)[of]
    mx2 = host(MX2, **BY_CERTIFICATE, smtpd_tls_fingerprint_digest=function, **{"hash:/c": {written: "x"}})
    found = pair(adopted(host(MX1, **TO_MX2), mx2))

    assert [(one.how, one.by) for one in found.known_by] == [(How.CERTIFICATE, "hash:/c")]
    assert found.hops == ("[192.0.2.2]:25",)


@pytest.mark.parametrize(
    ("receiving", "sending", "how"),
    [
        ({}, {}, [How.NOTHING]),
        (clients(leaf(MX1), OLD), {}, [How.CERTIFICATE]),
        (clients(OLD), {}, [How.STALE]),
        # Of whom it is meant for, and by a digest that this host does not compute.
        ({**clients(leaf(MX1)), "smtpd_tls_fingerprint_digest": "md5"}, {}, [How.NOTHING]),
        ({**BY_CERTIFICATE, "hash:/c": {"AA:BB": "mx1"}}, {}, [How.STALE]),
        ({"smtpd_relay_restrictions": "permit_tls_all_clientcerts"}, {}, [How.AUTHORITY]),
        ({"smtpd_relay_restrictions": "permit_mynetworks", "mynetworks": "192.0.2.0/24"}, {}, [How.ADDRESS]),
        ({"smtpd_relay_restrictions": "permit_mynetworks", "mynetworks": "192.0.2.9"}, {}, [How.NOTHING]),
        (
            {"smtpd_relay_restrictions": "permit_sasl_authenticated", "smtpd_sasl_auth_enable": "yes"},
            {
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_password_maps": "hash:/p",
                "hash:/p": {"192.0.2.2": ""},
            },
            [How.PASSWORD],
        ),
        ({**BY_CERTIFICATE, "unread": ("hash:/c",)}, {}, [How.UNKNOWN]),
    ],
)
def test_how_the_receiver_knows_the_sender(
    receiving: dict[str, Any], sending: dict[str, Any], how: list[How]
) -> None:
    found = pair(adopted(host(MX1, **TO_MX2, **sending), host(MX2, **receiving)))

    assert [one.how for one in found.known_by] == how


def test_a_sender_whose_addresses_are_not_known_may_be_trusted_by_one() -> None:
    networks = {"smtpd_relay_restrictions": "permit_mynetworks", "mynetworks": "192.0.2.0/24"}
    nowhere = replace(host(MX1, **TO_MX2), addresses=None)

    found = adopted(nowhere, host(MX2, **networks), host("mx3.example.test"))
    assert [one.how for one in pair(found).known_by] == [How.UNKNOWN]
    assert [one.how for one in pair(found, receiver="mx3.example.test").known_by] == [How.NOTHING]


@pytest.mark.parametrize(
    ("policy", "how"),
    [
        ("may", How.NOTHING),
        ("encrypt", How.NOTHING),
        ("secure", How.AUTHORITY),
        (f"fingerprint match={leaf(MX2).fingerprint}", How.CERTIFICATE),
        (f"fingerprint match={OLD.pin}|{leaf(MX2).pin}", How.CERTIFICATE),
        (f"fingerprint match={OLD.pin}", How.STALE),
        ("fingerprint match=zz", How.STALE),
    ],
)
def test_how_the_sender_knows_the_receiver(policy: str, how: How) -> None:
    said = {"smtp_tls_policy_maps": "hash:/p", "hash:/p": {"[192.0.2.2]:25": policy}}
    found = pair(adopted(host(MX1, **TO_MX2, **said), host(MX2)))

    assert [one.how for one in found.believes] == [how]


def test_a_policy_that_cannot_be_listed_leaves_it_unknown() -> None:
    mx1 = host(MX1, **TO_MX2, smtp_tls_policy_maps="ldap:/p", unread=("ldap:/p",))
    found = adopted(mx1, host(MX2))

    assert [one.how for one in pair(found).believes] == [How.UNKNOWN]
    assert found.places.all[0].unread == ("ldap:/p",)


@pytest.mark.parametrize("hop", ["[mx2.example.test]:25", "mx2:25", "[mx2.inside.test]:25", "[192.0.2.2]"])
def test_a_next_hop_leads_to_the_host_that_it_means(hop: str) -> None:
    """By its name, its short name, its address, or an address that the name has where it is used."""
    mx1 = host(MX1, relayhost=hop, resolved={"mx2.inside.test": ("192.0.2.2",)})

    assert pair(adopted(mx1, host(MX2))).hops == (hop,)


def test_a_short_name_that_two_have_means_nobody() -> None:
    found = adopted(host(MX1, relayhost="mx2:25"), host(MX2), host("mx2.other.test"))

    assert pair(found).hops == ()
    assert {(one.sender, one.receiver) for one in found.pairs} >= {(MX1, "mx2")}


def test_a_way_to_oneself_is_no_pair() -> None:
    found = adopted(host(MX1, relayhost="[mx1.example.test]:26"))

    assert found.pairs == ()


@pytest.mark.parametrize(("published", "how"), [({}, How.UNKNOWN), (BOTH, How.CERTIFICATE)])
def test_who_was_not_collected_is_unknown_unless_the_directory_knows(
    published: dict[str, Any], how: How
) -> None:
    said = {
        "smtp_tls_policy_maps": "hash:/p",
        "hash:/p": {"[mx2.example.test]:25": f"fingerprint match={leaf(MX2).pin}"},
    }
    found = adopted(host(MX1, relayhost="[mx2.example.test]:25", **said), published=published)

    assert [one.how for one in pair(found).known_by] == [How.UNKNOWN]
    assert [one.how for one in pair(found).believes] == [how]
    assert [one.state for one in found.written] == [State.CURRENT if published else State.UNKNOWN]


def test_a_password_for_somebody_who_was_not_collected_is_seen() -> None:
    said = {
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": "hash:/p",
        "hash:/p": {"gate.test": ""},
    }
    found = pair(adopted(host(MX1, **said)), receiver="gate.test")

    assert [one.how for one in found.known_by] == [How.PASSWORD]


@pytest.mark.parametrize(
    ("written", "label", "state", "owner"),
    [
        (leaf(MX1).pin, "anything", State.CURRENT, MX1),
        (OLD.pin, "mx1", State.STALE, MX1),
        (OLD.pin, "MX1.example.test since May", State.STALE, MX1),
        (OLD.pin, "gone.example.test", State.STALE, "gone.example.test"),
        (OLD.pin, "who was that", State.UNKNOWN, ""),
        ("AA:BB", "mx1", State.MALFORMED, MX1),
        ("ab" * 16, "mx1", State.OTHER_FUNCTION, MX1),
    ],
)
def test_what_a_written_fingerprint_is_worth(written: str, label: str, state: State, owner: str) -> None:
    said = {**BY_CERTIFICATE, "smtpd_tls_fingerprint_digest": "sha256", "hash:/c": {written: label}}
    found = adopted(host(MX1), host(MX2, **said), published={"gone.example.test": (leaf("gone"),)})

    [row] = found.written
    assert (row.host, row.label, row.state, row.owner) == (MX2, label, state, owner)
    assert (mending(row) is None) == (state is State.CURRENT)


def test_a_host_of_which_no_certificate_is_known_makes_nothing_stale() -> None:
    found = adopted(host(MX1, presents=None), host(MX2, **clients(OLD)))

    assert [(one.state, one.owner) for one in found.written] == [(State.UNKNOWN, "")]


def test_a_fingerprint_of_another_host_is_stale_at_a_next_hop() -> None:
    said = {
        "smtp_tls_policy_maps": "hash:/p",
        "hash:/p": {"[192.0.2.2]:25": f"fingerprint match={leaf(MX1).pin}"},
    }
    found = adopted(host(MX1, **TO_MX2, **said), host(MX2))

    assert [(one.state, one.owner) for one in found.written] == [(State.STALE, MX2)]


def step(*hosts: Any, published: Any = BOTH, receiver: str = MX2) -> str | None:
    found = adopted(*hosts, published=published or {})
    said = next_step(pair(found, receiver=receiver), found, published)
    return said.phrase if said is not None else None


def switched(**said: Any) -> Any:
    """mx2 with our listener, whose table has mx1's key."""
    return host(MX2, inner(), **{"lmdb:/ours": {leaf(MX1).pin: MX1}, **said})


def test_the_steps_come_in_their_order() -> None:
    mx1, mx2 = host(MX1, **TO_MX2), host(MX2, **clients(leaf(MX1)))

    assert step(mx1, receiver="192.0.2.2") == "adopt.collect"
    assert step(mx1, mx2, published=None) == "adopt.directory"
    assert step(mx1, mx2, published={MX1: (leaf(MX1),), MX2: ()}) == "adopt.publish"
    assert step(mx1, mx2) == "adopt.listen"
    assert step(mx1, switched()) == "adopt.switch"
    assert step(host(MX1, **HUB_TO_MX2), switched()) == "adopt.done"


def test_an_old_rule_that_is_left_is_taken_away_last() -> None:
    """The new listener itself has none; another one of that host may."""
    mx1 = host(
        MX1,
        transport_maps="hash:/t",
        **{"hash:/t": {"a": "hub:[192.0.2.2]:2525", "b": "smtp:[192.0.2.2]:25"}},
    )
    public = {"smtpd_relay_restrictions": "permit_mynetworks", "mynetworks": "192.0.2.0/24"}
    both = host(MX2, inner(mynetworks=""), PUBLIC, **public, **{
        "lmdb:/ours": {leaf(MX1).pin: MX1}
    })  # fmt: skip
    found = adopted(mx1, both, published=BOTH)
    said = next_step(pair(found), found, BOTH)

    assert [one.how for one in pair(found).known_by] == [How.PUBLISHED, How.ADDRESS]
    assert said is not None
    assert (said.phrase, said.values["by"]) == ("adopt.clean", "mynetworks 192.0.2.0/24")


def test_between_hosts_that_do_not_know_each_other_nothing_is_to_be_done() -> None:
    assert step(host(MX1), host(MX2)) is None


def test_the_fingerprints_in_our_own_tables_are_not_judged() -> None:
    assert adopted(host(MX1), switched()).written == ()


def test_a_chain_that_could_not_be_read_presents_nothing() -> None:
    said = {"smtp_tls_chain_files": "/gone.pem", "smtpd_tls_chain_files": "/gone.pem"}
    found = adopted(host(MX1, **TO_MX2, **said))

    assert found.places.all[0].certificates == ()
