"""The world's diary says what the journal says."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from mailtrust.agent.journal import Journal
from mailtrust.core.model.plan import Rotation
from mailtrust.core.model.sighting import Act, Dead, History, Intent, Slot
from mailtrust.simulation.diary import Diary, Look
from tests.make import (
    DC1,
    DC2,
    HUB1,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_wire,
    an_unread_replica,
    an_unread_store,
    installed,
    minutes,
)

LEAVES = tuple(a_certificate(key=one) for one in "abc")


def looks(chance: random.Random) -> list[Look]:
    some = [leaf for leaf in LEAVES if chance.random() < 0.5]
    current = chance.choice(LEAVES)
    return [
        chance.choice([a_store(installed(current, Slot.CURRENT)), an_unread_store()]),
        chance.choice([a_replica(DC1, *some), an_unread_replica(DC1)]),
        a_replica(DC2, *some[:1]),
        chance.choice([a_wire(current), a_dead_wire()]),
    ]


def anything(chance: random.Random, journal: Journal, diary: Diary, minute: int) -> None:
    now = NOON + minutes(minute)
    leaf = chance.choice(LEAVES).fingerprint
    match chance.randrange(8):
        case 0:
            act = Act(chance.choice(["enable", "present", "withdraw"]), HUB1, leaf, now)
            journal.record_act(act)
            diary.record_act(act)
        case 1:
            begun = Intent(Rotation(HUB1, leaf, old=frozenset({LEAVES[0].fingerprint})), "start", now)
            journal.begin(begun)
            diary.begin(begun)
        case 2:
            journal.end(Rotation(HUB1, leaf), "done", now)
            diary.end()
        case 3:
            dead = Dead(DC2, now + minutes(chance.choice([0, 60])), "gone", now)
            journal.declare_dead(dead)
            diary.declare_dead(dead)
        case 4 if chance.random() < 0.2:
            journal.forget_since(now)
            diary.forget_since()
        case _:
            seen = looks(chance)
            journal.record_seen(seen, now)
            diary.record_seen(seen, now)


def test_the_diary_of_the_world_remembers_what_the_journal_does(tmp_path: Path) -> None:
    for seed in range(4):
        chance, diary = random.Random(seed), Diary()
        journal = Journal(tmp_path / str(seed))
        for minute in range(40):
            anything(chance, journal, diary, minute)

            assert plain(journal.history(HUB1)) == plain(diary.history())


def plain(history: History) -> History:
    return replace(history, first_seen=dict(history.first_seen), since=dict(history.since))
