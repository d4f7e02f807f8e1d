"""They do not believe us: what is wrong with our certificate, or with how they see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.model.replication import Stamp
from mailtrust.core.model.sighting import Act, History, Slot, WireFailure
from mailtrust.core.policy import Policy
from mailtrust.core.why import Direction, Owner, Why
from tests.core.why.both_sides import (
    OLD,
    OURS,
    REFUSED,
    THEIRS,
    a_certificate,
    asked,
    at,
    our_store,
    our_wire,
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
    NOON,
    a_dead_wire,
    a_replica,
    a_store,
    an_unread_replica,
    an_unread_store,
    enabled,
    garbage,
    installed,
    minutes,
)

ANONYMOUS = "454 4.7.1 1036 no certificate was presented; mail is taken from known servers only"
BARE = "454 4.7.1 <b@hub2.example.test>: Relay access denied"
NEVER = History()


def nothing_of_ours(*more: object) -> list[object]:
    return [*at(server=HUB1), a_dead_wire_of_ours(), *more]


def a_dead_wire_of_ours() -> object:
    """Our hub without a certificate: it runs, and offers no TLS."""
    dead = a_dead_wire(WireFailure.NOT_OFFERED)
    return replace(dead, endpoint=our_wire().endpoint)  # type: ignore[union-attr,call-arg]


def told(found: Why) -> tuple[str, Owner, str | None]:
    conclusion = found.conclusion
    assert conclusion.direction is Direction.THEY_REFUSE
    return conclusion.code, conclusion.owner, conclusion.command


def test_no_certificate_at_all() -> None:
    found = asked(view_of(a_store(), *nothing_of_ours()), waits(ANONYMOUS))

    assert told(found) == ("ours-none", Owner.HERE, "mailtrust new")
    assert found.copies == ()


def test_made_and_never_enabled() -> None:
    store = a_store(installed(OURS))
    found = asked(view_of(store, *nothing_of_ours()), waits(ANONYMOUS))

    assert told(found) == ("ours-not-enabled", Owner.HERE, f"mailtrust enable {OURS.fingerprint[:12]}")
    assert [copy.there for copy in found.copies] == [True, False, False, False, False]
    assert {one.cause for one in found.ruled_out} >= {"no-certificate", "not-written", "overdue"}


def test_enabled_and_lost_by_every_replica() -> None:
    history = History((enabled(OURS),))
    found = asked(view_of(*at(server=HUB1), history=history), waits(REFUSED))

    assert told(found) == ("ours-not-written", Owner.HERE, f"mailtrust enable {OURS.fingerprint[:12]}")


def test_withdrawn_for_good_and_still_the_only_one() -> None:
    gone = {OURS.fingerprint: NOON - minutes(60)}
    found = asked(view_of(*at(server=HUB1, withdrawn=gone)), waits(REFUSED))

    assert told(found) == ("ours-withdrawn", Owner.HERE, "mailtrust new")


def test_a_store_that_could_not_be_looked_at_is_not_an_empty_one() -> None:
    found = asked(view_of(an_unread_store(), *nothing_of_ours()), waits(ANONYMOUS))

    assert found.conclusion.code == "over"
    assert "unlooked.store" in map(said, found.unseen)


def test_no_home_that_answered_gives_no_verdict_on_what_is_missing() -> None:
    looks = [an_unread_replica(url, server=HUB1) for url in (DC1, DC2, DC3)]
    found = asked(view_of(a_store(), a_dead_wire_of_ours(), *looks), waits(ANONYMOUS))  # type: ignore[arg-type]

    assert found.conclusion.direction is Direction.WE_REFUSE, "home cannot be read: that is said"


def test_what_we_present_may_issue_others() -> None:
    authority = a_certificate(HUB1, key="ca", extensions=AUTHORITY)
    store = a_store(installed(authority, Slot.CURRENT))
    found = asked(view_of(store, our_wire(authority), *at(authority, server=HUB1)), waits(BARE))

    assert told(found) == ("ours-authority", Owner.HERE, "mailtrust new")


def test_the_peer_asks_no_caller_for_a_certificate() -> None:
    found = asked(view_of(their_wire(asks=False)), waits(BARE))

    assert told(found) == (
        "peer-asks-nobody", Owner.PEER, "postconf -P smtp/inet/smtpd_tls_ask_ccert=yes && postfix reload",
    )  # fmt: skip
    assert found.conclusion.there


def test_our_process_serves_what_was_replaced() -> None:
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    found = asked(
        view_of(store, our_wire(OLD)), waits(f"454 4.7.1 1036 … certificate {OLD.fingerprint[:12]}")
    )

    assert told(found) == ("ours-old-process", Owner.HERE, "mailtrust hub")
    assert found.conclusion.about == (HUB1, OLD)
    assert found.conclusion.finding is not None
    assert found.conclusion.finding.event.code == 12104


def test_a_listener_of_postfix_that_shows_what_was_replaced_may_have_an_old_file() -> None:
    """To reload would have it read the same file again; the agent puts ours there first."""
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    found = asked(
        view_of(store, our_wire(OLD)), waits(BARE), one_process=False, compile="mailtrust postfix compile",
        restart="postfix -c /etc/postfix reload",
    )  # fmt: skip

    assert told(found) == ("ours-old-process", Owner.HERE, "mailtrust agent --once")


def test_what_sends_may_be_older_than_what_listens() -> None:
    """Postfix's client and its listener are two processes: what the peer says it met counts."""
    gone = {OLD.fingerprint: NOON - minutes(60)}
    store = a_store(installed(OURS, Slot.CURRENT), installed(OLD, Slot.PREVIOUS))
    answer = f"454 4.7.1 1036 nobody publishes the key of certificate {OLD.fingerprint[:12]}"
    found = asked(
        view_of(store, *at(OURS, server=HUB1, withdrawn=gone)), waits(answer), one_process=False,
        restart="postfix -c /etc/postfix reload",
    )  # fmt: skip

    assert told(found) == ("ours-old-process", Owner.HERE, "postfix -c /etc/postfix reload")
    assert [said(one) for one in found.conclusion.evidence] == ["proof.withdrawn"]


