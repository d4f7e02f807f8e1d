"""What follows from copies about sessions of others, and who can reach whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtrust.core.checks import diagnose
from mailtrust.core.flow import Hop, How, Memory, Picture, Stage, State, Stop, Verdict, judge
from mailtrust.core.flow.conclude import concluded, no_route, nowhere, trace_of
from mailtrust.core.flow.matrix import matrix
from mailtrust.core.flow.send import arrived
from mailtrust.core.flow.words import CONCLUDED, LABELS, SEEN
from mailtrust.core.model.event import Said
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import Sighting, View, WireFailure
from mailtrust.core.model.trust import Trusted
from mailtrust.core.policy import Policy
from mailtrust.core.why import Facts
from tests.core.flow.traces import a_trace, dead
from tests.core.why.both_sides import OLD, THEIRS, at, their_wire, view_of
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_wire,
    an_unread_replica,
    garbage,
)

HUB3 = ServerName("hub3.example.test")
THIRD = a_certificate(HUB3, key="third")
AT_HUB3 = Endpoint("192.0.2.3", 25)
NOW = NOON + timedelta(hours=9)


def a_third(*leaves: Any, **more: Any) -> tuple[Sighting, ...]:
    """hub3, well."""
    wire = a_wire(*(leaves or (THIRD,)), server=HUB3, endpoint=AT_HUB3, **more)
    return (*at(THIRD, server=HUB3), wire)


def facts_about(view: View, peer: ServerName = HUB2) -> Facts:
    diagnosis = diagnose(view, {}, Policy(), NOW, view.servers(), HUB1)
    return Facts(view, diagnosis, Policy(), NOW, HUB1, peer, True, "-")


def from_hub3(*looks: Sighting, trace: Any = None) -> Hop:
    return concluded(HUB3, facts_about(view_of(*a_third(), *looks)), trace or a_trace())


def test_two_servers_whose_copies_agree_would_believe_each_other() -> None:
    hop = from_hub3()

    assert (hop.verdict, hop.how, hop.trouble) == (Verdict.FLOWS, How.CONCLUDED, None)
    assert hop.line(Stage.BANNER).how is How.SEEN
    assert hop.line(Stage.OUR_CERTIFICATE).how is How.CONCLUDED
    assert hop.line(Stage.MAIL).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("looks", "stage", "event"),
    [
        ((their_wire(OLD),), Stage.THEIR_CERTIFICATE, 12104),
        ((a_wire(OLD, server=HUB3, endpoint=AT_HUB3),), Stage.OUR_CERTIFICATE, 12104),
        ((dead(WireFailure.NOT_OFFERED, "starttls"),), Stage.VERBS, 12117),
    ],
)
def test_what_is_wrong_on_either_side_stands_in_the_way(
    looks: tuple[Sighting, ...], stage: Stage, event: int
) -> None:
    hop = from_hub3(*looks)

    assert hop.trouble is not None
    assert (hop.verdict, hop.trouble.stage, hop.trouble.event.code) == (Verdict.BLOCKED, stage, event)
    assert hop.line(stage).state is State.FAILED
    assert hop.lines[-1].state is State.NOT_REACHED


def test_a_receiver_that_cannot_be_reached_is_told_at_the_stage_where_we_stopped() -> None:
    trace = a_trace(until=Stage.BANNER, stop=Stop.SILENT, said="no answer", offered=None)
    hop = from_hub3(dead(WireFailure.UNREACHABLE, "banner"), trace=trace)
    unknown = from_hub3(dead(WireFailure.UNREACHABLE, "banner"))

    assert hop.trouble is not None
    assert (hop.trouble.stage, hop.trouble.event.code) == (Stage.BANNER, 12116)
    assert unknown.trouble is not None
    assert unknown.trouble.stage is Stage.CONNECT


def test_a_receiver_that_asks_nobody_proves_nothing() -> None:
    hop = from_hub3(their_wire(asks=False))

    assert (hop.verdict, hop.trouble.event.code if hop.trouble else 0) == (Verdict.UNPROVEN, 12118)


def test_what_one_replica_lacks_cannot_be_told_from_here() -> None:
    """Whether it matters depends on which one the other side reads."""
    hop = from_hub3(a_replica(DC2, server=HUB2))
    unread = from_hub3(an_unread_replica(DC2, server=HUB3))

    assert (hop.verdict, hop.trouble) == (Verdict.UNKNOWN, None)
    assert unread.verdict is Verdict.UNKNOWN


def test_a_sender_that_was_not_seen_is_unknown_and_a_slow_look_is_told() -> None:
    wire = replace(a_wire(THIRD, server=HUB3, endpoint=AT_HUB3), found=None, failure=WireFailure.NO_ANSWER)
    trace = a_trace(took={Stage.EHLO: timedelta(seconds=4)})
    hop = from_hub3(wire, trace=trace)

    assert (hop.verdict, hop.line(Stage.OUR_CERTIFICATE).state) == (Verdict.UNKNOWN, State.UNKNOWN)
    assert hop.line(Stage.OUR_CERTIFICATE).said[0].phrase == "flow.presents-unseen"
    assert hop.line(Stage.EHLO).state is State.SLOW
    refused = replace(wire, failure=WireFailure.UNREACHABLE, why="connection refused")
    said = from_hub3(refused).line(Stage.OUR_CERTIFICATE).said[0]
    assert said.values["why"] == "connection refused"


def test_nowhere_to_go_is_12184_and_nothing_was_reached() -> None:
    hops = no_route(HUB1, "elsewhere.example"), nowhere(facts_about(view_of()), Said("flow.route-none"))

    for hop in hops:
        assert hop.trouble is not None
        assert (hop.verdict, hop.trouble.event.code, hop.endpoint) == (Verdict.BLOCKED, 12184, None)
        assert {one.state for one in hop.lines[1:]} == {State.NOT_REACHED}


@pytest.mark.parametrize(
    ("looks", "stopped", "last"),
    [
        ((), None, Stage.HANDSHAKE),
        ((dead(WireFailure.NOT_OFFERED, "starttls"),), Stop.NO_VERB, Stage.VERBS),
        ((dead(WireFailure.UNREACHABLE, "banner"),), Stop.CLOSED, Stage.BANNER),
    ],
)
def test_a_look_of_a_check_is_the_beginning_of_a_session(
    looks: tuple[Sighting, ...], stopped: Stop | None, last: Stage
) -> None:
    [wire] = view_of(*looks).wires(HUB2)
    trace = trace_of(wire)

    assert (list(trace.passages)[-1], trace.passages[last].stop) == (last, stopped)
    assert trace.leaf == (THEIRS if stopped is None else None)


# The message


def sent(**more: Any) -> Hop:
    hop = judge(a_trace(), facts_about(view_of()), Picture(Trusted(HUB2)), Memory(), sends=True)
    given = {"place": "", "server": None, "waits": "", "took": timedelta(seconds=1), **more}
    return arrived(hop, "cafe", **given)


def test_a_message_arrived_waits_is_gone_or_nobody_could_look() -> None:
    lies, unseen = sent(place="/srv/mail/x", server=HUB2), sent()
    waits, gone = sent(server=HUB2, waits="454 no"), sent(server=HUB2)

    assert [one.lines[-1].state for one in (lies, unseen, waits, gone)] == [
        State.OK, State.UNKNOWN, State.WARNING, State.WARNING,
    ]  # fmt: skip
    assert [one.warnings[-1].why.phrase for one in (waits, gone)] == ["flow.waits", "flow.not-arrived"]
    assert gone.warnings[-1].event.code == 12183


# The matrix


def the_matrix(*looks: Sighting, seen: Iterable[ServerName] = ()) -> Any:
    view = view_of(*a_third(), *looks)
    facts = facts_about(view)
    hops = {one: judge(a_trace(), replace(facts, peer=one), Picture(Trusted(one)), Memory()) for one in seen}
    return matrix(facts, hops, view.servers())


def test_our_own_row_is_seen_and_the_others_are_concluded() -> None:
    table = the_matrix(seen=(HUB2,))

    assert table.cell(HUB1, HUB1) is None
    assert table.cell(HUB1, HUB2).how is How.SEEN
    assert table.cell(HUB1, HUB3).how is How.CONCLUDED
    assert {cell.verdict for one in table.servers for _, cell in table.row(one)} == {Verdict.FLOWS}
    assert (table.counts()[Verdict.FLOWS], table.troubles(), list(table.sides())) == (6, (), [])


def test_what_blocks_one_side_blocks_its_row_or_its_column() -> None:
    table = the_matrix(a_wire(OLD, server=HUB3, endpoint=AT_HUB3), seen=(HUB2,))

    found = {(s, r): cell.verdict for s in table.servers for r, cell in table.row(s)}
    assert found == {
        (HUB1, HUB2): Verdict.FLOWS, (HUB2, HUB1): Verdict.FLOWS, (HUB1, HUB3): Verdict.BLOCKED,
        (HUB2, HUB3): Verdict.BLOCKED, (HUB3, HUB1): Verdict.BLOCKED, (HUB3, HUB2): Verdict.BLOCKED,
    }  # fmt: skip
    assert table.cell(HUB3, HUB1).about == HUB3
    assert table.counts() == {**dict.fromkeys(Verdict, 0), Verdict.FLOWS: 2, Verdict.BLOCKED: 4}
    assert [(one, side.finding.event.code) for one, side in table.sides()] == [(HUB3, 12104)]


def test_what_cannot_be_told_is_no_yes() -> None:
    nobody = at(a_certificate("hub4.example.test", key="4"), server="hub4.example.test")
    table = the_matrix(
        a_replica(DC2, server=HUB2), a_wire(THIRD, server=HUB3, endpoint=AT_HUB3, asks=False), *nobody
    )

    assert table.cell(HUB1, HUB2).verdict is Verdict.UNKNOWN
    assert table.cell(HUB1, HUB3).verdict is Verdict.UNPROVEN
    assert table.cell(HUB2, HUB3).verdict is Verdict.UNKNOWN
    assert table.cell(HUB1, ServerName("hub4.example.test")).verdict is Verdict.UNKNOWN
    assert len(list(table.sides())) >= 3
    assert sum(table.counts().values()) == 12


def test_what_is_wrong_with_a_server_as_a_sender_and_as_a_receiver_is_told_apart() -> None:
    damaged = [a_replica(one, server=HUB3, unparsable=(garbage(),)) for one in (DC1, DC2, DC3)]
    wire = replace(a_dead_wire(WireFailure.UNREACHABLE, server=HUB3), endpoint=AT_HUB3)
    sides = [(one, side.finding.event.code) for one, side in the_matrix(*damaged, wire).sides()]

    assert sides == [(HUB3, 12116), (HUB3, 12022)]


def test_garbage_beside_what_is_presented_keeps_no_mail() -> None:
    damaged = [a_replica(one, THIRD, server=HUB3, unparsable=(garbage(),)) for one in (DC1, DC2, DC3)]

    assert list(the_matrix(*damaged).sides()) == []
    assert from_hub3(*damaged).verdict is Verdict.FLOWS


def test_a_session_of_ours_that_failed_is_told_once_with_its_owner() -> None:
    view = view_of(*a_third(), dead(WireFailure.UNREACHABLE))
    facts = facts_about(view)
    stopped = a_trace(until=Stage.CONNECT, stop=Stop.NO_CONNECTION, said="refused", offered=None)
    broken = judge(stopped, facts, Picture(None), Memory())
    nameless = replace(broken, trouble=replace(broken.trouble, finding=None) if broken.trouble else None)
    slow = a_trace(took={Stage.MAIL: timedelta(seconds=4)})
    warned = judge(slow, replace(facts, peer=HUB3), Picture(Trusted(HUB3)), Memory())
    table = matrix(facts, {HUB2: nameless, HUB3: warned}, view.servers())

    blocked, late = table.cell(HUB1, HUB2), table.cell(HUB1, HUB3)
    assert blocked is not None
    assert late is not None
    assert (blocked.verdict, blocked.about, blocked.stage) == (Verdict.BLOCKED, HUB2, Stage.CONNECT)
    assert (late.verdict, late.about) == (Verdict.SLOW, HUB3)
    assert {(one.event.code, one.severity.value) for one in table.troubles()} == {
        (12116, "error"), (12180, "warning"),
    }  # fmt: skip


def test_a_matrix_without_us_counts_all_the_same() -> None:
    view = view_of(*a_third())
    table = matrix(facts_about(view), {}, (HUB2, HUB3))

    assert table.counts()[Verdict.FLOWS] == 2


def test_every_stage_and_verdict_has_words() -> None:
    assert (set(LABELS), set(SEEN), set(CONCLUDED)) == (set(Stage), set(Verdict), set(Verdict))
