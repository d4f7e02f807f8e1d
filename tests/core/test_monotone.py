"""A snapshot never goes back: what tells a withdrawal from a replica that lost its memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.replication import Seen, Stamp
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import (
    KEPT_WHERE_IT_WENT_BACK,
    KEPT_WHERE_NOTHING_IS_TOLD,
    Column,
    Snapshot,
    Stranger,
    Trusted,
)
from tests.make import DC1, DC2, HUB1, HUB2, NOON, a_certificate, a_replica, days, minutes

FIRST = a_certificate(HUB1, key="first")
SECOND = a_certificate(HUB2, key="second")
BACKUP, BEFORE, AFTER = {"001": 3, "002": 7}, {"001": 5, "002": 7}, {"001": 6, "002": 7}
"""How far a replica had seen of two writers: as in its backup, at our last look, and later."""
LATER = NOON + minutes(1)
SOME_TIME = timedelta(seconds=1)


def a_column(seen: Seen, *published: tuple[ServerName, Certificate]) -> Column:
    column = Column(seen=seen)
    for server, leaf in published:
        column.add(server, [leaf.pin])
    return column


def a_remembering_column(
    *published: tuple[ServerName, Certificate], withdrawn: tuple[Certificate, ...] = ()
) -> Column:
    column = a_column({}, *published)
    column.remembered = frozenset(leaf.fingerprint for leaf in withdrawn)
    column.certificates = {leaf.pin: (leaf.fingerprint,) for _, leaf in published}
    return column


EVERYBODY = ((HUB1, FIRST), (HUB2, SECOND))
NUMBERED = Snapshot().renewed(a_column(BEFORE, *EVERYBODY), DC1, NOON)
REMEMBERED = Snapshot().renewed(a_remembering_column(*EVERYBODY), DC1, NOON)
UNTOLD = Snapshot().renewed(a_column({}, *EVERYBODY), DC1, NOON)


def restored(at: datetime = LATER) -> Snapshot:
    """After a look at a replica that came from a backup of before the second server's publication."""
    return NUMBERED.renewed(a_column(BACKUP, (HUB1, FIRST)), DC1, at)


def test_a_replica_that_has_seen_more_and_shows_less_tells_of_a_withdrawal() -> None:
    later = NUMBERED.renewed(a_column(AFTER, (HUB1, FIRST)), DC1, LATER)

    assert later.judge(SECOND) == Stranger(SECOND)
    assert later == Snapshot({FIRST.pin: HUB1}, LATER, DC1, seen=AFTER)


def test_a_replica_that_has_seen_less_takes_nothing_away() -> None:
    """It came from a backup, and its peers rely on what was published since."""
    assert restored().judge(SECOND) == Trusted(HUB2)
    assert restored().kept == {SECOND.pin: LATER + KEPT_WHERE_IT_WENT_BACK}
    assert restored().taken_at == LATER


def test_a_replica_that_has_seen_less_may_still_add() -> None:
    new = a_certificate(HUB1, key="new")
    later = NUMBERED.renewed(a_column(BACKUP, (HUB1, FIRST), (HUB1, new)), DC1, LATER)

    assert later.judge(new) == Trusted(HUB1)


def test_what_comes_back_is_kept_no_longer_but_published() -> None:
    later = restored().renewed(a_column(BEFORE, *EVERYBODY), DC1, LATER)

    assert later == replace(NUMBERED, taken_at=LATER)


