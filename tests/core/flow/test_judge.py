"""From a trace to a hop: the first failing stage, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtrust.core.flow import Hop, Memory, Passage, Picture, Stage, State, Stop, Trace, Verdict, judge
from mailtrust.core.flow.hop import said_time, worst
from mailtrust.core.flow.judge import took_together
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.server import Endpoint
from mailtrust.core.model.sighting import History, WireFailure
from mailtrust.core.model.trust import Anonymous, Stranger, Trusted
from mailtrust.core.why import Facts, Owner
from tests.core.why import both_sides
from tests.core.why.both_sides import OLD, OURS, THEIRS, THERE, at, our_store, our_wire, their_wire
from tests.make import (
    DC1,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    an_unread_replica,
    installed,
)

QUICK = timedelta(milliseconds=5)
VERBS = ("X-ANONYMOUSTLS", "STARTTLS")
GOOD = Picture(Trusted(HUB2))
STRANGER = "454 4.7.1 1036 nobody publishes the key"
_SAID = {
    Stage.BANNER: "220 hub2", Stage.MAIL: "250 ok", Stage.RCPT: "250 ok", Stage.MESSAGE: "250 queued as 7",
    Stage.RSET: "250 ok", Stage.QUIT: "221 bye",
}  # fmt: skip
_SESSION = (
    Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.VERBS, Stage.HANDSHAKE, Stage.EHLO_AGAIN,
    Stage.MAIL, Stage.RCPT, Stage.RSET, Stage.QUIT,
)  # fmt: skip


def a_trace(
    *,
    until: Stage | None = None,
    stop: Stop | None = None,
    said: str = "",
    took: Mapping[Stage, timedelta] | None = None,
    **more: Any,
) -> Trace:
    """A session that passed every stage, or stopped at *until*."""
    passages: dict[Stage, Passage] = {}
    for stage in _SESSION:
        ends = stage is until
        words = said if ends else _SAID.get(stage, "")
        passages[stage] = Passage((took or {}).get(stage, QUICK), words, stop if ends else None)
        if ends:
            break
    inside = Stage.EHLO_AGAIN in passages
    given: dict[str, Any] = {
        "offered": VERBS, "offered_inside": ("SIZE",) if inside else None, "verb": "X-ANONYMOUSTLS",
        "leaf": THEIRS if Stage.HANDSHAKE in passages and until is not Stage.HANDSHAKE else None,
        "asked": True if inside else None, "shown": OURS, "protocol": "TLSv1.3", **more,
    }  # fmt: skip
    return Trace(THERE, NOON, passages, "192.0.2.2", **given)


def facts_of(*looks: Any, well: bool = True) -> Facts:
    """Both sides as they should be, but for *looks*."""
    return both_sides.facts_of(both_sides.view_of(*looks, well=well))


def dead(failure: WireFailure, phase: str = "connect", why: str = "connection refused") -> Any:
    return replace(a_dead_wire(failure, server=HUB2), endpoint=THERE, phase=phase, why=why)


def judged(trace: Trace, facts: Facts | None = None, picture: Picture = GOOD, **more: Any) -> Hop:
    return judge(trace, facts or facts_of(), picture, more.pop("memory", Memory()), **more)


def failed(hop: Hop) -> tuple[Stage, int]:
    assert hop.trouble is not None
    assert hop.line(hop.trouble.stage).state is State.FAILED
    assert hop.verdict is Verdict.BLOCKED
    return hop.trouble.stage, hop.trouble.event.code


def phrases(hop: Hop) -> set[str]:
    assert hop.trouble is not None
    return {one.phrase for one in hop.trouble.evidence}


def said_at(hop: Hop, stage: Stage) -> list[str]:
    return [one.phrase for one in hop.line(stage).said]


def warned(hop: Hop) -> list[tuple[Stage, int]]:
    return [(one.stage, one.event.code) for one in hop.warnings]


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
    assert took_together(hop) == QUICK * len(_SESSION)


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


def stopped_at_theirs(leaf: Certificate | None = THEIRS, **more: Any) -> Trace:
    """We left behind the handshake."""
    trace = a_trace(until=Stage.HANDSHAKE, leaf=leaf, asked=True, **more)
    return replace(trace, passages={**trace.passages, Stage.HANDSHAKE: Passage(QUICK, "TLSv1.3")})


def test_a_key_that_is_published_nowhere_stops_it_at_their_certificate() -> None:
    odd = a_certificate(HUB2, key="odd")
    hop = judged(stopped_at_theirs(odd), facts_of(their_wire(odd)), Picture(Stranger(odd)))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 12104)
    assert hop.line(Stage.OUR_CERTIFICATE).state is State.NOT_REACHED
    assert hop.line(Stage.THEIR_CERTIFICATE).said[0].phrase == "flow.theirs-nobody"


def test_a_published_certificate_at_the_same_place_is_proof_of_two_hosts() -> None:
    """Behind one address a balancer has two, and one of them was forgotten at the last change."""
    stray = a_certificate(HUB2, key="stray")
    seen = History(
        first_seen={(HUB2, str(THERE), THEIRS.fingerprint): NOON, (HUB2, DC1, THEIRS.fingerprint): NOON}
    )
    facts = both_sides.facts_of(both_sides.view_of(their_wire(stray), history=seen))

    hop = judged(stopped_at_theirs(stray), facts, Picture(Stranger(stray)))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 12104)
    assert "flow.presented-there" in phrases(hop)


def test_what_cannot_be_read_and_what_was_not_presented_are_not_believed() -> None:
    unreadable = judged(
        stopped_at_theirs(None, unreadable="ab" * 32), facts_of(well=False), Picture(Anonymous())
    )
    nothing = judged(stopped_at_theirs(None), facts_of(well=False), Picture(Anonymous()))

    assert failed(unreadable) == (Stage.THEIR_CERTIFICATE, 2018)
    assert unreadable.line(Stage.THEIR_CERTIFICATE).said == ()
    assert failed(nothing) == (Stage.THEIR_CERTIFICATE, 2018)


def test_a_next_hop_that_is_believed_only_as_somebody_else_is_not_believed() -> None:
    """As in Postfix's tables, which say who is where."""
    hop = judged(stopped_at_theirs(), picture=Picture(Trusted(HUB2), frozenset({HUB1})))

    assert failed(hop) == (Stage.THEIR_CERTIFICATE, 2018)
    assert judged(a_trace(), picture=Picture(Trusted(HUB2), frozenset({HUB2}))).trouble is None


