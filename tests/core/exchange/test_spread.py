"""Controllers that differ: on its way, late, lost, and late where the server itself reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.exchange.facts import Controller, Role
from mailtrust.core.exchange.judgement import Audit
from mailtrust.core.model.event import Severity
from mailtrust.core.policy import Policy
from tests.core.exchange.audited import audited, codes, commands, phrases, routes, ruled_out, steps, the
from tests.forest import (
    DC1,
    DC2,
    SERVERS,
    a_look,
    a_server,
    a_stamp,
    an_organization,
    collected,
    its_own,
    stored,
)
from tests.make import NOON, minutes

HERE = "CN=MBX1," + SERVERS
FAR = Controller(
    "dc9.corp.example", "ldaps://dc9.corp.example", "BRANCH", writer="c3", seen={"a1": 900, "b2": 900}
)


def a_late_server(age: float = 120, number: int = 950, **rest: object) -> Audit:
    """Written at dc1 that many minutes ago; dc2, which has seen 900 writes of it, has nothing."""
    return audited(
        a_server(
            at={DC2.url: None},
            stamps={DC1.url: a_stamp(number=number, age=minutes(age)), DC2.url: None},
        ),
        **rest,
    )


def test_within_the_latency_it_is_on_its_way() -> None:
    audit = a_late_server(5)

    found = the(12101, audit)
    assert codes(audit) == [12101]
    assert found.worst is Severity.INFORMATION
    assert (found.finding.since, found.finding.until) == (NOON - minutes(5), NOON + minutes(10))
    assert steps(found) == ["step.wait", "step.pull", "step.pull-samba"]
    assert found.finding.action is None
    assert "proof.late" in phrases(found)


def test_afterwards_it_is_late_and_the_object_is_pulled() -> None:
    found = the(12102, a_late_server())

    assert found.said.phrase == "finding.behind"
    assert found.finding.place == DC2.url
    assert commands(found)[0] == f'repadmin /replsingleobj dc2.corp.example dc1.corp.example "{HERE}"'
    assert commands(found)[1] == (
        'samba-tool drs replicate dc2.corp.example dc1.corp.example "CN=Configuration,DC=corp,DC=example"'
    )
    assert commands(found)[2].endswith("-DomainController dc2.corp.example")


def test_the_controllers_own_latency_counts() -> None:
    server = a_server(
        at={DC2.url: None}, stamps={DC1.url: a_stamp(number=950, age=minutes(120)), DC2.url: None}
    )
    slow = tuple(replace(look, latencies={"a1": timedelta(hours=6)}) for look in server.published)

    assert codes(audited(replace(server, published=slow))) == [12101]


def test_an_older_value_is_said_to_be_one() -> None:
    """Which of two is the older the stamps tell, not the certificates."""
    newer = its_own("MBX1", key="next")
    server = a_server(
        at={DC1.url: newer},
        stamps={DC1.url: a_stamp(number=950, version=2, age=minutes(120)), DC2.url: a_stamp(version=1)},
        presents=newer,
    )

    found = the(12102, audited(server))

    assert found.said.phrase == "finding.behind-older"
    assert newer.thumbprint.upper() in commands(found)[2]


def test_a_write_that_arrived_and_is_not_there_is_written_again() -> None:
    """Replication is done with it: pulling would bring nothing."""
    found = the(12102, a_late_server(1, number=800))

    assert found.said.phrase == "finding.behind-lost"
    assert "proof.lost" in phrases(found)
    assert steps(found) == ["step.enable-at"]
    assert found.finding.action is not None


def test_a_controller_lost_its_own_write() -> None:
    """Nobody lists how far it has seen of itself."""
    stamps = {DC1.url: a_stamp("b2", 5, age=minutes(1)), DC2.url: None}

    assert (
        the(12102, audited(a_server(at={DC2.url: None}, stamps=stamps))).said.phrase == "finding.behind-lost"
    )


def test_without_cursors_time_alone_decides() -> None:
    blind = tuple(replace(one, seen={}) for one in (DC1, DC2))
    server = a_server(
        at={DC2.url: None},
        stamps={DC1.url: a_stamp(age=minutes(120)), DC2.url: None},
        controllers=blind,
    )

    found = the(12102, audited(server, controllers=blind))

    assert "proof.due" in phrases(found)
    assert steps(found) == ["step.pull", "step.pull-samba", "step.enable-at"]


def test_where_every_controller_of_its_site_lacks_it_it_is_missing_there() -> None:
    server = a_server(
        at={DC1.url: None, DC2.url: None},
        stamps={FAR.url: a_stamp("c3", 40, age=minutes(120)), DC1.url: None, DC2.url: None},
        controllers=(DC1, DC2, FAR),
        presents=None,
    )

    audit = audited(server, controllers=(DC1, DC2, FAR))

    found = the(12012, audit)
    assert codes(audit) == [12012]
    assert (found.finding.cause, found.finding.severity) == ("overdue", Severity.ERROR)
    assert found.finding.since == NOON - minutes(105)
    assert routes(found) == ["route.no-edge"]
    assert ruled_out(found) == {"not-enabled": "ruled.stands", "not-written": "ruled.stands"}
    assert commands(found)[0].startswith("Get-ExchangeServer MBX1 -Status |")
    assert commands(found)[1] == f'repadmin /replsingleobj dc1.corp.example dc9.corp.example "{HERE}"'


def test_a_far_controller_that_lacks_it_is_only_behind() -> None:
    stamps = {DC1.url: a_stamp(number=950, age=minutes(120)), DC2.url: a_stamp(number=950, age=minutes(120))}
    server = a_server(at={FAR.url: None}, stamps={**stamps, FAR.url: None}, controllers=(DC1, DC2, FAR))

    audit = audited(server, controllers=(DC1, DC2, FAR))

    assert codes(audit) == [12102]
    assert routes(the(12102, audit)) == ["route.behind-far"]


def test_a_read_only_controller_is_not_written_to() -> None:
    copy = replace(DC2, read_only=True)
    server = a_server(
        at={DC2.url: None}, stamps={DC1.url: a_stamp(number=950, age=minutes(120)), DC2.url: None}
    )

    assert steps(the(12102, audited(server, controllers=(DC1, copy)))) == ["step.pull", "step.pull-samba"]


def test_an_edges_value_is_brought_by_replication_alone() -> None:
    """No cmdlet writes an Edge's certificate into Active Directory."""
    edge = a_server(
        "EDGE1",
        roles=Role.EDGE,
        at={DC2.url: None},
        stamps={DC1.url: a_stamp(number=950, age=minutes(120)), DC2.url: None},
    )

    found = the(12102, audited(edge, a_server()), "edge1")

    assert steps(found) == ["step.pull", "step.pull-samba"]
    assert [route.said.phrase for route in found.routes] == ["route.behind-edge"]