def test_a_host_restored_from_an_image_presents_what_was_withdrawn() -> None:
    """Its store has no current one any more, and a newer one that was never enabled."""
    gone = {OLD.fingerprint: NOON - minutes(60)}
    store = a_store(installed(OURS), installed(OLD, arrived_at=NOON - minutes(9999)))
    found = asked(view_of(store, our_wire(OLD), *at(server=HUB1, withdrawn=gone)), waits(BARE), restart="")

    assert told(found) == ("ours-old-process", Owner.HERE, None)


def test_a_store_that_is_older_than_what_this_host_did_is_not_mended_by_a_restart() -> None:
    gone = {OLD.fingerprint: NOON - minutes(60)}
    store = a_store(installed(OLD, Slot.CURRENT, arrived_at=NOON - minutes(99999)))
    looks = at(OURS, server=HUB1, withdrawn=gone, published_at=NOON - minutes(90))
    found = asked(view_of(store, our_wire(OLD), *looks), waits(BARE))

    assert told(found) == ("ours-restored", Owner.HERE, "mailtrust new")
    assert said(found.conclusion.otherwise) == "else.restart-brings-nothing"


def test_nothing_but_garbage_stands_for_us() -> None:
    history = History((enabled(OURS),))
    found = asked(view_of(*at(server=HUB1, unparsable=(garbage(),)), history=history), waits(REFUSED))

    assert told(found) == ("ours-damaged", Owner.HERE, "mailtrust fix")
    assert "change.damaged" in [said(one.said) for one in found.changed]


def test_our_process_presents_what_is_in_no_store() -> None:
    stranger = a_certificate(HUB1, key="stranger")
    store = a_store()
    found = asked(view_of(store, our_wire(stranger), *at(server=HUB1)), waits(BARE))

    assert told(found) == ("ours-foreign", Owner.HERE, "mailtrust list")


def test_nothing_is_said_of_what_is_published_where_no_replica_answered() -> None:
    looks = [an_unread_replica(url, server=HUB1, home=url == DC2) for url in (DC1, DC2, DC3)]

    assert asked(view_of(*looks), waits(REFUSED)).conclusion.direction is Direction.WE_REFUSE


def test_on_its_way_to_their_home() -> None:
    lately = {"server": HUB1, "published_at": NOON - minutes(5)}
    found = asked(
        view_of(*at(OURS, **lately), a_replica(DC2, server=HUB1)),
        waits(REFUSED),  # type: ignore[arg-type]
    )

    assert told(found) == ("ours-travelling", Owner.NOBODY, "mailtrust wait")
    assert found.conclusion.until == NOON + minutes(10)


@pytest.mark.parametrize(
    ("policy", "owner", "command"),
    [
        (Policy(), Owner.HERE, f"mailtrust enable {OURS.fingerprint[:12]} --replica {DC2}"),
        (
            Policy(every_replica_takes_writes=False, replicates_itself=True), Owner.DIRECTORY,
            "mailtrust directory show",
        ),
        (
            Policy(every_replica_takes_writes=False, replicates_itself=True, pulls=True), Owner.HERE,
            f"mailtrust directory pull {HUB1}",
        ),
    ],
)  # fmt: skip
def test_overdue_at_their_home(policy: Policy, owner: Owner, command: str) -> None:
    found = asked(view_of(a_replica(DC2, server=HUB1)), waits(REFUSED), policy=policy)

    assert told(found) == ("ours-overdue", owner, command)
    assert said(found.conclusion.why) == "why.ours-overdue"


def test_the_link_to_mend_is_named_where_the_directory_tells() -> None:
    policy = Policy(every_replica_takes_writes=False, replicates_itself=True)
    found = asked(view_of(a_replica(DC2, server=HUB1, partners=(DC1,))), waits(REFUSED), policy=policy)

    assert said(found.conclusion.act) == "act.mend-link-from"
    assert found.conclusion.act.values["partners"] == DC1


