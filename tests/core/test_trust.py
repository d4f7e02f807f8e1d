"""A snapshot through one look after the other: what is kept, and what goes."""

from __future__ import annotations

from mailtrust.core.model.trust import Snapshot, Stranger, Trusted
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate, a_replica, an_unread_replica, minutes

FIRST = a_certificate(HUB1, key="first")
SECOND = a_certificate(HUB2, key="second")
BOTH = Snapshot().renewed([a_replica(DC1, FIRST), a_replica(DC1, SECOND, server=HUB2)], DC1, NOON)


def test_a_server_whose_entry_is_gone_is_believed_no_longer() -> None:
    """Asked for all, a replica does not name a server whose last certificate was withdrawn."""
    later = BOTH.renewed([a_replica(DC1, FIRST)], DC1, NOON + minutes(1))

    assert later.judge(FIRST) == Trusted(HUB1)
    assert later.judge(SECOND) == Stranger(SECOND)


def test_a_server_that_could_not_be_looked_at_keeps_what_it_had() -> None:
    looks = [a_replica(DC1, FIRST), an_unread_replica(DC1, server=HUB2)]
    later = BOTH.renewed(looks, DC1, NOON + minutes(1))

    assert later.judge(SECOND) == Trusted(HUB2)


def test_an_empty_answer_where_there_was_a_full_one_is_damage() -> None:
    later = BOTH.renewed([], DC1, NOON + minutes(1))

    assert later is BOTH
