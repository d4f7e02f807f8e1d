"""We do not believe them: what they present, and what we know of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import History, Impostor
from mailtrust.core.policy import Policy
from mailtrust.core.why import Direction, Owner, Why
from tests.core.why.both_sides import (
    HOP,
    OURS,
    THEIR_OLD,
    THEIRS,
    WE_REFUSED,
    a_certificate,
    a_snapshot,
    asked,
    at,
    said,
    their_wire,
    view_of,
    waits,
)
from tests.make import (
    AUTHORITY,
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_replica,
    a_view,
    a_wire,
    an_unread_replica,
    garbage,
    minutes,
)

STALE = "12111 our view of the directory is too old to trust anybody"
ENABLE = f"mailtrust enable {THEIRS.fingerprint[:12]}"


def told(found: Why) -> tuple[str, Owner, str | None, bool]:
    conclusion = found.conclusion
    assert conclusion.direction is Direction.WE_REFUSE
    return conclusion.code, conclusion.owner, conclusion.command, conclusion.there


def test_what_they_present_is_published_nowhere() -> None:
    found = asked(view_of(*at()), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-not-published", Owner.PEER, ENABLE, True)
    assert said(found.conclusion.otherwise) == "else.never-for-them"
    assert [one.cause for one in found.ruled_out] == ["nobody-listens", "they-refuse-us"]
    assert said(found.proof[0]) == "proof.queue-says"


def test_withdrawn_and_another_one_is_published() -> None:
    gone = {THEIR_OLD.fingerprint: NOON - minutes(60)}
    found = asked(view_of(*at(THEIRS, withdrawn=gone), their_wire(THEIR_OLD)), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-old-process", Owner.PEER, "mailtrust check", True)


def test_withdrawn_in_a_directory_that_forgets_is_known_by_our_own_earlier_looks() -> None:
    history = History(first_seen={
        (HUB2, DC2, THEIR_OLD.fingerprint): NOON - minutes(600),
        (HUB2, HOP, THEIR_OLD.fingerprint): NOON - minutes(900),
    })  # fmt: skip
    found = asked(view_of(their_wire(THEIR_OLD), history=history), waits(words=WE_REFUSED))

    assert told(found)[0] == "theirs-old-process"
    assert [said(one) for one in found.conclusion.evidence] == ["proof.stood-here"]
    assert "2026-06-01 02:00:00Z" in str(found.conclusion.evidence[0])


def test_withdrawn_and_nothing_else_published() -> None:
    gone = {THEIRS.fingerprint: NOON - minutes(60)}
    found = asked(view_of(*at(withdrawn=gone)), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-withdrawn", Owner.PEER, "mailtrust new", True)
    assert "change.withdrawn" in [said(one.said) for one in found.changed]


def test_withdrawn_and_not_gone_everywhere_is_not_on_its_way() -> None:
    gone = {THEIRS.fingerprint: NOON - minutes(1)}
    looks = [a_replica(DC1, server=HUB2, withdrawn=gone), a_replica(DC2, THEIRS, server=HUB2)]
    found = asked(view_of(*looks), waits(words=WE_REFUSED))

    assert told(found)[0] == "theirs-old-process"


@pytest.mark.parametrize("whose", [HUB2, ServerName("hub3.example.test")])
def test_a_stolen_key_is_believed_nowhere_whoever_withdrew_it(whose: ServerName) -> None:
    look = a_replica(DC1, server=whose, withdrawn_pins=frozenset({THEIRS.pin}))
    found = asked(view_of(look), waits(words=WE_REFUSED))

    assert told(found) == ("peer-key-revoked", Owner.PEER, "mailtrust new", True)


def test_what_may_issue_others_is_published_and_taken_by_nobody() -> None:
    authority = a_certificate(HUB2, key="ca", extensions=AUTHORITY)
    found = asked(view_of(*at(authority), their_wire(authority)), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-authority", Owner.PEER, "mailtrust new", True)


def test_on_its_way_to_our_home() -> None:
    looks = [
        a_replica(DC1, server=HUB2), a_replica(DC2, THEIRS, server=HUB2, published_at=NOON - minutes(5)),
        a_replica(DC3, server=HUB2),
    ]  # fmt: skip
    found = asked(view_of(*looks), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-travelling", Owner.NOBODY, "mailtrust status", False)
    assert found.conclusion.until == NOON + minutes(10)


@pytest.mark.parametrize(
    ("policy", "owner", "command"),
    [
        (Policy(), Owner.HERE, "mailtrust directory replicate --once"),
        (Policy(replicates_itself=True, pulls=True), Owner.HERE, f"mailtrust directory pull {HUB2}"),
        (Policy(replicates_itself=True), Owner.DIRECTORY, "mailtrust directory show"),
    ],
)
def test_overdue_at_our_home(policy: Policy, owner: Owner, command: str) -> None:
    found = asked(view_of(a_replica(DC1, server=HUB2)), waits(words=WE_REFUSED), policy=policy)

    assert told(found) == ("theirs-overdue", owner, command, False)


def test_lost_at_our_home_where_the_directory_numbers_its_writes() -> None:
    stamp = Stamp("001", 7, NOON - minutes(90))
    looks = [a_replica(DC1, server=HUB2, seen={"001": 9}), a_replica(DC2, THEIRS, server=HUB2, written=stamp)]
    found = asked(view_of(*looks), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-lost", Owner.PEER, ENABLE, True)


def test_late_elsewhere_does_not_excuse_what_is_overdue_at_home() -> None:
    """12101 of another replica is about another certificate."""
    fresh = a_certificate(HUB2, key="fresh")
    lately = replace(
        a_replica(DC3, THEIRS, fresh, server=HUB2),
        found=tuple(
            replace(one, published_at=NOON - minutes(1)) if one.certificate == fresh else one
            for one in a_replica(DC3, THEIRS, fresh, server=HUB2).found or ()
        ),
    )
    found = asked(view_of(a_replica(DC1, server=HUB2), lately), waits(words=WE_REFUSED))

    assert told(found)[0] == "theirs-overdue"


def test_nothing_but_garbage_stands_for_them() -> None:
    found = asked(view_of(*at(unparsable=(garbage(),))), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-damaged", Owner.PEER, ENABLE, True)


def test_garbage_beside_a_certificate_is_not_the_reason() -> None:
    found = asked(view_of(*at(THEIR_OLD, unparsable=(garbage(),))), waits(words=WE_REFUSED))

    assert told(found)[0] == "theirs-not-published"


def test_what_stands_where_anybody_might_write_counts_for_nobody() -> None:
    impostor = Impostor(THEIRS, "CN=mailtrust,CN=HUB2,DC=example", "impostor.no-member", NOON - minutes(60))
    found = asked(view_of(*at(impostors=(impostor,))), waits(words=WE_REFUSED))

    assert told(found) == ("theirs-impostor", Owner.DIRECTORY, "mailtrust directory show", False)
    assert [said(one) for one in found.conclusion.evidence] == ["entry.impostor", "impostor.no-member"]


def test_home_cannot_be_read() -> None:
    unread = [an_unread_replica(DC1, server=HUB1), an_unread_replica(DC1, server=HUB2)]
    found = asked(view_of(*unread, a_snapshot(NOON - minutes(90))), waits(words=STALE))

    assert told(found) == ("home-unreadable", Owner.DIRECTORY, "mailtrust directory show", False)
    assert found.conclusion.finding is not None
    assert found.conclusion.finding.event.code == 12111
    assert [said(one) for one in found.unseen] == ["unlooked.replica"]


def test_home_cannot_be_read_and_there_is_no_picture_at_all() -> None:
    unread = [an_unread_replica(DC1, server=HUB1), an_unread_replica(DC1, server=HUB2)]
    found = asked(view_of(*unread, replace(their_wire(), found=())), waits(words=WE_REFUSED))  # type: ignore[type-var]

    assert found.conclusion.finding is not None
    assert (found.conclusion.finding.event.code, found.conclusion.about) == (12103, None)


@pytest.mark.parametrize("taken_at", [NOON - minutes(99999), None])
def test_home_has_it_and_our_picture_is_older(taken_at: object) -> None:
    found = asked(view_of(a_snapshot(taken_at)), waits(words=WE_REFUSED))  # type: ignore[arg-type]

    assert told(found) == ("our-picture", Owner.HERE, "mailtrust hub", False)


def test_home_has_it_and_tables_were_not_made_from_it() -> None:
    found = asked(
        view_of(), waits(words="Server certificate not verified"), compile="mailtrust postfix compile",
        one_process=False,
    )  # fmt: skip

    assert told(found) == ("our-picture", Owner.HERE, "mailtrust postfix compile", False)


def test_a_next_hop_that_nobody_listed_is_believed_by_nothing() -> None:
    words = "client TLS configuration problem"
    given = {"compile": "mailtrust postfix compile", "listed": False}

    found = asked(view_of(), waits(words=words), **given)
    assert told(found) == ("hop-not-listed", Owner.HERE, "mailtrust postfix compile", False)
    assert found.conclusion.about == (HUB2, THEIRS)
    unseen = replace(their_wire(), found=())  # type: ignore[type-var]
    assert asked(view_of(unseen), waits(words=words), **given).conclusion.about is None
    assert asked(view_of(), waits(words="Temporary lookup failure"), **given).conclusion.code == "our-tables"


def test_a_fresh_picture_with_their_key_is_no_reason_any_more() -> None:
    assert asked(view_of(a_snapshot(NOON)), waits(words=WE_REFUSED)).conclusion.code == "over"
    assert asked(view_of(a_snapshot(None))).conclusion.code == "nothing"


def test_tables_that_cannot_be_read() -> None:
    found = asked(view_of(), waits(words="Temporary lookup failure"), compile="", restart="")

    assert told(found) == ("our-tables", Owner.HERE, None, False)


@pytest.mark.parametrize(
    ("compiles", "command"),
    [("mailtrust postfix compile", "mailtrust postfix check"), ("", "postfix -c /etc/postfix-2 reload")],
)
def test_tables_made_anew_do_not_mend_a_damaged_chain_file(compiles: str, command: str) -> None:
    words = "TLS is required, but our TLS engine is unavailable"

    found = asked(view_of(), waits(words=words), compile=compiles, restart="postfix -c /etc/postfix-2 reload")

    assert told(found) == ("our-tls", Owner.HERE, command, False)


@pytest.mark.parametrize(
    ("compiles", "command"),
    [
        ("mailtrust postfix compile", "mailtrust postfix setup"),
        ("", "postfix -c /etc/postfix-2 reload"),
    ],
)
def test_no_table_brings_back_a_transport_that_is_not_in_master_cf(compiles: str, command: str) -> None:
    words = "mail transport unavailable"

    found = asked(view_of(), waits(words=words), compile=compiles, restart="postfix -c /etc/postfix-2 reload")

    assert told(found) == ("our-transport", Owner.HERE, command, False)


def test_nobody_in_the_directory_answers_to_that_address() -> None:
    nobody = ServerName("192.0.2.2:25")
    view = view_of(a_wire(THEIR_OLD, server=nobody, endpoint=their_wire().endpoint))  # type: ignore[union-attr]
    found = asked(view, waits(words=WE_REFUSED), peer=nobody, known=False)

    assert told(found) == (
        "peer-unknown", Owner.PEER, f"mailtrust enable {THEIR_OLD.fingerprint[:12]}", True,
    )  # fmt: skip
    assert found.peer is None


def test_without_a_look_at_their_home_entry_there_is_no_verdict() -> None:
    view = a_view(*at(OURS, server=HUB1), their_wire(), a_replica(DC2, server=HUB2))

    assert asked(view, waits(words=WE_REFUSED)).conclusion.code == "over"


def test_home_that_could_not_be_read_for_them_alone_gives_no_verdict() -> None:
    found = asked(view_of(an_unread_replica(DC1, server=HUB2)), waits(words=WE_REFUSED))

    assert found.conclusion.code == "over"
    assert [said(one) for one in found.unseen] == ["unlooked.replica"]
