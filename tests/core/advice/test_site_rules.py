"""The rules about our own servers: each speaks of what was planted, and is silent about what is sound."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.core.advice import Profile
from mailtrust.core.advice.facts import Hub, Past, Postfix
from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import Dead, History
from tests.core.advice.given import INFORMATION, codes, facts, incident, lines, settings, the
from tests.make import (
    DC1,
    DC2,
    DC3,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_view,
    an_unread_replica,
    days,
    minutes,
)

SOUND = a_certificate()


def test_a_sound_site_is_told_nothing_at_all() -> None:
    looks = [a_replica(url, SOUND) for url in (DC1, DC2, DC3)]

    assert codes(facts(*looks)) == []


def test_a_warning_that_comes_late_is_told() -> None:
    late = facts(settings=settings(expires_soon=days(2)))

    assert lines(the("A101", late)) == ["[policy]", 'expires_soon = "90d"']
    assert the("A101", late).values["value"] == "2d"
    assert codes(facts(settings=settings(expires_soon=days(30)))) == []


def test_rotations_by_hand_are_a_matter_of_taste() -> None:
    by_hand = facts(settings=settings(rotates_when_due=False))

    assert codes(by_hand) == ["A102"]
    assert codes(by_hand, Profile.DEFAULT) == []


def test_an_old_view_believes_what_was_withdrawn() -> None:
    assert codes(facts(settings=settings(snapshot_max_age=minutes(121)))) == ["A103"]
    assert codes(facts(settings=settings(snapshot_max_age=minutes(120)))) == []


def test_a_peer_that_was_clean_for_two_weeks_can_be_enforced() -> None:
    past = Past(clean_days={"192.0.2.7": 14, "192.0.2.8": 13})

    assert lines(the("A104", facts(past=past))) == ["mailtrust enforce 192.0.2.7"]
    assert codes(facts(past=None)) == []


def test_a_server_whose_listeners_nobody_names_is_told() -> None:
    deaf = facts(settings=settings(has_listeners=False))

    assert lines(the("A105", deaf)) == ["[server]", f'listeners = ["{HUB1}:25"]']


def test_a_wildcard_is_told_wherever_it_is_published() -> None:
    wild = a_certificate(names=(HUB1, "*.example.test"))
    given = facts(a_replica(DC1, wild), a_replica(DC2, wild), an_unread_replica(DC3))

    assert the("A201", given).values["names"] == "*.example.test"


def test_a_certificate_for_twenty_years_is_told_to_the_strict() -> None:
    given = facts(a_replica(DC1, a_certificate(life=days(7300))))

    assert codes(given) == ["A202"]
    assert codes(given, Profile.DEFAULT) == []


def test_more_certificates_than_a_rotation_needs_are_told_oldest_first() -> None:
    held = [a_certificate(key=f"k{n}", not_before=NOON - days(n)) for n in range(1, 6)]
    given = facts(a_replica(DC1, *held))

    oldest = [one.fingerprint[:12] for one in held[:2:-1]]
    assert lines(the("A203", given)) == [f"mailtrust withdraw {one}" for one in oldest]
    assert codes(facts(a_replica(DC1, *held[:3]))) == []


def test_what_was_withdrawn_does_not_count_where_a_late_replica_shows_it() -> None:
    held = [a_certificate(key=f"k{n}", not_before=NOON - days(n)) for n in range(1, 5)]
    withdrawn = {held[3].fingerprint: NOON}

    assert codes(facts(a_replica(DC1, *held[:3], withdrawn=withdrawn), a_replica(DC2, *held))) == []


def test_an_ended_certificate_is_told_beside_a_living_one_alone() -> None:
    ended = a_certificate(key="old", not_before=NOON - days(400), life=days(365))

    assert lines(the("A204", facts(a_replica(DC1, SOUND, ended)))) == [
        f"mailtrust withdraw {ended.fingerprint[:12]}"
    ]
    # Alone it is 12015, and to withdraw it would be the worst that one can do.
    assert codes(facts(a_replica(DC1, ended))) == []


def test_a_single_replica_is_a_matter_of_taste() -> None:
    single = facts(settings=settings(replicas=(DC1,)))

    assert codes(single) == ["A301"]
    assert codes(single, Profile.DEFAULT) == []


def test_replication_that_is_slower_than_configured_is_told() -> None:
    past = Past(latencies={DC2: (minutes(3),) * 4, DC3: (minutes(4), minutes(20), minutes(21)), DC1: ()})

    assert lines(the("A302", facts(past=past))) == ["[directory]", 'latency = "45m"']
    assert codes(facts(past=past, settings=settings(latency=None))) == []
    assert codes(facts(past=None)) == []


def test_a_replica_that_was_declared_dead_is_told_while_it_is_configured() -> None:
    dead = Dead(DC3, NOON + days(1), "its disk is gone", NOON - days(1))
    over = Dead(DC2, NOON - days(1), "moved", NOON - days(2))
    view = a_view(history=History(dead=(dead, over)))

    found = the("A303", facts(view=view))
    assert lines(found) == ["[directory]", f'replicas = ["{DC1}", "{DC2}"]']
    assert found.until == NOON + days(1)
    assert codes(facts(view=view, settings=settings(replicas=(DC1, DC2)))) == []
    assert codes(facts(view=None)) == []


def test_what_opened_three_times_in_a_month_is_told() -> None:
    again = tuple(incident(ago=ago) for ago in (1, 5, 20))
    old = (incident(ago=1), incident(ago=5), incident(ago=31))
    mild = tuple(incident(ago=ago, severity=INFORMATION) for ago in (1, 2, 3))

    found = the("A501", facts(past=Past(opened=again)))
    assert (found.values["count"], found.place) == ("3", f"12102 {DC3}")
    assert lines(found)[0] == f"mailtrust events --event 12102 --server {HUB1}"
    assert codes(facts(past=Past(opened=old))) == []
    assert codes(facts(past=Past(opened=mild))) == []


def test_what_was_tried_out_on_one_afternoon_came_back_once() -> None:
    tried = tuple(incident(ago=1 + hour / 24) for hour in (1, 2, 3))

    assert codes(facts(past=Past(opened=tried))) == []


def test_one_slow_arrival_is_no_rule() -> None:
    past = Past(latencies={DC3: (minutes(1), minutes(600), minutes(1))})

    assert codes(facts(past=past)) == []


def test_what_is_open_for_more_than_a_week_is_told() -> None:
    given = facts(past=Past(standing=(incident(ago=8, place=""), incident(ago=6))))

    assert the("A502", given).place == "12102"
    assert codes(facts(past=Past(standing=(incident(ago=30, severity=INFORMATION),)))) == []


def test_a_year_without_a_rotation_is_told_to_the_strict() -> None:
    year = Past(began_at=NOON - days(400))

    assert codes(facts(past=year)) == ["A503"]
    assert codes(facts(past=year), Profile.DEFAULT) == []
    assert codes(facts(past=replace(year, rotated=True))) == []
    assert codes(facts(past=year, servers=())) == []


def test_a_journal_that_was_damaged_lately_is_told() -> None:
    assert codes(facts(past=Past(damaged_at=NOON - days(3)))) == ["A504"]
    assert codes(facts(past=Past(damaged_at=NOON - days(3)), servers=())) == []
    assert codes(facts(past=Past(damaged_at=NOON - days(40)))) == []


def test_a_long_key_costs_each_session() -> None:
    long = replace(SOUND, key_type="RSA", key_bits=4096)
    given = facts(a_replica(DC1, long))

    assert lines(the("A801", given)) == ["[policy]", 'key = "rsa2048"', "mailtrust rotate start"]
    assert codes(given, Profile.DEFAULT) == codes(given, Profile.PERFORMANCE) == ["A801"]
    assert codes(facts(a_replica(DC1, replace(long, key_bits=3072)))) == []


def test_a_hub_that_begins_anew_for_each_message_is_told() -> None:
    def postfix(folder: str, *, reuses: bool) -> Postfix:
        return Postfix(HUB1, hubs=(Hub("hub/unix", folder, reuses),))

    usual = facts(postfix=postfix("/etc/postfix", reuses=False))
    assert lines(the("A803", usual)) == [
        "postconf -P hub/unix/smtp_tls_connection_reuse=yes",
        "postfix reload",
    ]
    inner = facts(postfix=postfix("/etc/postfix-inner", reuses=False))
    assert lines(the("A803", inner))[1] == "postfix -c /etc/postfix-inner reload"
    assert codes(usual, Profile.DEFAULT) == []
    assert codes(usual, Profile.POSTFIX) == ["A803"]
    assert codes(facts(postfix=postfix("/etc/postfix", reuses=True))) == []


def test_a_replica_that_takes_an_hour_delays_each_rotation() -> None:
    past = Past(latencies={DC2: (minutes(59),) * 3, DC3: (minutes(61),) * 3, DC1: (minutes(99),)})
    given = facts(past=past, settings=settings(latency=None))

    assert the("A804", given).place == DC3
    assert the("A804", given).severity is Severity.WARNING
    assert codes(replace(given, servers=())) == []


def test_a_rule_without_its_facts_is_not_asked() -> None:
    bare = facts(settings=None, view=None, past=None)

    assert codes(bare) == []
    assert bare.published() == {HUB1: ()}


def test_others_are_judged_by_what_is_published_for_them() -> None:
    wild = a_certificate(HUB2, names=("*.example.test",))
    given = facts(a_replica(DC1, SOUND), a_replica(DC1, wild, server=HUB2), servers=(HUB1, HUB2))

    assert the("A201", given).server == HUB2
