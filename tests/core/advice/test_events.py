"""Events as advice, and what a profile, a number or a choice of rules makes of all of it."""

from __future__ import annotations

from mailtrust.core.advice import BY_NUMBER, RULES, Area, Profile, advise, number_of
from mailtrust.core.advice.events import area_of, asked_events, profiles_of
from mailtrust.core.advice.facts import Postfix
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Finding
from tests.core.advice.given import exchange, facts, settings, told
from tests.forest import nine_servers
from tests.make import HUB1, days

MISSING = Finding(catalog.CERTIFICATE_MISSING, HUB1, "dc3", catalog.OVERDUE, action="mailtrust wait")
NO_SUCCESSOR = Finding(catalog.NO_SUCCESSOR, HUB1)
NO_TLS = Finding(catalog.TLS_NOT_OFFERED, HUB1, "127.0.0.1:25")
BOUNCES = Finding(catalog.GAP_BOUNCES, HUB1, "127.0.0.1:25")


def numbers(found: object) -> list[int]:
    return [one.number for one in found]  # type: ignore[attr-defined]


def test_a_finding_is_told_under_its_own_number() -> None:
    [one] = told(facts(findings=(MISSING,)))

    assert (one.code, one.area, one.key) == ("12012", Area.CERTIFICATES, f"12012/{HUB1}/dc3")
    assert one.remedies[0].lines == ("mailtrust wait",)
    assert told(facts(findings=(NO_TLS,)))[0].remedies == ()


def test_what_is_only_for_information_is_told_to_the_strict() -> None:
    given = facts(findings=(NO_SUCCESSOR,))

    assert told(given, Profile.DEFAULT) == ()
    assert numbers(told(given)) == [12108]


def test_what_the_doctor_of_a_postfix_says_belongs_to_its_profile() -> None:
    given = facts(findings=(MISSING,), postfix=Postfix(HUB1, (NO_TLS, BOUNCES)))

    assert numbers(told(given, Profile.POSTFIX)) == [12117, 12133]
    assert numbers(told(given, Profile.DEFAULT)) == [12012, 12117, 12133]
    assert told(given, Profile.PERFORMANCE) == ()


def test_an_audit_is_told_by_its_own_words_and_steps() -> None:
    nine = nine_servers()
    given = exchange(*nine.servers, connectors=nine.connectors)

    found = {(one.number, one.server.partition(".")[0]) for one in told(given, Profile.EXCHANGE)}
    whole = {(one.finding.event.code, one.finding.server.partition(".")[0]) for one in given.judgements}
    assert whole | {(702, "edge1"), (703, "mbx9")} <= found
    assert {server for _, server in whole} >= {"edge1", *(f"mbx{number}" for number in range(1, 8))}
    assert all(one.said is not None for one in told(given) if one.finding is not None)
    assert not [one for one in told(given, Profile.PERFORMANCE) if one.finding is not None]


def test_what_is_worst_stands_first() -> None:
    given = facts(findings=(NO_SUCCESSOR, MISSING), settings=settings(expires_soon=days(1)))

    assert numbers(told(given)) == [12012, 101, 12108]


def test_only_what_was_asked_for_is_told_in_whatever_profile() -> None:
    given = facts(findings=(NO_SUCCESSOR, MISSING), settings=settings(expires_soon=days(1)))

    judged = advise(given, Profile.DEFAULT, (12108, 101))
    assert numbers(judged.advice) == [101, 12108]
    assert judged.asked == (101, 12108)


def test_what_was_asked_is_known() -> None:
    assert 12133 not in asked_events(facts(), Profile.STRICT)
    assert 12133 in asked_events(facts(postfix=Postfix(HUB1)), Profile.DEFAULT)
    assert 12108 not in asked_events(facts(), Profile.DEFAULT)
    assert 12012 in asked_events(exchange(), Profile.EXCHANGE)
    assert asked_events(facts(view=None), Profile.STRICT) == ()


def test_numbers_are_kept_apart_and_read_as_people_write_them() -> None:
    assert len(BY_NUMBER) == len(RULES)
    assert RULES[0].code == "A101"
    assert not BY_NUMBER.keys() & catalog.BY_CODE.keys()
    assert [number_of(one) for one in ("A101", " a101 ", "101", "12012", "99", "A", "", "²", "123456")] == [
        101, 101, 101, 12012, None, None, None, None, None,
    ]  # fmt: skip


def test_every_event_has_its_area_and_its_profiles() -> None:
    assert {area_of(event) for event in catalog.CATALOG} <= set(Area)
    assert Profile.POSTFIX in profiles_of(catalog.GAP_BOUNCES)
    assert Profile.EXCHANGE in profiles_of(catalog.EXPIRED)
    assert profiles_of(catalog.REPLICATING) == frozenset()