def test_overdue_at_our_own_home_is_12012() -> None:
    found = asked(view_of(a_replica(DC1, server=HUB1)), waits(REFUSED))

    assert told(found)[0] == "ours-overdue"
    assert found.conclusion.finding is not None
    assert (found.conclusion.finding.event.code, found.conclusion.finding.cause) == (12012, "overdue")


def test_a_replica_forgot_it() -> None:
    history = History(first_seen={(HUB1, DC2, OURS.fingerprint): NOON - minutes(500)})
    found = asked(view_of(a_replica(DC2, server=HUB1), history=history), waits(REFUSED))

    assert (told(found)[0], said(found.conclusion.why)) == ("ours-overdue", "why.ours-went-back")


def test_lost_at_our_home_where_the_directory_numbers_its_writes() -> None:
    stamp = Stamp("001", 7, NOON - minutes(90))
    looks = [
        a_replica(DC1, server=HUB1, seen={"001": 9}), a_replica(DC2, OURS, server=HUB1, written=stamp),
        a_replica(DC3, OURS, server=HUB1, written=stamp, writer="001"),
    ]  # fmt: skip
    found = asked(view_of(*looks), waits(REFUSED))

    assert (told(found)[1], said(found.conclusion.why)) == (Owner.HERE, "why.ours-lost")
    assert "change.published-at" in [said(one.said) for one in found.changed]


def test_all_have_it_and_their_picture_may_be_older() -> None:
    lately = {"server": HUB1, "published_at": NOON - minutes(20)}
    found = asked(view_of(*at(OURS, **lately)), waits(REFUSED))  # type: ignore[arg-type]

    assert told(found) == ("peer-not-so-far", Owner.NOBODY, "mailtrust why --queue")
    assert found.conclusion.until == NOON + minutes(25)


def test_the_clock_of_their_picture_starts_when_we_began_to_present_it() -> None:
    act = Act("present", HUB1, OURS.fingerprint, NOON - minutes(10))
    found = asked(view_of(history=History((act,))), waits(REFUSED))

    assert found.conclusion.until == NOON + minutes(35)
    failed = replace(act, failed="killed")
    assert asked(view_of(history=History((failed,))), waits(REFUSED)).conclusion.code == "peer-picture"


def test_all_have_it_since_long_and_they_do_not_look() -> None:
    found = asked(view_of(), waits(REFUSED))

    assert told(found) == ("peer-picture", Owner.PEER, "mailtrust check")
    assert found.conclusion.there


def test_their_replica_may_be_the_one_that_cannot_be_read() -> None:
    found = asked(view_of(an_unread_replica(DC3, server=HUB1)), waits(REFUSED))

    assert told(found) == ("peer-replica-unseen", Owner.DIRECTORY, "mailtrust directory show")


@pytest.mark.parametrize(
    "answer", [ANONYMOUS, f"454 4.7.1 1036 nobody publishes the key of certificate {OLD.fingerprint[:12]}"]
)
def test_what_they_said_of_another_certificate_is_over(answer: str) -> None:
    found = asked(view_of(), waits(answer, next_try=NOON + minutes(3)))

    assert (found.conclusion.code, found.conclusion.until) == ("over", NOON + minutes(3))
    assert not found.conclusion.is_trouble


def test_without_a_look_at_our_listener_what_they_met_is_what_we_present() -> None:
    store = our_store(installed(OLD, Slot.PREVIOUS))
    answer = f"454 4.7.1 1036 nobody publishes the key of certificate {OLD.fingerprint[:12]}"
    found = asked(view_of(store, a_dead_wire_of_ours()), waits(answer))  # type: ignore[arg-type]

    assert told(found)[0] == "ours-old-process"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("454 4.7.1 12111 this server's view of the directory is too old", "peer-view-old"),
        ("451 4.3.0 <b@hub2.example.test>: Temporary lookup failure", "peer-tables"),
        ("454 4.7.0 TLS not available due to local problem", "peer-tls"),
    ],
)
def test_what_only_they_can_mend(answer: str, code: str) -> None:
    found = asked(view_of(), waits(answer))

    assert told(found) == (code, Owner.PEER, "mailtrust check")
    assert found.conclusion.there


def test_asked_without_any_mail_a_peer_that_may_read_a_late_replica_is_told() -> None:
    assert told(asked(view_of(a_replica(DC2, server=HUB1))))[0] == "ours-overdue"


def test_and_where_all_is_well_their_picture_is_not_suspected() -> None:
    found = asked(view_of())

    assert (found.conclusion.code, found.unseen) == ("nothing", ())
    assert [said(one) for one in found.looked] == ["looked.replicas", "looked.wire", "looked.ours"]
    assert THEIRS.fingerprint[:12] in str(found.looked[1])


def test_they_met_a_certificate_that_nobody_here_knows() -> None:
    """The transport has a file of its own; what the hub's listener shows says the contrary."""
    answer = "454 4.7.1 1036 nobody publishes the key of certificate 0123456789ab"
    found = asked(view_of(), waits(answer), one_process=False)

    assert told(found) == ("ours-unknown", Owner.HERE, "mailtrust list")
    assert found.copies == ()
    assert asked(view_of(), waits(answer)).conclusion.code == "over"
