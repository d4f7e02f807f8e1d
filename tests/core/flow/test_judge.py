"""From a trace to a hop: the first failing stage, and what proves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.flow import Memory, Passage, Picture, Stage, State, Stop, Verdict
from mailtrust.core.flow.hop import said_time, worst
from mailtrust.core.flow.judge import took_together
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import WireFailure
from mailtrust.core.why import Owner
from tests.core.flow.traces import (
    QUICK,
    SESSION,
    VERBS,
    a_trace,
    dead,
    facts_of,
    failed,
    judged,
    phrases,
    warned,
)
from tests.make import NOON


def test_a_session_that_passes_every_stage_flows() -> None:
    hop = judged(a_trace())

    assert (hop.verdict, hop.trouble, hop.warnings) == (Verdict.FLOWS, None, ())
    assert {one.state for one in hop.lines} == {State.OK}
    assert hop.line(Stage.EHLO).words == "X-ANONYMOUSTLS, STARTTLS"
    assert hop.line(Stage.VERBS).words == "X-ANONYMOUSTLS"
    assert [one.phrase for one in hop.line(Stage.THEIR_CERTIFICATE).said] == [
        "flow.theirs-of",
        "flow.standing",
    ]
    assert [one.phrase for one in hop.line(Stage.OUR_CERTIFICATE).said] == ["flow.shown", "flow.standing"]
    assert took_together(hop) == QUICK * len(SESSION)


def test_a_message_has_a_stage_of_its_own_in_the_place_of_taking_it_back() -> None:
    stages = [one.stage for one in judged(a_trace(), sends=True).lines]

    assert Stage.MESSAGE in stages
    assert Stage.RSET not in stages


@pytest.mark.parametrize(
    ("stage", "stop", "failure", "event"),
    [
        (Stage.RESOLVE, Stop.NO_NAME, WireFailure.UNREACHABLE, 12116),
        (Stage.CONNECT, Stop.NO_CONNECTION, WireFailure.UNREACHABLE, 12116),
        (Stage.BANNER, Stop.SILENT, WireFailure.UNREACHABLE, 12116),
        (Stage.EHLO, Stop.REFUSED, WireFailure.UNREACHABLE, 12116),
        (Stage.VERBS, Stop.SILENT, WireFailure.UNREACHABLE, 12116),
        (Stage.VERBS, Stop.NO_VERB, WireFailure.NOT_OFFERED, 12117),
        (Stage.HANDSHAKE, Stop.SILENT, WireFailure.HANDSHAKE, 12116),
    ],
)
def test_what_stops_it_before_tls_is_told_at_its_stage(
    stage: Stage, stop: Stop, failure: WireFailure, event: int
) -> None:
    phase = {Stage.VERBS: "starttls"}.get(stage, stage.value)
    offered = None if stage in (Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO) else ("SIZE",)
    trace = a_trace(until=stage, stop=stop, offered=offered, said="" if stop is Stop.NO_VERB else "why")
    hop = judged(trace, facts_of(dead(failure, phase)), Picture(None))

    assert failed(hop) == (stage, event)
    behind = hop.lines[[one.stage for one in hop.lines].index(stage) + 1 :]
    assert {one.state for one in behind} == {State.NOT_REACHED}


def test_a_verb_that_was_taken_out_is_proved_by_memory_and_by_other_ways() -> None:
    memory = Memory(VERBS, NOON, {Endpoint("192.0.2.9", 25): VERBS, Endpoint("192.0.2.8", 25): ()})
    trace = a_trace(until=Stage.VERBS, stop=Stop.NO_VERB, offered=("SIZE", "XXXXXXXA", "XXXXXXXX"))
    hop = judged(trace, facts_of(dead(WireFailure.NOT_OFFERED, "starttls")), Picture(None), memory=memory)

    wanted = {"flow.offers", "flow.offers-directly", "flow.offered-before", "flow.overwritten"}
    assert wanted <= phrases(hop)
    assert [one.phrase for one in hop.line(Stage.VERBS).said] == ["flow.no-verb"]


def test_a_verb_that_is_offered_and_not_granted_accuses_no_device() -> None:
    answer = "454 4.7.0 TLS not available due to local problem"
    trace = a_trace(until=Stage.VERBS, stop=Stop.NO_VERB, offered=VERBS, said=answer)
    memory = Memory(VERBS, NOON, {Endpoint("192.0.2.9", 25): VERBS})
    hop = judged(trace, facts_of(dead(WireFailure.NOT_OFFERED, "starttls")), Picture(None), memory=memory)

    assert failed(hop) == (Stage.VERBS, 12117)
    assert hop.trouble is not None
    assert (hop.trouble.why.phrase, hop.trouble.owner) == ("flow.not-granted", Owner.PEER)
    assert [one.phrase for one in hop.trouble.evidence] == ["flow.offers"]


def test_a_banner_of_asterisks_is_proof_of_a_device() -> None:
    trace = a_trace(until=Stage.VERBS, stop=Stop.NO_VERB, offered=())
    starred = {**trace.passages, Stage.BANNER: Passage(QUICK, "220 ******************")}
    hop = judged(
        replace(trace, passages=starred), facts_of(dead(WireFailure.NOT_OFFERED, "starttls")), Picture(None)
    )

    assert "flow.overwritten" in phrases(hop)


def test_one_verb_of_two_that_vanished_is_a_warning() -> None:
    hop = judged(a_trace(offered=("STARTTLS",), verb="STARTTLS"), memory=Memory(VERBS, NOON))

    assert (hop.verdict, warned(hop)) == (Verdict.FLOWS, [(Stage.VERBS, 12117)])
    assert hop.line(Stage.VERBS).state is State.WARNING


def test_a_limit_of_our_own_is_nobodys_fault() -> None:
    trace = a_trace(until=Stage.CONNECT, stop=Stop.OUR_LIMIT, offered=None)
    hop = judged(trace, facts_of(dead(WireFailure.NO_ANSWER)), Picture(None))

    assert (hop.verdict, hop.trouble, hop.line(Stage.CONNECT).state) == (Verdict.UNKNOWN, None, State.UNKNOWN)


@pytest.mark.parametrize("stage", [Stage.EHLO_AGAIN, Stage.MAIL, Stage.RCPT])
def test_a_session_that_breaks_behind_tls_is_12181(stage: Stage) -> None:
    trace = a_trace(until=stage, stop=Stop.SILENT, said="no answer within 3 s")

    assert failed(judged(trace)) == (stage, 12181)


@pytest.mark.parametrize("stage", [Stage.RSET, Stage.QUIT])
def test_bad_manners_at_the_end_change_nothing(stage: Stage) -> None:
    hop = judged(a_trace(until=stage, stop=Stop.CLOSED, said="gone"))

    assert (hop.verdict, hop.trouble, hop.line(stage).state) == (Verdict.FLOWS, None, State.WARNING)


@pytest.mark.parametrize("stage", [Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.MAIL, Stage.RCPT])
def test_a_slow_stage_is_marked_and_told(stage: Stage) -> None:
    hop = judged(a_trace(took={stage: timedelta(seconds=3.4)}))

    assert (hop.verdict, warned(hop)) == (Verdict.SLOW, [(stage, 12180)])
    line = hop.line(stage)
    assert (line.state, line.limit is not None) == (State.SLOW, True)
    assert hop.warnings[0].cause is None


def test_the_worst_of_several_hops_holds_for_all_and_nothing_seen_is_unknown() -> None:
    assert worst((Verdict.FLOWS, Verdict.UNKNOWN, Verdict.SLOW)) is Verdict.UNKNOWN
    assert worst(()) is Verdict.UNKNOWN


def test_times_are_said_as_people_say_them() -> None:
    assert (said_time(timedelta(milliseconds=12)), said_time(timedelta(seconds=3.44))) == ("12 ms", "3.4 s")


def test_who_is_turned_away_is_told_to_take_it_literally() -> None:
    refused = judged(
        a_trace(until=Stage.BANNER, stop=Stop.REFUSED, said="554 5.7.1 not from you", leaf=None),
        facts_of(dead(WireFailure.UNREACHABLE, "banner", "554 5.7.1 not from you"), well=False),
    )

    assert refused.trouble is not None
    assert (refused.trouble.why.phrase, refused.trouble.act.phrase) == (
        "flow.turned-away", "flow.act-turned-away",
    )  # fmt: skip


@pytest.mark.parametrize("stage", [Stage.BANNER, Stage.HANDSHAKE, Stage.RCPT])
def test_silence_is_asked_again_with_more_patience(stage: Stage) -> None:
    """A mail server waits for minutes: what is late here is no proof that mail does not flow."""
    failure = WireFailure.HANDSHAKE if stage is Stage.HANDSHAKE else WireFailure.UNREACHABLE
    before = (dead(failure, stage.value, "no answer within 3 s"),) if stage is not Stage.RCPT else ()
    hop = judged(a_trace(until=stage, stop=Stop.SILENT, said="no answer within 3 s"), facts_of(*before))

    assert hop.trouble is not None
    assert hop.trouble.act.phrase == "flow.act-silent"


def test_a_message_that_was_cut_off_may_have_been_taken() -> None:
    cut = a_trace(until=Stage.RSET, stop=Stop.CLOSED, said="the server closed the connection")
    passages = {one: passage for one, passage in cut.passages.items() if one is not Stage.RSET}
    broken = replace(cut, passages={**passages, Stage.MESSAGE: cut.passages[Stage.RSET]})

    hop = judged(broken, sends=True)

    assert failed(hop) == (Stage.MESSAGE, 12181)
    assert hop.trouble is not None
    assert hop.trouble.otherwise is not None
    assert hop.trouble.otherwise.phrase == "flow.may-be-taken"


def test_a_dead_address_beside_a_living_one_is_a_warning() -> None:
    dead_first = ("192.0.2.9: connection refused",)
    hop = judged(a_trace(addresses=("192.0.2.9", "192.0.2.2"), dead=dead_first))

    assert (warned(hop), hop.verdict) == ([(Stage.CONNECT, 12116)], Verdict.FLOWS)
    assert hop.line(Stage.CONNECT).state is State.WARNING
    assert hop.warnings[0].why.values["why"] == "192.0.2.9: connection refused"


def test_what_fails_at_one_of_several_addresses_is_told_with_the_others() -> None:
    """A device may sit before one address, and the other may be well."""
    both = ("192.0.2.2", "192.0.2.7")
    stripped = a_trace(until=Stage.VERBS, stop=Stop.NO_VERB, offered=("SIZE",), verb="", addresses=both)
    hop = judged(stripped, facts_of(dead(WireFailure.NOT_OFFERED, "starttls")))

    assert failed(hop) == (Stage.VERBS, 12117)
    assert "flow.at-address" in phrases(hop)
