"""For how long a replica was in trouble, out of the journal."""

from __future__ import annotations

from pathlib import Path

from mailtrust.agent.journal import Journal
from mailtrust.agent.spells import spells
from mailtrust.core.events import catalog
from mailtrust.core.model.event import Diagnosis, Finding
from mailtrust.core.punctuality import Spell, Trouble
from tests.make import DC1, DC2, HUB1, NOON, days, minutes

BEHIND = Finding(catalog.REPLICA_BEHIND, HUB1, DC2)
UNREAD = Finding(catalog.REPLICA_UNREADABLE, HUB1, DC1)


def test_a_spell_lasts_from_opened_to_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record_diagnosis(Diagnosis((BEHIND,)), [HUB1], NOON)
    journal.record_diagnosis(Diagnosis((UNREAD,)), [HUB1], NOON + minutes(5))

    assert set(spells(journal, NOON - days(1))) == {
        Spell(DC2, Trouble.LATE, NOON, NOON + minutes(5)),
        Spell(DC1, Trouble.UNREAD, NOON + minutes(5), None),
    }


def test_what_opened_before_is_told_as_far_as_it_was_asked_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record_diagnosis(Diagnosis((BEHIND,)), [HUB1], NOON)
    journal.record_diagnosis(Diagnosis(), [HUB1], NOON + days(3))

    assert spells(journal, NOON + days(2)) == (Spell(DC2, Trouble.LATE, NOON + days(2), NOON + days(3)),)


def test_a_certificate_is_missing_by_a_replicas_fault_only_where_it_is_overdue(tmp_path: Path) -> None:
    def missing(cause: str) -> Finding:
        return Finding(catalog.CERTIFICATE_MISSING, HUB1, DC1, cause)

    journal = Journal(tmp_path)
    journal.record_diagnosis(Diagnosis((missing("not-enabled"),)), [HUB1], NOON)
    before = spells(journal, NOON)
    journal.record_diagnosis(Diagnosis((missing("overdue"),)), [HUB1], NOON + minutes(1))

    assert before == ()
    assert [one.trouble for one in spells(journal, NOON)] == [Trouble.LATE]
