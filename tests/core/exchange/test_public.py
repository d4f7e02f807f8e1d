"""STARTTLS: its dates, its names, and the connectors that want it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtrust.core.model.event import Severity
from tests.core.exchange.audited import (
    audited,
    codes,
    commands,
    explained,
    phrases,
    routes,
    steps,
    the,
    unseen,
)
from tests.forest import (
    a_receive_connector,
    a_send_connector,
    a_server,
    its_own,
    public,
    stored,
    with_store,
)

GONE = "<I>CN=Old CA<S>CN=mail.corp.example"
THERE = "<I>CN=Public CA<S>CN=mail.corp.example"
ENDED = public(key="ended", life=timedelta(days=60), age=timedelta(days=61))


def test_one_that_ended_is_an_error_and_every_connector_that_names_it_is_set_anew() -> None:
    naming = a_receive_connector(tls_certificate_name=THERE)
    other = a_send_connector("MBX1", tls_certificate_name="<I>CN=x<S>CN=y", enabled=False)

    found = the(12016, audited(a_server(starttls=ENDED), connectors=(naming, other)))

    assert found.finding.severity is Severity.ERROR
    assert commands(found) == [
        "$new = Import-ExchangeCertificate -Server MBX1 "
        "-FileData ([System.IO.File]::ReadAllBytes('C:\\certificate.pfx')) "
        "-Password (Read-Host -AsSecureString)",
        "Enable-ExchangeCertificate -Server MBX1 -Thumbprint $new.Thumbprint -Services SMTP",
        "Set-ReceiveConnector 'MBX1\\Default Frontend MBX1' "
        '-TlsCertificateName "<I>$($new.Issuer)<S>$($new.Subject)" -DomainController dc1.corp.example',
    ]
    assert found.steps[0].asks is not None
    assert found.steps[0].asks.phrase == "asks.keep"
    assert routes(found) == ["route.bad-starttls", "route.own"]


def test_one_that_ends_within_90_days_is_a_warning() -> None:
    ending = public(key="ending", age=timedelta(days=340))

    found = the(12018, audited(a_server(starttls=ending)))

    assert found.finding.severity is Severity.WARNING
    assert found.finding.values["hours"] == str(57 * 24)


def test_one_that_always_ends_within_90_days_is_no_reason_to_get_up() -> None:
    """Exchange logs 12018 all its life; a program renews it after two thirds of that."""
    young = public(key="young", life=timedelta(days=90), age=timedelta(days=10))
    old = public(key="old", life=timedelta(days=90), age=timedelta(days=65))

    assert the(12018, audited(a_server(starttls=young))).worst is Severity.INFORMATION
    assert the(12018, audited(a_server(starttls=old))).worst is Severity.WARNING


def test_the_internal_one_by_starttls_is_told_once() -> None:
    own = its_own("MBX1", life=timedelta(days=1826), age=timedelta(days=1800), key="old")

    audit = audited(a_server(at=dict.fromkeys(a_server().written, own), presents=own, starttls=own))

    assert codes(audit) == [12017]
    assert explained(audit) == [(12018, 12017)]


def test_a_name_that_nobody_presents_is_set_to_what_is_presented() -> None:
    found = the(12014, audited(a_server(), connectors=(a_receive_connector(tls_certificate_name=GONE),)))

    assert (found.finding.place, found.finding.values["name"]) == ("MBX1\\Default Frontend MBX1", GONE)
    assert "proof.name-renewed" in phrases(found)
    assert steps(found) == ["step.set-name"]
    assert routes(found) == ["route.no-starttls", "route.own"]


@pytest.mark.parametrize("name", [THERE, THERE.upper(), "<I>CN=Public CA <S> cn=mail.corp.example"])
def test_a_name_that_is_presented_is_found_however_it_is_typed(name: str) -> None:
    assert codes(audited(a_server(), connectors=(a_receive_connector(tls_certificate_name=name),))) == []


def test_a_name_that_is_none_says_what_is_wrong_with_it() -> None:
    found = the(12014, audited(a_server(), connectors=(a_receive_connector(tls_certificate_name="mail"),)))

    assert found.said.phrase == "finding.name-malformed"
    assert phrases(found)[0] == "tls-name.form"


def test_where_nothing_fits_its_name_it_is_imported_first() -> None:
    connector = a_receive_connector(tls_certificate_name=GONE, fqdn="other.example")

    found = the(12014, audited(a_server(), connectors=(connector,)))

    assert steps(found) == ["step.import-public", "step.clear-name"]
    assert commands(found)[-1].endswith("-TlsCertificateName $null -DomainController dc1.corp.example")


def test_an_expired_or_an_internal_one_is_not_proposed() -> None:
    connector = a_receive_connector(tls_certificate_name=GONE)

    for shown in (ENDED, its_own("MBX1")):
        audit = audited(a_server(starttls=shown), connectors=(connector,))
        assert steps(the(12014, audit))[0] == "step.import-public"


def test_a_connector_that_answers_others_proves_nothing() -> None:
    """What it shows to them we have not seen: a note, and no finding."""
    relay = a_receive_connector(name="Relay", remote_ranges=("192.0.2.0/24",), tls_certificate_name=GONE)
    submission = a_receive_connector(name="Client", bindings=("0.0.0.0:587",), tls_certificate_name=GONE)

    audit = audited(a_server(), connectors=(a_receive_connector(), relay, submission))

    assert codes(audit) == []
    assert {"unseen.connectors", "unseen.port"} <= set(unseen(audit))


@pytest.mark.parametrize("change", [{"enabled": False}, {"auth": frozenset({"ExchangeServer"})}])
def test_a_connector_without_tls_needs_no_certificate(change: dict[str, object]) -> None:
    connector = a_receive_connector(tls_certificate_name=GONE, **change)

    assert codes(audited(a_server(), connectors=(connector,))) == []


def test_where_no_certificate_was_seen_nothing_is_said() -> None:
    silent = a_server(wires=())

    assert codes(audited(silent, connectors=(a_receive_connector(tls_certificate_name=GONE),))) == []


def test_a_connector_that_offers_nothing_and_names_what_is_not_there_is_told() -> None:
    """So it looks where the connector found none: it offers no STARTTLS at all."""
    audit = audited(a_server(starttls=None), connectors=(a_receive_connector(tls_certificate_name=GONE),))

    assert codes(audit) == [12014]
    assert explained(audit) == [(12117, 12014)]
    assert steps(the(12014, audit))[0] == "step.import-public"


def test_a_connector_that_names_the_internal_certificate_finds_it() -> None:
    connector = a_receive_connector(tls_certificate_name="<I>CN=MBX1<S>CN=MBX1")

    assert codes(audited(a_server(starttls=None), connectors=(connector,))) == [12117]


def test_a_send_connector_is_told_once_for_all_its_servers() -> None:
    connector = a_send_connector("MBX1", "MBX2", tls_certificate_name=GONE, fqdn="mail.corp.example")

    audit = audited(a_server(), a_server("MBX2"), connectors=(connector,))

    found = the(12014, audit)
    assert codes(audit, "mbx2") == []
    assert found.said.phrase == "finding.name-not-there-send"
    assert routes(found) == ["route.sends-nothing", "route.own"]
    assert commands(found) == [
        f"Set-SendConnector 'To the Internet' -TlsCertificateName '{THERE}' "
        "-DomainController dc1.corp.example"
    ]


def test_a_send_connector_may_name_what_one_of_its_servers_presents() -> None:
    connector = a_send_connector("MBX1", "MBX2", tls_certificate_name=THERE)

    assert codes(audited(a_server(starttls=None), a_server("MBX2"), connectors=(connector,))) == [12117]


def test_a_store_decides_what_a_connector_can_find() -> None:
    connector = a_receive_connector(tls_certificate_name=GONE, bindings=("0.0.0.0:587",))
    old = public(issuer="Old CA", key="old")

    lacking = audited(
        with_store(a_server(), stored(public()), stored(its_own("MBX1"))), connectors=(connector,)
    )
    holding = audited(with_store(a_server(), stored(old), stored(its_own("MBX1"))), connectors=(connector,))

    assert "proof.name-not-stored" in phrases(the(12014, lacking))
    assert commands(the(12014, lacking))[0].startswith("Set-ReceiveConnector")
    assert codes(holding) == []


def test_a_connector_whose_name_no_stored_certificate_carries_offers_no_tls() -> None:
    server = with_store(a_server(starttls=None), stored(its_own("MBX1")))
    audit = audited(server, connectors=(a_receive_connector(), a_send_connector()))

    found = the(12014, audit)
    assert found.said.phrase == "finding.fits-no-name"
    assert phrases(found) == ["proof.no-name"]
    assert explained(audit) == [(12117, 12014)]


def test_a_connector_without_a_name_goes_by_its_servers() -> None:
    server = with_store(a_server(starttls=its_own("MBX1")), stored(its_own("MBX1")))

    assert codes(audited(server, connectors=(a_receive_connector(fqdn=""),))) == []


def test_another_name_than_the_connectors_is_for_information() -> None:
    connector = a_receive_connector(fqdn="mbx1.corp.example", bindings=("0.0.0.0:25", "0.0.0.0:2525"))

    found = the(12114, audited(a_server(), connectors=(connector,)))

    assert found.worst is Severity.INFORMATION
    assert found.said.phrase == "finding.starttls-names"


def test_connectors_of_a_collected_file_stand_for_those_of_the_directory() -> None:
    server = with_store(
        a_server(),
        stored(its_own("MBX1")),
        connectors=(a_receive_connector(tls_certificate_name=GONE),),
    )

    assert the(12014, audited(server)).finding.place == "MBX1\\Default Frontend MBX1"


def test_a_certificate_without_names_is_called_by_none() -> None:
    nameless = its_own("nameless", names=("x",), age=timedelta(days=400), life=timedelta(days=300))

    assert the(12016, audited(a_server(starttls=nameless))).finding.values["name"] == "x"
