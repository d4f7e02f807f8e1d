"""Whether a key was published when somebody presented it, asked afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtrust.core.digests import digests_of
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.sighting import History, Sighting
from mailtrust.core.sessions import Met, Reason, Way
from mailtrust.core.vouching import Vouching, vouching
from tests.make import (
    AUTHORITY,
    DC1,
    DC2,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_view,
    an_unread_replica,
    days,
)

LEAF = a_certificate(HUB2, key="vouched for")
MORNING, EVENING = NOON - timedelta(hours=6), NOON + timedelta(hours=6)


def known(*looks: Sighting, history: History | None = None) -> Vouching:
    found = vouching(a_view(*looks, history=history))
    assert found is not None
    return found


def judged(vouched: Vouching, leaf: Certificate = LEAF, at: object = EVENING) -> tuple[Reason, str]:
    return vouched.judge((leaf.pin, leaf.fingerprint), at)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", ["md5", "sha1", "sha256"])
def test_a_published_key_is_known_by_any_digest(function: str) -> None:
    vouched = known(a_replica(DC1, LEAF, server=HUB2))

    for one in digests_of(LEAF, function):
        assert vouched.judge(("", one), EVENING) == (Reason.PUBLISHED, HUB2)


def test_before_it_was_published_it_was_unknown() -> None:
    vouched = known(a_replica(DC1, LEAF, server=HUB2, published_at=NOON))

    assert judged(vouched, at=MORNING) == (Reason.UNKNOWN_KEY, "")
    # A log leaves out fractions of a second.
    assert judged(vouched, at=NOON - timedelta(seconds=0.9)) == (Reason.PUBLISHED, HUB2)


def test_before_it_was_withdrawn_it_was_good() -> None:
    vouched = known(a_replica(DC1, server=HUB2, withdrawn={LEAF.fingerprint: NOON}))

    assert judged(vouched, at=MORNING) == (Reason.PUBLISHED, HUB2)
    assert judged(vouched, at=EVENING) == (Reason.WITHDRAWN_KEY, HUB2)
    assert (
        vouched.withdrawn.owner(Met("a", Way.FROM, Reason.UNKNOWN_KEY, fingerprint=LEAF.fingerprint)) == HUB2
    )


def test_what_a_directory_forgot_the_journal_remembers() -> None:
    """An LDAP directory keeps nothing of what was deleted; that it stood there once was seen."""
    history = History(first_seen={(HUB2, DC1, LEAF.fingerprint): NOON})
    vouched = known(a_replica(DC1, server=HUB2), history=history)

    assert judged(vouched) == (Reason.WITHDRAWN_KEY, HUB2)


@pytest.mark.parametrize(
    "looks",
    [
        (a_replica(DC1, server=HUB2), a_replica(DC2, LEAF, server=HUB2)),
        (a_replica(DC1, server=HUB2), an_unread_replica(DC2, server=HUB2)),
    ],
)
def test_what_may_still_stand_elsewhere_is_not_called_withdrawn(looks: tuple[Sighting, ...]) -> None:
    history = History(first_seen={(HUB2, DC2, LEAF.fingerprint): NOON})

    assert judged(known(*looks, history=history)) == (Reason.UNKNOWN_KEY, "")


def test_what_was_only_seen_presented_was_never_published() -> None:
    history = History(first_seen={(HUB2, "192.0.2.7:25", LEAF.fingerprint): NOON})

    assert judged(known(a_replica(DC1, server=HUB2), history=history)) == (Reason.UNKNOWN_KEY, "")


def test_home_decides_and_another_replica_only_where_home_cannot_be_read() -> None:
    late = known(a_replica(DC1, server=HUB2), a_replica(DC2, LEAF, server=HUB2))
    blind = known(an_unread_replica(DC1, server=HUB2), a_replica(DC2, LEAF, server=HUB2))

    assert judged(late) == (Reason.UNKNOWN_KEY, "")
    assert judged(blind) == (Reason.PUBLISHED, HUB2)


def test_where_no_replica_can_be_read_nothing_is_said() -> None:
    assert vouching(a_view(an_unread_replica(DC1))) is None


def test_neither_an_authority_nor_a_compromised_key_vouches_for_anybody() -> None:
    authority = a_certificate(HUB1, key="authority", extensions=AUTHORITY)
    look = a_replica(DC1, authority, LEAF, server=HUB1, withdrawn_pins=frozenset({LEAF.pin}))

    assert judged(known(look), authority) == (Reason.UNKNOWN_KEY, "")
    assert judged(known(look)) == (Reason.UNKNOWN_KEY, "")


def test_a_key_is_good_again_from_when_it_was_published_by_somebody() -> None:
    looks = a_replica(DC1, LEAF, server=HUB1), a_replica(DC1, server=HUB2, withdrawn={LEAF.fingerprint: NOON})

    assert judged(known(*looks), at=NOON + days(1)) == (Reason.PUBLISHED, HUB1)
