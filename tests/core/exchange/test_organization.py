"""What concerns more than one server: controllers, what ends, what was not seen, files, the grid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.facts import Role, Version
from mailtrust.core.exchange.grid import Mark, Shown
from mailtrust.core.exchange.judgement import Use
from mailtrust.core.exchange.offline import joined
from mailtrust.core.model.event import Said, Severity
from tests.core.exchange.audited import audited, codes, commands, the, unseen
from tests.forest import (
    DC1,
    DC2,
    GARBAGE,
    a_server,
    a_stamp,
    an_organization,
    an_unread_look,
    collected,
    its_own,
    nine_servers,
    public,
    stored,
    with_store,
)
from tests.make import NOON

DOWN = replace(DC2, why="connection refused")


def test_a_controller_that_could_not_be_read_is_a_warning() -> None:
    server = a_server()
    half = replace(server, published=(server.published[0], an_unread_look("MBX1", DC2)))

    audit = audited(half, controllers=(DC1, DOWN))

    found = the(12103, audit, "dc2")
    assert found.finding.severity is Severity.WARNING
    assert commands(found) == ["Test-NetConnection dc2.corp.example -Port 636"]
    assert audit.verdict is Verdict.WARNING


def test_the_port_is_that_of_its_url() -> None:
    plain = replace(DOWN, url="ldap://dc2.corp.example")

    assert commands(the(12103, audited(a_server(), controllers=(DC1, plain)), "dc2"))[0].endswith("-Port 389")


def test_a_far_controller_that_could_not_be_read_is_a_note() -> None:
    far = replace(DOWN, in_site=False)
    silent = replace(DC2, asked=False, name="dc9.corp.example", url="ldaps://dc9")

    audit = audited(a_server(), controllers=(DC1, far, silent))

    assert audit.judgements == ()
    assert {"unseen.controller-far", "unseen.controllers-unasked"} <= set(unseen(audit))


def test_what_was_not_looked_at_is_said() -> None:
    servers = (a_server(wires=()), a_server("EDGE1", roles=Role.EDGE), a_server("OLD", roles=Role.MAILBOX))
    notes = (Said("unseen.directory"),)

    said = unseen(audited(*servers, notes=notes))

    assert said == [
        "unseen.directory",
        "unseen.wires",
        "unseen.ad-lds",
        "unseen.stores",
        "unseen.no-transport",
        "unseen.auth-certificate",
    ]


def test_who_tells_no_stamps_is_named() -> None:
    assert "unseen.stamps" in unseen(audited(replace(a_server(), written={})))


def test_with_every_store_seen_the_stores_are_no_note() -> None:
    assert "unseen.stores" not in unseen(audited(with_store(a_server(), stored(its_own("MBX1")))))


def test_the_next_90_days_are_told_soonest_first() -> None:
    ending = public(key="ending", age=timedelta(days=340))
    own = its_own("MBX1", key="ending", age=timedelta(days=1800))
    spare = its_own("MBX1", key="spare", age=timedelta(days=1816))
    server = with_store(
        a_server(at={one.url: own for one in (DC1, DC2)}, presents=own, starttls=ending),
        stored(own),
        stored(spare),
        stored(its_own("MBX1")),
    )

    found = audited(server, a_server("MBX2")).endings

    assert [(one.use, one.certificate) for one in found] == [
        (Use.STORED, spare),
        (Use.INTERNAL, own),
        (Use.STARTTLS, ending),
    ]


def test_a_file_from_inside_joins_its_server() -> None:
    held = collected("mbx1", stored(its_own("MBX1")))
    older = replace(held, collected_at=NOON - timedelta(days=9), certificates=())

    whole = joined(an_organization(a_server()), [held, older])

    assert [one.collected for one in whole.servers] == [held]


def test_a_file_alone_makes_a_page_about_its_server() -> None:
    held = collected("MBX1", roles=Role(54), version=Version(15, 2, 986), site="HQ", organization="Corp")

    alone = joined(None, [held])

    [server] = alone.servers
    assert (alone.name, server.name, server.fqdn) == ("Corp", "MBX1", "mbx1.corp.example")
    assert "unseen.directory" in unseen(audited(organization=alone))


def test_nothing_at_all_is_an_empty_page() -> None:
    assert joined(None, []).servers == ()


def test_the_grid_has_a_mark_for_each_state() -> None:
    newer = its_own("MBX1", key="next")
    stamps = {DC1.url: a_stamp(version=2), DC2.url: a_stamp()}
    audit = audited(
        a_server("MBX1", at={DC1.url: newer}, stamps=stamps),
        a_server(
            "MBX2", at={DC1.url: None, DC2.url: GARBAGE}, stamps={**stamps, DC2.url: a_stamp(version=3)}
        ),
        replace(a_server("MBX3"), published=(an_unread_look("MBX3", DC1),)),
    )

    assert [row.marks for row in audit.grid] == [
        (Mark.HOLDS, Mark.OTHER),
        (Mark.EMPTY, Mark.GARBAGE),
        (Mark.UNREAD, Mark.UNREAD),
    ]


def test_the_grid_tells_what_is_presented() -> None:
    shown = {row.server.name: row.internal for row in audited(organization=nine_servers()).grid}

    assert shown["MBX1"] is Shown.NOT_OFFERED
    assert shown["MBX2"] is Shown.UNPUBLISHED
    assert shown["MBX9"] is Shown.PUBLISHED
    [blind] = audited(a_server(wires=())).grid
    assert (blind.internal, blind.public) == (Shown.UNSEEN, Shown.UNSEEN)
    [alone] = audited(a_server(published=(), written={}), controllers=()).grid
    assert alone.internal is Shown.SEEN


def test_the_grid_has_the_first_end() -> None:
    [row] = audited(a_server()).grid
    [none] = audited(a_server(published=(), written={}, wires=()), controllers=()).grid

    assert row.ends == public().not_after
    assert none.ends is None


def test_a_scope_is_given_by_either_name() -> None:
    organization = nine_servers()

    by_name = audited(organization=organization, scope=("MBX1", "mbx2.CORP.example"))

    assert [row.server.name for row in by_name.grid] == ["MBX1", "MBX2"]
    assert codes(by_name, "mbx3") == []
