"""The internal certificate itself: its end, its strength, its names, its key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.exchange.facts import Role
from mailtrust.core.model.event import Severity
from tests.core.exchange.audited import audited, codes, commands, phrases, risks, routes, steps, the
from tests.forest import (
    a_receive_connector,
    a_server,
    collected,
    everywhere,
    its_own,
    public,
    stored,
    with_store,
)

ENDED = its_own("MBX1", key="ended", life=timedelta(days=30), age=timedelta(days=60))
ENDING = its_own("MBX1", key="ending", age=timedelta(days=1800))


def test_one_that_ended_stops_no_mail_but_the_next_update() -> None:
    found = the(12015, audited(a_server(at=everywhere(ENDED), presents=ENDED)))

    assert found.finding.severity is Severity.ERROR
    assert routes(found) == ["route.expired"]
    assert steps(found) == ["step.look-by-name", "step.make-new"]


def test_one_that_ends_within_90_days_is_a_warning() -> None:
    found = the(12017, audited(a_server(at=everywhere(ENDING), presents=ENDING)))

    assert found.finding.severity is Severity.WARNING
    assert found.finding.values["days"] == "26"


def test_the_old_one_is_kept_for_edgesync() -> None:
    edge = a_server("EDGE1", roles=Role.EDGE)
    server = a_server(at=everywhere(ENDING), presents=ENDING, takes_part_in_edgesync=True)

    assert risks(the(12017, audited(server, edge))) == ["risk.edge-window", "risk.edgesync"]


def test_a_connector_that_names_the_old_one_is_a_risk() -> None:
    naming = a_receive_connector(tls_certificate_name="<I>CN=MBX1<S>CN=MBX1")
    server = a_server(at=everywhere(ENDING), presents=ENDING)

    audit = audited(server, connectors=(naming,))

    assert risks(the(12017, audit)) == ["risk.no-edge", "risk.connectors"]


def test_one_of_the_store_that_would_soon_end_too_is_not_proposed() -> None:
    soon = its_own("MBX1", key="soon", age=timedelta(days=1750))
    server = with_store(a_server(at=everywhere(ENDING), presents=ENDING), stored(ENDING), stored(soon))

    assert steps(the(12017, audited(server))) == ["step.make-new"]


def test_an_edge_gets_a_new_one_and_a_new_subscription() -> None:
    old = its_own("EDGE1", key="ending", age=timedelta(days=1800))
    edge = a_server("EDGE1", roles=Role.EDGE, at=everywhere(old), presents=old)

    found = the(12017, audited(edge, a_server()), "edge1")

    assert steps(found)[:2] == ["step.make-new", "step.export-subscription"]


def test_without_a_directory_what_is_presented_counts() -> None:
    server = a_server(presents=ENDED, published=(), written={})

    assert codes(audited(server, controllers=())) == [12015]


def test_by_its_own_account_what_is_in_its_store_counts() -> None:
    told = collected("MBX1", stored(ENDED), internal_thumbprint=ENDED.thumbprint.upper())
    alone = replace(a_server(), collected=told, published=(), written={}, wires=())

    assert codes(audited(alone, controllers=(), dn="")) == [12015]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"network_service_reads": False}, "step.enable-again"),
        ({"has_key": False}, "step.make-new"),
    ],
)
def test_a_published_one_that_cannot_be_used_is_not_in_the_store(
    change: dict[str, object], step: str
) -> None:
    server = with_store(a_server(wires=()), stored(its_own("MBX1"), **change))

    found = the(12013, audited(server))

    assert steps(found) == [step]
    assert routes(found) == ["route.no-edge"]


def test_by_its_own_account_a_store_may_lack_what_it_reads() -> None:
    told = collected("MBX1", stored(public()), internal_thumbprint="AB" * 20)
    alone = replace(a_server(), collected=told, published=(), written={}, wires=())

    found = the(12013, audited(alone, controllers=(), dn=""))

    assert found.finding.values["thumbprint"] == "AB" * 6
    assert phrases(found) == ["proof.reads", "proof.not-stored"]
    assert steps(found) == ["step.make-new"]


def test_a_store_that_has_what_is_published_is_in_order() -> None:
    assert codes(audited(with_store(a_server(wires=()), stored(its_own("MBX1"))))) == []


def test_a_short_key_is_a_warning_and_an_old_signature_is_not() -> None:
    short = its_own("MBX1", kind="rsa1024")

    weak = audited(a_server(at=everywhere(short), presents=short))

    assert the(12113, weak).worst is Severity.WARNING
    assert steps(the(12113, weak))[-1] == "step.make-new"


def test_a_short_public_key_is_replaced_by_its_authority() -> None:
    audit = audited(a_server(starttls=public(key="short", kind="rsa1024")))

    assert commands(the(12113, audit))[0].startswith("$new = Import-ExchangeCertificate")


def test_other_names_are_for_information() -> None:
    """Exchange finds it by its thumbprint."""
    other = its_own("other", names=("other.example",))

    found = the(12114, audited(a_server(at=everywhere(other), presents=other)))

    assert found.worst is Severity.INFORMATION
    assert found.said.phrase == "finding.names"