def test_an_overdue_edge_has_no_shell_in_the_domain() -> None:
    edge = a_server(
        "EDGE1",
        roles=Role.EDGE,
        at={DC1.url: None, DC2.url: None},
        stamps={FAR.url: a_stamp("c3", 950, age=minutes(120)), DC1.url: None, DC2.url: None},
        controllers=(DC1, DC2, FAR),
    )

    found = the(12012, audited(edge, controllers=(DC1, DC2, FAR)), "edge1")

    assert steps(found)[0] == "step.pull"


def test_a_value_that_was_taken_out_is_not_behind() -> None:
    """The newer write wins, also where it is the empty one."""
    stamps = {DC1.url: a_stamp(number=950, version=2, age=minutes(5)), DC2.url: a_stamp()}

    audit = audited(a_server(at={DC1.url: None}, stamps=stamps))

    assert codes(audit) == [12012]
    assert the(12012, audit).finding.cause == "not-written"
    assert "overdue" not in ruled_out(the(12012, audit))


def test_without_stamps_a_value_outranks_none_and_the_later_the_former() -> None:
    newer = its_own("MBX1", key="next")
    looks = (a_look("MBX1", DC1, its_own("MBX1")), a_look("MBX1", DC2, newer, age=minutes(60)))
    server = replace(a_server(presents=newer), published=looks, written={})

    found = the(12102, audited(server))

    assert found.finding.place == DC1.url
    assert found.finding.values["thumbprint"] == newer.thumbprint[:12].upper()


def test_a_clock_that_is_ahead_puts_nothing_off() -> None:
    audit = a_late_server(-500000)

    assert the(12101, audit).finding.until == NOON + Policy().latency


def test_a_server_that_still_reads_another_one_is_overdue_by_its_own_account() -> None:
    newer, older = its_own("MBX1", key="next"), its_own("MBX1")
    stamps = {one.url: a_stamp(number=950, version=2, age=timedelta(days=1)) for one in (DC1, DC2)}
    server = a_server(at={DC1.url: newer, DC2.url: newer}, stamps=stamps, presents=newer)
    told = collected("MBX1", stored(newer), internal_thumbprint=older.thumbprint.upper())

    found = the(12012, audited(replace(server, collected=told)))

    assert found.finding.cause == "overdue"
    assert routes(found) == ["route.behind"]
    assert "proof.reads" in phrases(found)
    assert steps(found) == ["step.its-controllers"]


@pytest.mark.parametrize("age", [timedelta(minutes=10), timedelta(minutes=70)])
def test_what_it_read_before_or_just_after_the_write_proves_nothing(age: timedelta) -> None:
    """It was collected an hour before noon."""
    newer, older = its_own("MBX1", key="next"), its_own("MBX1")
    stamps = {one.url: a_stamp(number=950, version=2, age=age) for one in (DC1, DC2)}
    server = a_server(at={DC1.url: newer, DC2.url: newer}, stamps=stamps, presents=newer)
    told = collected("MBX1", stored(newer), internal_thumbprint=older.thumbprint)

    assert codes(audited(replace(server, collected=told))) == []


@pytest.mark.parametrize("name", ["dc2;calc.exe", "dc2 /delete"])
def test_a_controllers_name_that_cannot_be_typed_is_not_typed(name: str) -> None:
    odd = replace(DC2, name=name)
    server = a_server(
        at={DC2.url: None}, stamps={DC1.url: a_stamp(number=950, age=minutes(120)), DC2.url: None}
    )

    found = the(12102, audited(server, controllers=(DC1, odd)))

    assert steps(found) == ["step.pull-unsafe", "step.enable-at"]
    assert commands(found)[0].endswith(f"-DomainController '{name}'")


def test_two_controllers_of_one_short_name_are_told_apart() -> None:
    twin = Controller("dc1.child.example", DC2.url, "HQ", writer="b2")
    organization = an_organization(
        a_server(at={DC2.url: None}, stamps={DC1.url: a_stamp(age=minutes(120)), DC2.url: None}),
        controllers=(DC1, twin),
    )

    assert (
        the(12102, audited(organization=organization)).finding.values["replica"] == "dc1.child.example (HQ)"
    )