def test_without_a_picture_of_the_directory_nobody_is_judged() -> None:
    looks = [an_unread_replica(DC1, server=one, home=True) for one in (HUB1, HUB2)]
    blind = judged(stopped_at_theirs(), facts_of(*looks), Picture(None))
    dark = judged(stopped_at_theirs(), facts_of(), Picture(None))

    assert failed(blind) == (Stage.THEIR_CERTIFICATE, 12103)
    assert blind.line(Stage.THEIR_CERTIFICATE).said[0].phrase == "flow.theirs-unjudged"
    assert failed(dark) == (Stage.THEIR_CERTIFICATE, 12103)


def test_mail_goes_on_by_an_old_picture_with_a_warning_and_not_where_it_is_too_old() -> None:
    looks = [an_unread_replica(DC1, server=one, home=True) for one in (HUB1, HUB2)]
    goes = judged(a_trace(), facts_of(*looks))
    stays = judged(stopped_at_theirs(), facts_of(*looks), Picture(Trusted(HUB2), too_old=True))

    assert (goes.verdict, warned(goes)) == (Verdict.FLOWS, [(Stage.THEIR_CERTIFICATE, 12103)])
    assert failed(stays) == (Stage.THEIR_CERTIFICATE, 12103)


def test_another_server_that_answers_is_a_warning() -> None:
    hop = judged(a_trace(), picture=Picture(Trusted(HUB1)))
    nameless = judged(a_trace(leaf=None, unreadable="ab" * 32), picture=Picture(Trusted(HUB1)))

    assert warned(hop) == [(Stage.THEIR_CERTIFICATE, 12104)]
    assert warned(nameless) == [(Stage.THEIR_CERTIFICATE, 12104)]


def refused(said: str = STRANGER, stage: Stage = Stage.MAIL, **more: Any) -> Trace:
    return a_trace(until=stage, stop=Stop.REFUSED, said=said, **more)


def test_our_certificate_that_is_not_published_is_the_reason_once_they_say_no() -> None:
    looks = [a_replica(look.place, OLD, server=HUB1, home=look.home) for look in at(OURS, server=HUB1)]
    no, yes = judged(refused(), facts_of(*looks)), judged(a_trace(), facts_of(*looks))

    assert failed(no) == (Stage.OUR_CERTIFICATE, 12012)
    assert (no.line(Stage.MAIL).state, no.line(Stage.RCPT).state) == (State.FOLLOWS, State.NOT_REACHED)
    assert "flow.answered" in phrases(no)
    assert (yes.verdict, yes.line(Stage.OUR_CERTIFICATE).state) == (Verdict.FLOWS, State.WARNING)
    assert warned(yes) == [(Stage.OUR_CERTIFICATE, 12012)]


