"""The rules about Exchange: stores, renewals, links; each on a planted fact, and silent on a sound one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.advice import Advice, Profile
from mailtrust.core.advice.facts import Facts
from mailtrust.core.exchange.facts import ExchangeServer, Role, StoreCertificate
from mailtrust.core.exchange.tls_name import write_tls_name
from mailtrust.core.model.certificate import Certificate
from tests.core.advice.given import ERROR, INFORMATION, WARNING, codes, exchange, lines, the, told
from tests.forest import (
    DC1,
    a_receive_connector,
    a_send_connector,
    a_server,
    everywhere,
    its_own,
    public,
    stored,
    with_store,
)
from tests.make import days
from tests.powershell import faults

PUBLIC = public(life=days(300))


def given(*held: StoreCertificate, **rest: object) -> Facts:
    """MBX1 with its own certificate and those in its store."""
    server = a_server(starttls=PUBLIC)
    return exchange(with_store(server, stored(its_own("MBX1")), *held), **rest)


def found(code: str, facts: Facts) -> Advice:
    """The advice, whose lines have to be PowerShell."""
    one = the(code, facts)
    assert [fault for line in lines(one) for fault in faults(line)] == []
    return one


def ends_in(count: float, **rest: object) -> Certificate:
    return public("other.corp.example", key="other", age=days(100), life=days(100 + count), **rest)


def test_a_sound_server_is_told_nothing() -> None:
    assert codes(given(stored(PUBLIC))) == []


@pytest.mark.parametrize(
    ("left", "severity"), [(61, None), (59, WARNING), (31, WARNING), (29, ERROR), (-1, ERROR)]
)
def test_ends_are_judged_as_health_checker_does(left: int, severity: object) -> None:
    facts = given(stored(ends_in(left)))

    assert [one.severity for one in told(facts) if one.code == "A601"] == ([severity] if severity else [])


def test_a_renewal_of_an_issued_certificate_begins_with_a_request() -> None:
    own = its_own("MBX1", key="second", age=days(100), life=days(110), names=("x.corp.example",))

    assert lines(found("A601", given(stored(ends_in(10)))))[0].endswith("-GenerateRequest")
    assert lines(found("A601", given(stored(own))))[0].endswith("| New-ExchangeCertificate")


def test_what_is_bound_to_nothing_is_not_judged() -> None:
    for none in (frozenset(), frozenset({"None"})):
        assert codes(given(stored(ends_in(10), services=none))) == []


def test_a_store_that_nobody_saw_is_not_judged() -> None:
    assert codes(exchange(a_server(starttls=PUBLIC))) == []


def test_a_short_key_is_told() -> None:
    short = replace(ends_in(300), key_bits=1024)

    assert found("A602", given(stored(short))).values["key"] == "RSA 1024"


def test_a_weak_hash_is_told_where_somebody_checks_it() -> None:
    weak = replace(ends_in(300), signature_hash="sha1")

    assert "-GenerateRequest" in lines(found("A603", given(stored(weak))))[0]
    assert codes(given(stored(replace(weak, self_signed=True)))) == []


def test_a_certificate_without_its_key_is_told() -> None:
    assert found("A604", given(stored(ends_in(300), has_key=False))).severity is ERROR


def test_a_key_that_the_transport_may_not_read_is_told() -> None:
    locked = stored(ends_in(300), network_service_reads=False)

    assert found("A605", given(locked)).severity is ERROR
    # It is another account that reads the key of a web site.
    assert codes(given(replace(locked, services=frozenset({"IIS"})))) == []
    assert codes(given(replace(locked, has_key=False))) == ["A604"]


@pytest.mark.parametrize(("status", "severity"), [("Revoked", ERROR), ("Untrusted", WARNING)])
def test_what_exchange_does_not_call_valid_is_told(status: str, severity: object) -> None:
    assert found("A606", given(stored(ends_in(300), status=status))).severity is severity
    assert "A606" not in codes(given(stored(ends_in(-1), status=status)))


def test_too_many_names_are_told() -> None:
    crowd = replace(ends_in(300), names=tuple(f"n{number}.corp.example" for number in range(257)))

    assert found("A607", given(stored(crowd))).values["count"] == "257"
    assert codes(given(stored(replace(crowd, names=crowd.names[:256])))) == []


def test_an_internal_certificate_of_an_authority_is_told() -> None:
    server = a_server(at=everywhere(PUBLIC), presents=PUBLIC, starttls=PUBLIC)
    nameless = replace(server, name="", fqdn="")

    assert (
        "New-ExchangeCertificate -Server MBX1 -SubjectName 'CN=MBX1'"
        in lines(found("A608", exchange(server)))[0]
    )
    assert "-SubjectName" not in lines(found("A608", exchange(nameless)))[0]


def test_an_internal_key_that_edgesync_cannot_use_is_told() -> None:
    leaf = its_own("MBX1", kind="p256")
    server = a_server(at=everywhere(leaf), presents=leaf, starttls=PUBLIC)
    edge = a_server("EDGE1", roles=Role.EDGE)

    assert found("A609", exchange(server)).severity is WARNING
    assert found("A609", exchange(server, edge, scope=("MBX1",))).severity is ERROR


def test_a_name_that_means_several_certificates_is_told() -> None:
    new = public(key="renewed", age=days(5))
    named = a_send_connector("MBX1", tls_certificate_name=write_tls_name(PUBLIC))

    several = found("A610", given(stored(PUBLIC), stored(new), connectors=(named,)))
    assert several.values["used"] == new.thumbprint[:12].upper()
    assert lines(several) == [
        f"Remove-ExchangeCertificate -Server MBX1 -Thumbprint '{PUBLIC.thumbprint.upper()}'"
    ]
    assert "A610" not in codes(given(stored(PUBLIC), connectors=(named,)))


def test_where_none_of_several_can_be_used_none_is_removed() -> None:
    named = a_send_connector("MBX1", tls_certificate_name=write_tls_name(PUBLIC))
    held = [stored(one, has_key=False) for one in (PUBLIC, public(key="renewed", age=days(5)))]

    assert lines(found("A610", given(*held, connectors=(named,)))) == ["Get-ExchangeCertificate -Server MBX1"]


def test_a_name_that_names_nothing_means_nothing() -> None:
    named = a_send_connector("MBX1", tls_certificate_name="nonsense")

    assert "A610" not in codes(given(stored(PUBLIC), connectors=(named,)))


def test_an_ended_certificate_before_a_valid_one_is_told() -> None:
    ended = public(key="newer", age=days(9), life=days(8))

    assert found("A611", given(stored(PUBLIC), stored(ended), connectors=(a_receive_connector(),)))
    assert "A611" not in codes(given(stored(PUBLIC), connectors=(a_receive_connector(),)))


def with_edge(**rest: object) -> tuple[ExchangeServer, ExchangeServer]:
    return a_server(starttls=PUBLIC, **rest), a_server("EDGE1", roles=Role.EDGE, starttls=PUBLIC)


def test_a_renewal_far_off_is_told_as_information() -> None:
    facts = exchange(*with_edge())

    edge, mailbox = found("A702", facts), found("A701", facts)
    assert (edge.severity, edge.server) == (INFORMATION, "edge1.corp.example")
    assert (mailbox.severity, mailbox.values["edges"]) == (INFORMATION, "EDGE1")
    assert "New-EdgeSubscription" in " ".join(lines(edge))
    assert lines(mailbox) == ["Start-EdgeSynchronization", "Test-EdgeSynchronization"]


def test_a_renewal_within_ninety_days_is_a_warning() -> None:
    leaf = its_own("MBX1", key="ends", age=days(300), life=days(365))
    facts = exchange(*with_edge(at=everywhere(leaf), presents=leaf))

    assert found("A701", facts).severity is WARNING
    assert found("A701", facts).until == leaf.not_after


def test_edgesync_needs_the_old_key() -> None:
    facts = exchange(*with_edge(takes_part_in_edgesync=True))

    assert found("A703", facts).server == "mbx1.corp.example"
    assert "A703" not in codes(exchange(*with_edge()))


def test_connectors_that_name_the_certificate_are_told() -> None:
    named = a_receive_connector(tls_certificate_name=write_tls_name(PUBLIC))
    facts = given(stored(PUBLIC), connectors=(named,))

    one = found("A704", facts)
    assert one.values["connectors"] == named.name
    assert any("-TlsCertificateName" in line for line in lines(one))
    assert "A705" not in codes(facts)


def test_only_the_certificate_in_force_is_told_where_the_store_is_known() -> None:
    new = public(key="renewed", age=days(5))
    named = a_receive_connector(tls_certificate_name=write_tls_name(PUBLIC))

    assert [
        one.place for one in told(given(stored(PUBLIC), stored(new), connectors=(named,)), only=(704,))
    ] == [new.thumbprint]


def test_the_names_that_a_renewal_must_carry_are_told() -> None:
    facts = exchange(a_server(starttls=PUBLIC), connectors=(a_receive_connector(),))

    one = found("A705", facts)
    assert one.values["names"] == "mail.corp.example"
    assert lines(one)[0].endswith("-DomainName mail.corp.example -GenerateRequest")
    off = a_receive_connector(enabled=False)
    assert codes(exchange(a_server(starttls=PUBLIC), connectors=(off,))) == []


def test_a_server_of_which_nothing_is_known_breaks_nothing() -> None:
    empty = a_server(at=everywhere(None), presents=None, starttls=None)

    assert codes(exchange(empty)) == []


def test_a_long_key_of_exchange_is_told_once_for_each_certificate() -> None:
    long = replace(PUBLIC, key_bits=4096)
    server = with_store(a_server(starttls=long), stored(long), stored(its_own("MBX1"), services=frozenset()))

    assert found("A802", exchange(server)).values["key"] == "RSA 4096"


def test_a_server_without_certificates_has_no_long_key() -> None:
    empty = a_server(at=everywhere(None), presents=None, starttls=None)

    assert "A802" not in codes(exchange(with_store(empty)))


def test_slow_site_links_are_told_once_for_each_controller() -> None:
    def slow(name: str) -> ExchangeServer:
        server = a_server(name, starttls=PUBLIC)
        looks = [
            replace(look, latencies={"b2": timedelta(hours=3)}) if look.place == DC1.url else look
            for look in server.published
        ]
        return replace(server, published=tuple(looks))

    facts = exchange(slow("MBX1"), slow("MBX2"))
    assert (found("A805", facts).server, found("A805", facts).values["took"]) == (DC1.name, "3h")
    assert codes(exchange(a_server(starttls=PUBLIC))) == []


def test_the_exchange_profile_has_them_all() -> None:
    facts = given(stored(ends_in(10)))

    assert codes(facts, Profile.EXCHANGE) == codes(facts, Profile.DEFAULT) == ["A601"]
