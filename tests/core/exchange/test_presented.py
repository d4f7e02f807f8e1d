"""A server that presents another key than the one that stands for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtrust.core.exchange.facts import Logged, Role, Version
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Severity
from tests.core.exchange.audited import (
    audited,
    codes,
    commands,
    explained,
    phrases,
    risks,
    routes,
    steps,
    the,
)
from tests.forest import (
    DC1,
    DC2,
    a_server,
    a_wire,
    an_unread_look,
    in_memory,
    its_own,
    public,
    stored,
    with_store,
)
from tests.make import NOON

NEWER = its_own("MBX1", key="newer", age=timedelta(days=10))
EDGE = a_server("EDGE1", roles=Role.EDGE)


def test_another_certificate_of_its_name_is_suspected_to_be_a_fallback() -> None:
    found = the(12023, audited(a_server(presents=NEWER), a_server("MBX2")))

    assert found.suspected
    assert found.finding.severity is found.worst is Severity.WARNING
    assert phrases(found) == ["proof.stands", "proof.presented", "proof.older"]
    assert routes(found) == ["route.kerberos", "route.no-edge"]
    assert steps(found) == [
        "step.look-for",
        "step.enable-again",
        "step.enable-presented",
        "step.make-new-instead",
    ]


def test_the_published_one_may_be_the_newer_one() -> None:
    older = its_own("MBX1", key="older", age=timedelta(days=900))

    assert phrases(the(12023, audited(a_server(presents=older))))[-1] == "proof.newer"


def test_a_renewal_with_the_same_key_changes_nothing() -> None:
    """Exchange compares public keys."""
    renewed = its_own("MBX1", age=timedelta(days=1))

    assert codes(audited(a_server(presents=renewed))) == []


def test_a_published_one_on_any_controller_is_published() -> None:
    """It has not arrived everywhere: that is another matter."""
    assert 12023 not in codes(audited(a_server(at={DC1.url: NEWER}, presents=NEWER)))


def test_without_a_directory_nothing_is_said_of_what_is_presented() -> None:
    server = a_server(
        presents=NEWER, published=tuple(an_unread_look("MBX1", one) for one in (DC1, DC2)), written={}
    )

    assert codes(audited(server)) == []


def test_one_of_twelve_months_with_its_names_was_made_in_memory() -> None:
    found = the(12024, audited(a_server(presents=in_memory("MBX1"))))

    assert found.suspected
    assert "proof.as-in-memory" in phrases(found)
    assert steps(found) == ["step.look-for", "step.enable-again", "step.make-new"]


@pytest.mark.parametrize(
    "leaf",
    [
        public("mbx1.corp.example", life=timedelta(days=365)),
        its_own("MBX1", key="x", life=timedelta(days=730)),
        its_own("MBX1", key="x", life=timedelta(days=365), kind="rsa4096"),
        its_own("MBX1", key="x", life=timedelta(days=365), names=("MBX1", "mail.corp.example")),
    ],
    ids=["of a CA", "for two years", "a longer key", "another name"],
)
def test_any_other_was_not_made_in_memory(leaf: Certificate) -> None:
    assert codes(audited(a_server(presents=leaf))) == [12023]


def test_exchange_2007_made_its_real_ones_like_that() -> None:
    old = a_server(presents=in_memory("MBX1"), version=Version(8, 3, 83))

    assert codes(audited(old)) == [12023]


def test_each_process_may_have_one_of_its_own_in_memory() -> None:
    """One finding all the same."""
    server = a_server(
        wires=tuple(
            a_wire("MBX1", "X-ANONYMOUSTLS", in_memory("MBX1", key=f"process {port}"), port)
            for port in (25, 2525)
        )
    )

    found = the(12024, audited(server))

    assert found.finding.place == "mbx1.corp.example:25"
    assert phrases(found).count("proof.presented") == 2


def test_one_process_may_have_fallen_back_alone() -> None:
    server = a_server(
        wires=(
            a_wire("MBX1", "X-ANONYMOUSTLS", its_own("MBX1"), 25),
            a_wire("MBX1", "X-ANONYMOUSTLS", NEWER, 2525),
        )
    )

    assert the(12023, audited(server)).finding.place == "mbx1.corp.example:2525"


def test_a_certificate_of_another_server_is_perhaps_that_server() -> None:
    found = the(12023, audited(a_server(presents=its_own("MBX2")), a_server("MBX2")))

    assert "proof.is-of-another" in phrases(found)
    assert steps(found)[-1] == "step.make-new"


def test_a_certificate_without_its_name_is_perhaps_another_machine() -> None:
    assert "proof.names-another" in phrases(the(12023, audited(a_server(presents=public()))))


def test_the_edge_route_breaks_and_edgesync_with_it() -> None:
    found = the(12023, audited(a_server(presents=NEWER, takes_part_in_edgesync=True), EDGE))

    assert found.finding.severity is Severity.WARNING
    assert found.worst is Severity.ERROR
    assert routes(found) == ["route.edge-in", "route.edge-out", "route.edgesync"]
    assert [(one.event.code, one.server) for one in found.hence] == [
        (2018, "edge1.corp.example"),
        (1036, "edge1.corp.example"),
    ]
    assert risks(found) == ["risk.edge-window", "risk.edgesync-lost"]
    assert steps(found)[-1] == "step.start-edgesync"


def test_a_store_that_has_it_without_the_right_proves_why() -> None:
    own = its_own("MBX1")
    server = with_store(a_server(presents=NEWER), stored(own, network_service_reads=False), stored(NEWER))

    found = the(12023, audited(server))

    assert not found.suspected
    assert "proof.stored-without-right" in phrases(found)
    assert found.finding.action == (
        f"Enable-ExchangeCertificate -Server MBX1 -Thumbprint '{own.thumbprint.upper()}' -Services SMTP "
        "-DomainController dc1.corp.example"
    )


def test_a_store_that_lacks_it_gives_the_other_one_by_its_thumbprint() -> None:
    found = the(12023, audited(with_store(a_server(presents=NEWER), stored(NEWER))))

    assert "proof.not-stored" in phrases(found)
    assert steps(found) == ["step.enable-stored"]
    assert NEWER.thumbprint.upper() in commands(found)[0]


def test_a_store_without_the_key_is_said_to_lack_it() -> None:
    server = with_store(a_server(presents=NEWER), stored(its_own("MBX1"), has_key=False), stored(NEWER))

    found = the(12023, audited(server))

    assert "proof.stored-without-key" in phrases(found)
    assert steps(found) == ["step.enable-stored"]


def test_a_store_that_has_it_in_order_says_so() -> None:
    """Then the process is older than the store: the right is given again, which makes it look."""
    server = with_store(a_server(presents=NEWER), stored(its_own("MBX1")), stored(NEWER))

    assert "proof.stored" in phrases(the(12023, audited(server)))


def test_what_is_not_in_the_store_was_made_in_memory_whatever_it_looks_like() -> None:
    found = the(12024, audited(with_store(a_server(presents=NEWER), stored(public()))))

    assert not found.suspected
    assert steps(found) == ["step.make-new"]


def test_its_own_event_log_is_quoted() -> None:
    entries = tuple(
        Logged(NOON - timedelta(hours=one), "MSExchangeTransport", 12023, "") for one in (9, 3, 5)
    )
    server = with_store(a_server(presents=NEWER), stored(NEWER), logged=entries)

    [said] = [one for one in the(12023, audited(server)).finding.evidence if one.phrase == "proof.logged"]

    assert said.values == {"code": "12023", "count": "3", "at": "2026-06-01 09:00:00Z"}


def test_the_dates_of_a_certificate_that_is_not_used_are_nobodys_concern() -> None:
    """The cure is the same, and the cause is told."""
    ended = its_own("MBX1", life=timedelta(days=30), age=timedelta(days=60), key="ended")
    audit = audited(a_server(at={DC1.url: ended, DC2.url: ended}, presents=NEWER))

    assert codes(audit) == [12023]
    assert explained(audit) == [(12015, 12023)]