def test_nothing_to_show_is_the_reason_once_they_say_no() -> None:
    empty = facts_of(our_store_of_nobody(), replace_our_wire())
    process = facts_of()

    assert failed(judged(refused(shown=None), empty)) == (Stage.OUR_CERTIFICATE, 12012)
    # The store calls none current, and a process of ours goes on with what it had.
    hop = judged(refused(shown=None), process)
    assert failed(hop) == (Stage.OUR_CERTIFICATE, 12012)
    assert hop.trouble is not None
    assert hop.trouble.command == "mailtrust new"
    assert hop.line(Stage.OUR_CERTIFICATE).said[-1].phrase == "flow.nothing-to-show"


def our_store_of_nobody() -> Any:
    return replace(our_store(), found=())  # type: ignore[type-var]


def replace_our_wire() -> Any:
    return replace(our_wire(), found=None, failure=WireFailure.NOT_OFFERED, why="no TLS")  # type: ignore[type-var]


def test_our_process_that_presents_something_else_is_the_reason_though_they_take_the_current_one() -> None:
    store = our_store(installed(OLD))
    hop = judged(a_trace(), facts_of(store, our_wire(OLD)))

    assert hop.trouble is not None
    assert hop.trouble.stage is Stage.OUR_CERTIFICATE


def test_a_receiver_that_never_asks_proves_nothing_or_says_no_for_it() -> None:
    facts = facts_of(their_wire(asks=False))
    goes, stays = judged(a_trace(asked=False), facts), judged(refused(asked=False), facts)

    assert (goes.verdict, warned(goes)) == (Verdict.UNPROVEN, [(Stage.OUR_CERTIFICATE, 12118)])
    assert [one.phrase for one in goes.line(Stage.OUR_CERTIFICATE).said][:2] == [
        "flow.not-asked",
        "flow.not-shown",
    ]
    assert failed(stays) == (Stage.OUR_CERTIFICATE, 12118)
    for_good = refused("554 5.7.1 <x>: Relay access denied", Stage.RCPT, asked=False)
    assert failed(judged(for_good, facts)) == (Stage.OUR_CERTIFICATE, 12118)
    in_words = refused("530 5.7.0 Must issue a client certificate", asked=False)
    assert failed(judged(in_words, facts)) == (Stage.OUR_CERTIFICATE, 12118)


@pytest.mark.parametrize("said", [STRANGER, "450 4.7.1 <x>: Client host rejected: try again later"])
def test_a_no_to_a_certificate_that_stands_everywhere_is_about_their_picture(said: str) -> None:
    hop = judged(refused(said))

    assert failed(hop)[0] is Stage.MAIL
    assert hop.trouble is not None
    assert "flow.answered" in phrases(hop)


def test_a_view_of_theirs_that_is_too_old_has_its_number() -> None:
    assert failed(judged(refused("454 4.7.1 12111 this server's view is too old"))) == (Stage.MAIL, 12111)


@pytest.mark.parametrize(
    ("said", "phrase"), [("550 5.1.1 no such user", "flow.refused"), ("452 4.3.1 no room", "flow.deferred")]
)
def test_a_no_about_something_else_is_12182(said: str, phrase: str) -> None:
    hop = judged(refused(said, Stage.RCPT))

    assert failed(hop) == (Stage.RCPT, 12182)
    assert hop.trouble is not None
    assert hop.trouble.why.phrase == phrase


def test_a_no_of_postfix_that_nothing_here_explains_is_12182() -> None:
    said = "454 4.7.1 <x>: try again later"

    assert failed(judged(refused(said), facts_of(well=True))) == (Stage.MAIL, 12182)


@pytest.mark.parametrize("stage", [Stage.EHLO_AGAIN, Stage.MAIL, Stage.RCPT])
def test_a_session_that_breaks_behind_tls_is_12181(stage: Stage) -> None:
    trace = a_trace(until=stage, stop=Stop.SILENT, said="no answer within 3 s")

    assert failed(judged(trace)) == (stage, 12181)


@pytest.mark.parametrize(
    "said",
    [
        "the server ended TLS: tlsv1 alert unknown ca",
        "421 4.7.1 mx2.example.org Error: Client certificate not trusted",
    ],
)
def test_tls_that_ends_over_our_certificate_is_12131_at_ours(said: str) -> None:
    hop = judged(a_trace(until=Stage.EHLO_AGAIN, stop=Stop.CLOSED, said=said))

    assert failed(hop) == (Stage.OUR_CERTIFICATE, 12131)
    assert hop.line(Stage.EHLO_AGAIN).state is State.FOLLOWS


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


def test_a_term_that_ended_is_said_and_stops_nothing() -> None:
    hop = judged(a_trace(), replace(facts_of(), now=THEIRS.not_after))

    assert said_at(hop, Stage.THEIR_CERTIFICATE)[-1] == "flow.theirs-ended"
    assert hop.verdict is Verdict.FLOWS
