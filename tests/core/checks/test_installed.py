"""What the store tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtrust.core.model.event import Severity
from mailtrust.core.model.sighting import Slot
from mailtrust.core.policy import Policy
from tests.core.checks.judge import codes, judged, phrases, silenced, the
from tests.make import (
    DC1,
    DC2,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    days,
    installed,
)

OURS = a_certificate()
NEXT = a_certificate(key="next")


def sound(*extra: object) -> tuple[object, ...]:
    store = a_store(installed(OURS, Slot.CURRENT), installed(NEXT, Slot.NEXT))
    return store, a_replica(DC1, OURS, NEXT), a_replica(DC2, OURS, NEXT), *extra


def test_a_sound_server_is_quiet() -> None:
    """A report that always says something is not read."""
    assert judged(a_view(*sound(a_wire(OURS)))).findings == ()


def test_no_successor_is_information() -> None:
    """It works today; it only costs time on the day of the rotation."""
    found = judged(a_view(a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1, OURS)))

    assert the(12108, found).severity is Severity.INFORMATION


def test_a_published_key_that_left_the_store_is_12013() -> None:
    """The certificate lies there, and the key that peers believe does not."""
    lost = replace(installed(OURS, Slot.CURRENT), has_key=False)
    found = judged(a_view(a_store(lost), a_replica(DC1, OURS)))

    assert codes(found) == [12013, 12108]
    assert the(12013, found).action == "mailtrust new"


def test_a_lost_key_makes_nothing_new_while_its_successor_is_on_its_way_home() -> None:
    """Otherwise every look until then would ask for one more certificate."""
    store = a_store(installed(NEXT, Slot.CURRENT))
    primary = a_replica(DC2, OURS, NEXT, published_at=NOON - timedelta(minutes=1))
    diagnosis = judged(a_view(store, a_replica(DC1, OURS), primary))

    assert (12013, 12101) in silenced(diagnosis)
    assert 12013 not in codes(diagnosis)


def test_12013_needs_a_look_at_home_and_a_published_value() -> None:
    """Nothing published, or nothing seen, is somebody else's event."""
    lost = a_store(replace(installed(OURS, Slot.CURRENT), has_key=False))

    assert 12013 not in codes(judged(a_view(lost, an_unread_replica(DC1))))
    assert 12013 not in codes(judged(a_view(lost, a_replica(DC1))))


def test_an_expired_certificate_is_an_error_and_is_still_trusted() -> None:
    """Expiry never breaks direct trust, and nobody likes to find it out this way."""
    leaf = a_certificate(life=timedelta(days=10), not_before=NOON - timedelta(days=20))
    ours = judged(a_view(a_store(installed(leaf, Slot.CURRENT)), a_replica(DC1, leaf)))
    theirs = judged(a_view(a_replica(DC1, leaf), a_wire(leaf)))

    assert the(12015, ours).since == leaf.not_after
    assert the(12019, theirs).severity is Severity.WARNING
    assert 12104 not in codes(theirs)


@pytest.mark.parametrize(
    ("life", "left", "warned"),
    [(1825, 91, False), (1825, 90, True), (90, 31, False), (90, 30, True)],
)
def test_expires_soon_is_90_days_or_a_third_of_a_short_life(life: int, left: int, warned: bool) -> None:
    """A certificate of three months would otherwise be soon from its first day."""
    leaf = a_certificate(life=days(life), not_before=NOON + days(left) - days(life))
    found = judged(a_view(a_store(installed(leaf, Slot.CURRENT)), a_replica(DC1, leaf)))

    assert (12017 in codes(found)) is warned


def test_how_soon_is_the_sites_choice() -> None:
    """One fleet wants a week, another half a year."""
    leaf = a_certificate(life=days(1825), not_before=NOON + days(8) - days(1825))
    view = a_view(a_store(installed(leaf, Slot.CURRENT)), a_replica(DC1, leaf))
    found = the(12017, judged(view))

    assert (found.values["hours"], found.until) == ("192", leaf.not_after)
    assert 12017 not in codes(judged(view, policy=Policy(expires_soon=days(7))))


def test_a_short_key_is_weak_and_sha1_depends_on_who_signed() -> None:
    """Nobody relies on the signature of a self-signed certificate here."""
    short = a_certificate(key="short", kind="rsa1024")
    sha1 = replace(OURS, signature_hash="sha1")
    issued = replace(sha1, self_signed=False)

    def verdict_of(leaf: object) -> Severity:
        return the(12113, judged(a_view(a_replica(DC1, leaf), a_wire(leaf)))).severity  # type: ignore[arg-type]

    assert verdict_of(short) is Severity.WARNING
    assert verdict_of(sha1) is Severity.INFORMATION
    assert verdict_of(issued) is Severity.WARNING


def test_a_certificate_without_the_servers_name_is_12114() -> None:
    """Direct trust does not read names; a stricter peer would."""
    leaf = a_certificate("*.example.test")
    other = a_certificate("mail.example.org", names=())

    assert 12114 not in codes(judged(a_view(a_replica(DC1, leaf), a_wire(leaf))))
    found = the(12114, judged(a_view(a_replica(DC1, other), a_wire(other))))
    assert found.values["names"] == "mail.example.org"
    assert found.action is None


def test_a_key_that_others_can_read_is_12115() -> None:
    """Whoever read it can be this server."""
    store = a_store(installed(OURS, Slot.CURRENT), exposed=("/srv/hub1/key.pem",))
    found = the(12115, judged(a_view(store, a_replica(DC1, OURS))))

    assert (found.place, found.action) == ("/srv/hub1/key.pem", "mailtrust fix")


def test_the_incident_key_tells_places_apart() -> None:
    """One finding opens and closes, however often it is seen."""
    found = judged(a_view(a_store(installed(OURS, Slot.CURRENT)), a_replica(DC1, OURS)), scope=(HUB1,))

    assert the(12108, found).incident == f"12108/{HUB1}/"
    assert HUB2 not in the(12108, found).incident
    assert phrases(the(12108, found)) == ["store.no-next"]
