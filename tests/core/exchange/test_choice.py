"""Which certificate an Exchange server uses for a name, and every step of the way there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from mailtrust.core.events import catalog
from mailtrust.core.exchange.case import Case
from mailtrust.core.exchange.choice import Choice, Purpose, at_connector, by_name, choices, internal
from mailtrust.core.exchange.facts import Connector, StoreCertificate
from mailtrust.core.exchange.judge import cases
from mailtrust.core.exchange.tls_name import write_tls_name
from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.core.policy import Policy
from mailtrust.texts import LANGUAGES, load
from tests.forest import DC1 as FIRST
from tests.forest import (
    a_receive_connector,
    a_send_connector,
    a_server,
    an_organization,
    an_unread_look,
    everywhere,
    its_own,
    public,
    stored,
    with_store,
)
from tests.make import NOON, an_x509, days, der

NAME = "mail.corp.example"
OWN = its_own("MBX1")
OLD, NEW = public(key="old", age=days(200)), public(key="new", age=days(5))
ENDED = public(key="ended", age=days(50), life=days(40))
SELF_SIGNED = its_own("mail", names=(NAME,))


def a_case(
    *held: StoreCertificate | Certificate, connectors: tuple[Connector, ...] = (), **rest: object
) -> Case:
    """MBX1 with that in its store, beside its own certificate."""
    given = [one if isinstance(one, StoreCertificate) else stored(one) for one in held]
    server = with_store(a_server(**rest), stored(OWN), *given)
    [case] = cases(an_organization(server, connectors=connectors), NOON, Policy())
    return case


def phrases(choice: Choice) -> list[str]:
    """Its steps, each of which can be said in every language."""
    for texts in (load(language, strict=True) for language in LANGUAGES):
        for said in choice.steps:
            texts.say(said)
    return [said.phrase.partition(".")[2] for said in choice.steps]


def test_the_newest_valid_one_of_an_authority_is_used() -> None:
    choice = by_name(a_case(OLD, NEW, SELF_SIGNED), NAME)

    assert choice.chosen == NEW
    assert phrases(choice) == ["candidates", "pass-exact", "issued", "issued", "self-signed", "used"]
    assert choice.older_would_do is None


def test_an_exact_name_comes_before_a_wildcard() -> None:
    wild = replace(NEW, names=("*.corp.example",))

    assert by_name(a_case(wild, SELF_SIGNED), NAME).chosen == SELF_SIGNED
    choice = by_name(a_case(wild, stored(OLD, has_key=False)), NAME)
    assert choice.chosen == wild
    assert phrases(choice)[1:] == ["pass-exact", "no-key", "pass-wildcard", "issued", "used"]


def test_a_wildcard_stands_for_any_depth() -> None:
    wild = replace(NEW, names=("*.corp.example",))

    assert by_name(a_case(wild), "a.b.corp.example").chosen == wild
    assert by_name(a_case(wild), "corp.example").chosen is None


@pytest.mark.parametrize(
    ("held", "phrase"),
    [
        (stored(NEW, has_key=False), "no-key"),
        (stored(NEW, network_service_reads=False), "no-right"),
        (stored(NEW, status="Revoked"), "status"),
        (stored(NEW, status="Untrusted"), "status"),
        (stored(replace(NEW, key_type="EC", key_bits=256)), "key"),
        (stored(replace(NEW, key_bits=512)), "key"),
    ],
)
def test_what_cannot_be_used_is_passed_by(held: StoreCertificate, phrase: str) -> None:
    choice = by_name(a_case(held, OLD), NAME)

    assert choice.chosen == OLD
    assert phrase in phrases(choice)


def test_nobody_needs_to_trust_what_is_self_signed() -> None:
    assert by_name(a_case(stored(SELF_SIGNED, status="Untrusted")), NAME).chosen == SELF_SIGNED


def test_a_revocation_that_cannot_be_checked_is_the_second_choice() -> None:
    unknown = stored(NEW, status="RevocationCheckFailure")

    assert by_name(a_case(unknown, OLD), NAME).chosen == OLD
    assert by_name(a_case(unknown, SELF_SIGNED), NAME).chosen == NEW


def test_an_ended_one_is_used_where_nothing_else_is_and_logged() -> None:
    choice = by_name(a_case(ENDED), NAME)

    assert (choice.chosen, choice.event) == (ENDED, catalog.STARTTLS_EXPIRED)
    own = replace(SELF_SIGNED, not_after=NOON - days(1))
    assert phrases(by_name(a_case(own), NAME))[-2:] == ["expired-own", "used"]


def test_a_valid_one_behind_an_ended_one_is_named() -> None:
    choice = by_name(a_case(ENDED, OLD), NAME)

    assert (choice.chosen, choice.older_would_do) == (OLD, OLD)


def test_no_certificate_for_a_name_is_12014() -> None:
    choice = by_name(a_case(), NAME)

    assert (choice.chosen, choice.event) == (None, catalog.STARTTLS_NOT_IN_STORE)
    assert phrases(choice) == ["candidates", "none-for-name"]


def test_a_store_that_nobody_saw_decides_nothing() -> None:
    [case] = cases(an_organization(a_server()), NOON, Policy())

    assert not by_name(case, NAME).known
    assert phrases(by_name(case, NAME)) == ["store-unread"]
    assert not internal(case).known
    named = a_receive_connector(tls_certificate_name=write_tls_name(NEW))
    assert phrases(at_connector(case, named)) == ["by-tls-name", "store-unread"]


def usage(*extensions: x509.ExtensionType) -> Certificate:
    return certificate(
        der(an_x509(NAME, kind="rsa2048", issuer="Public CA", extensions=[(one, True) for one in extensions]))
    )


def key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(signs, False, True, False, False, False, False, False, False)


@pytest.mark.parametrize(
    ("leaf", "fits"),
    [
        (usage(key_usage(signs=True)), True),
        (usage(key_usage(signs=False)), False),
        (usage(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])), True),
        (usage(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])), False),
    ],
)
def test_what_a_certificate_is_for_counts(leaf: Certificate, fits: bool) -> None:
    assert (by_name(a_case(leaf), NAME).chosen == leaf) is fits


def test_a_certificate_whose_bytes_are_missing_is_nobodys_choice() -> None:
    assert by_name(a_case(StoreCertificate("ab" * 20, None)), NAME).chosen is None


def test_a_connector_is_asked_by_what_it_announces() -> None:
    choice = at_connector(a_case(NEW), a_receive_connector())

    assert (choice.chosen, choice.purpose, choice.name) == (NEW, Purpose.INBOUND, NAME)
    assert phrases(choice)[0] == "by-fqdn"
    sends = at_connector(a_case(NEW), a_send_connector("MBX1"))
    assert (sends.chosen, sends.purpose, sends.name) == (OWN, Purpose.OUTBOUND, "mbx1.corp.example")


def test_a_connector_without_tls_needs_none() -> None:
    choice = at_connector(a_case(NEW), a_receive_connector(auth=frozenset({"Integrated"})))

    assert phrases(choice) == ["no-tls"]


def test_a_connector_that_names_one_asks_no_name() -> None:
    other = public("other.corp.example", key="other")
    named = a_receive_connector(tls_certificate_name=write_tls_name(other))

    choice = at_connector(a_case(NEW, other), named)

    assert choice.chosen == other
    assert phrases(choice) == ["by-tls-name", "used"]


def test_of_several_that_are_named_the_newest_valid_one_is_shown() -> None:
    named = a_receive_connector(tls_certificate_name=write_tls_name(NEW))

    choice = at_connector(a_case(ENDED, OLD, NEW, stored(public(key="keyless"), has_key=False)), named)
    assert choice.chosen == NEW
    assert phrases(choice) == ["by-tls-name", "no-key", "several", "used"]
    late = at_connector(a_case(ENDED), named)
    assert (late.chosen, late.event) == (ENDED, catalog.STARTTLS_EXPIRED)


def test_a_name_that_means_nothing_here_is_12014() -> None:
    missing = a_receive_connector(tls_certificate_name="<I>CN=Old CA<S>CN=mail.corp.example")
    malformed = a_receive_connector(tls_certificate_name="mail.corp.example")

    for connector in (missing, malformed):
        choice = at_connector(a_case(NEW), connector)
        assert (choice.chosen, choice.event) == (None, catalog.STARTTLS_NOT_IN_STORE)
        assert phrases(choice)


def test_the_internal_one_is_what_the_directory_names() -> None:
    choice = internal(a_case(NEW))

    assert choice.chosen == OWN
    assert phrases(choice) == ["published", "in-store", "used"]


def test_an_ended_internal_one_is_used_and_logged() -> None:
    ended = its_own("MBX1", key="ended", age=days(400), life=days(365))

    choice = internal(a_case(ended, at=everywhere(ended), presents=ended))

    assert (choice.chosen, choice.event) == (ended, catalog.EXPIRED)
    assert phrases(choice) == ["published", "in-store", "expired-and-used"]


def test_an_internal_one_without_bytes_is_used_all_the_same() -> None:
    bare = StoreCertificate(OWN.thumbprint, None, has_key=True)
    [case] = cases(an_organization(with_store(a_server(), bare)), NOON, Policy())

    assert phrases(internal(case)) == ["published", "in-store", "used"]


def test_in_the_place_of_a_lost_one_exchange_takes_another_of_its_name() -> None:
    lost = its_own("MBX1", key="lost")

    choice = internal(a_case(at=everywhere(lost)))

    assert (choice.chosen, choice.event) == (OWN, catalog.FALLBACK_TO_NAME)
    assert phrases(choice)[:2] == ["published", "not-in-store"]
    assert phrases(choice)[-1] == "fallback-name"


def test_where_none_has_its_name_it_makes_one_in_memory() -> None:
    server = with_store(a_server(), stored(OWN, has_key=False))
    [case] = cases(an_organization(server), NOON, Policy())

    choice = internal(case)

    assert (choice.chosen, choice.event) == (None, catalog.FALLBACK_TO_EPHEMERAL)
    assert phrases(choice)[:2] == ["published", "no-key"]


def test_nothing_published_is_12012() -> None:
    assert internal(a_case(at=everywhere(None))).event is catalog.CERTIFICATE_MISSING


def test_where_no_controller_answered_nobody_knows() -> None:
    blind = a_server(published=(an_unread_look("MBX1", FIRST),))
    [case] = cases(an_organization(blind), NOON, Policy())

    assert phrases(internal(case)) == ["directory-unread"]
    assert not internal(case).known


def test_a_name_is_asked_of_everything_that_it_decides() -> None:
    case = a_case(NEW, connectors=(a_receive_connector(), a_send_connector("MBX1")))

    assert [one.purpose for one in choices(case, "MAIL.corp.example.")] == [Purpose.INBOUND, Purpose.NAME]
    assert [one.purpose for one in choices(case, "mbx1.corp.example")] == [
        Purpose.INTERNAL,
        Purpose.OUTBOUND,
        Purpose.NAME,
    ]