def test_what_is_missing_once_the_replica_has_caught_up_was_withdrawn() -> None:
    """Its publication and its withdrawal came back one after the other."""
    assert restored().renewed(a_column(AFTER, (HUB1, FIRST)), DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_a_replica_that_writes_on_from_its_backup_shows_the_entry_as_it_was() -> None:
    """Its numbers soon pass those that we had seen; the entry's own does not."""
    column = a_column(AFTER, (HUB1, FIRST))
    column.changed[HUB2] = Stamp("001", 2, NOON)

    later = NUMBERED.renewed(column, DC1, LATER)

    assert later.judge(SECOND) == Trusted(HUB2)
    assert later.renewed(column, DC1, LATER + SOME_TIME).kept == later.kept


def test_an_entry_that_was_written_since_had_its_key_withdrawn() -> None:
    column = a_column(AFTER, (HUB1, FIRST))
    column.changed[HUB2] = Stamp("001", 6, LATER)

    assert NUMBERED.renewed(column, DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_whose_entry_was_written_last_is_asked_of_those_alone_that_lack_a_key() -> None:
    assert NUMBERED.missing(a_column(AFTER, (HUB1, FIRST))) == {HUB2}
    assert NUMBERED.missing(a_column(AFTER, *EVERYBODY)) == frozenset()


def test_what_a_replica_lost_is_kept_for_a_week() -> None:
    """The directory has the last word.  The time is counted from the first look that lacked it."""
    again = restored().renewed(a_column(BACKUP, (HUB1, FIRST)), DC1, LATER + days(6))
    at_last = again.renewed(a_column(BACKUP, (HUB1, FIRST)), DC1, LATER + KEPT_WHERE_IT_WENT_BACK)

    assert again.judge(SECOND) == Trusted(HUB2)
    assert again.kept == restored().kept
    assert at_last == Snapshot({FIRST.pin: HUB1}, LATER + KEPT_WHERE_IT_WENT_BACK, DC1, seen=BACKUP)


def test_a_replica_that_remembers_withdrawals_proves_each() -> None:
    """By name, so that one withdrawal does not pass for another."""
    gone = a_remembering_column((HUB1, FIRST), withdrawn=(SECOND,))
    lost = a_remembering_column((HUB1, FIRST), withdrawn=(a_certificate(HUB2, key="another"),))

    assert REMEMBERED.renewed(gone, DC1, LATER).judge(SECOND) == Stranger(SECOND)
    assert REMEMBERED.renewed(lost, DC1, LATER).judge(SECOND) == Trusted(HUB2)


def test_what_was_kept_goes_as_soon_as_its_withdrawal_is_told() -> None:
    lost = REMEMBERED.renewed(a_remembering_column((HUB1, FIRST)), DC1, LATER)
    gone = a_remembering_column((HUB1, FIRST), withdrawn=(SECOND,))

    assert lost.judge(SECOND) == Trusted(HUB2)
    assert lost.renewed(gone, DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_of_two_certificates_with_one_key_both_must_be_withdrawn() -> None:
    name = Fingerprint("ab" * 32)
    twins = replace(
        REMEMBERED, certificates={**REMEMBERED.certificates, SECOND.pin: (SECOND.fingerprint, name)}
    )
    gone = a_remembering_column((HUB1, FIRST), withdrawn=(SECOND,))

    assert twins.renewed(gone, DC1, LATER).judge(SECOND) == Trusted(HUB2)


def test_a_compromised_key_is_never_kept() -> None:
    column = a_column(BACKUP, (HUB1, FIRST))
    column.withdrawn.add(SECOND.pin)

    assert NUMBERED.renewed(column, DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_where_nothing_is_told_a_key_is_kept_for_half_an_hour() -> None:
    """So a withdrawal takes effect there too, later."""
    lacking = a_column({}, (HUB1, FIRST))
    later = UNTOLD.renewed(lacking, DC1, NOON)
    at_last = later.renewed(lacking, DC1, NOON + KEPT_WHERE_NOTHING_IS_TOLD)

    assert later.kept == {SECOND.pin: NOON + KEPT_WHERE_NOTHING_IS_TOLD}
    assert at_last.judge(SECOND) == Stranger(SECOND)


def test_what_only_a_stand_in_has_shown_is_not_lost_when_home_answers_again() -> None:
    """It has not arrived there yet: home has seen less than the stand-in had."""
    new = a_certificate(HUB1, key="new")
    extended = NUMBERED.extended(a_column(AFTER, (HUB1, new)))

    later = extended.renewed(a_column(BEFORE, *EVERYBODY), DC1, LATER)
    much_later = later.renewed(a_column(BEFORE, *EVERYBODY), DC1, LATER + days(1))

    assert extended.kept == {}
    assert later.kept == much_later.kept == {new.pin: LATER + KEPT_WHERE_IT_WENT_BACK}
    assert much_later.judge(new) == Trusted(HUB1)


def test_what_only_a_stand_in_has_shown_goes_when_home_has_seen_as_much() -> None:
    """Then it was withdrawn meanwhile."""
    new = a_certificate(HUB1, key="new")
    extended = NUMBERED.extended(a_column(AFTER, (HUB1, new)))
    waiting = extended.renewed(a_column(BEFORE, *EVERYBODY), DC1, LATER)

    for before in (extended, waiting):
        arrived = before.renewed(a_column(AFTER, *EVERYBODY), DC1, LATER)
        assert arrived.judge(new) == Stranger(new)
        assert (arrived.lent, arrived.lent_seen) == (frozenset(), {})


def test_what_a_stand_in_has_shown_is_kept_for_half_an_hour_where_nothing_is_told() -> None:
    new = a_certificate(HUB1, key="new")
    extended = UNTOLD.extended(a_column({}, (HUB1, new)))

    later = extended.renewed(a_column({}, *EVERYBODY), DC1, LATER)
    at_last = later.renewed(a_column({}, *EVERYBODY), DC1, LATER + KEPT_WHERE_NOTHING_IS_TOLD)

    assert later.kept == {new.pin: LATER + KEPT_WHERE_NOTHING_IS_TOLD}
    assert at_last.judge(new) == Stranger(new)


def test_what_a_stand_in_has_shown_and_home_shows_is_home_s() -> None:
    new = a_certificate(HUB1, key="new")
    arrived = NUMBERED.extended(a_column(AFTER, (HUB1, new))).renewed(
        a_column(AFTER, *EVERYBODY, (HUB1, new)), DC1, LATER
    )

    assert (arrived.kept, arrived.lent) == ({}, frozenset())


def test_a_look_at_one_entry_takes_nothing_away_either_where_it_is_old() -> None:
    """A replica tells of changes while it is being restored, too."""
    untouched = a_replica(DC1, server=HUB2, seen=AFTER, changed=Stamp("001", 2, NOON))
    gone_back = a_replica(DC1, server=HUB2, seen=BACKUP)
    withdrawn = a_replica(DC1, server=HUB2, seen=AFTER, changed=Stamp("001", 6, LATER))

    for old in (untouched, gone_back):
        assert NUMBERED.updated([old], DC1, LATER).kept == {SECOND.pin: LATER + KEPT_WHERE_IT_WENT_BACK}
        assert NUMBERED.updated([old], DC1, LATER).judge(SECOND) == Trusted(HUB2)
    assert NUMBERED.updated([withdrawn], DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_a_look_at_one_entry_ends_what_was_kept_of_it_and_of_nobody_else() -> None:
    shown = a_replica(DC1, SECOND, server=HUB2, seen=AFTER)
    other = a_replica(DC1, FIRST, server=HUB1, seen=AFTER)

    assert restored().updated([shown], DC1, LATER).kept == {}
    assert restored().updated([other], DC1, LATER).kept == restored().kept


def test_a_look_at_one_entry_says_nothing_of_how_far_the_others_were_seen() -> None:
    """Else the next look at one of them would take its withdrawal for an old state."""
    own = a_replica(DC1, FIRST, seen=AFTER, changed=Stamp("001", 5, NOON))
    told = NUMBERED.updated([own], DC1, LATER)
    other = a_replica(DC1, server=HUB2, seen=AFTER, changed=Stamp("001", 6, LATER))

    assert told.updated([other], DC1, LATER).judge(SECOND) == Stranger(SECOND)


def test_another_home_that_lags_behind_takes_nothing_away() -> None:
    """Writers are numbered alike everywhere, so that it shows."""
    assert NUMBERED.renewed(a_column(BACKUP, (HUB1, FIRST)), DC2, LATER).judge(SECOND) == Trusted(HUB2)


def test_tables_of_an_old_snapshot_believe_whom_the_site_chose() -> None:
    """With ``keep`` they stay as they are; with ``defer`` whoever makes them has to empty them."""
    old, max_age = NOON + minutes(31), minutes(30)

    assert NUMBERED.in_force(old, max_age, defer=False) is NUMBERED
    assert NUMBERED.in_force(NOON, max_age, defer=True) is NUMBERED
    assert NUMBERED.in_force(old, max_age, defer=True).servers == {}


def test_what_is_kept_is_told_by_name_and_until_when() -> None:
    """So that somebody can look after it, and that a snapshot with it is written down as another one."""
    after = restored()

    assert (after.kept_of, after.kept_until) == ((HUB2,), LATER + KEPT_WHERE_IT_WENT_BACK)
    assert (NUMBERED.kept_of, NUMBERED.kept_until) == ((), None)
    assert after.says_other_than(NUMBERED)
    assert not after.says_other_than(after)
