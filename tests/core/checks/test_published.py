"""What stands on the entry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Impostor, Slot
from tests.core.checks.judge import codes, judged, phrases, silenced, the
from tests.make import (
    AUTHORITY,
    DC1,
    DC2,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    an_unread_store,
    days,
    garbage,
    installed,
)

OURS = a_certificate()
STRANGER = a_certificate("stranger.example.test", key="s")


def current() -> object:
    return a_store(installed(OURS, Slot.CURRENT))


def test_garbage_beside_ours_is_12022_and_costs_that_value_only() -> None:
    """The other values, and every other server, go on."""
    store = current()
    view = a_view(store, a_replica(DC1, OURS), a_replica(DC2, OURS, unparsable=(garbage(),)))  # type: ignore[arg-type]
    found = the(12022, judged(view))

    assert (found.place, found.action) == (DC2, "mailtrust withdraw abababababab")
    assert 12012 not in codes(judged(view))


def test_garbage_on_a_neighbours_entry_names_the_neighbour() -> None:
    """The command must not touch our own entry."""
    found = the(12022, judged(a_view(a_replica(DC1, server=HUB2, unparsable=(garbage(),)))))

    assert found.server == HUB2
    assert found.action == f"mailtrust withdraw abababababab --server {HUB2}"


def test_garbage_that_is_being_withdrawn_is_quiet() -> None:
    """The act was done; the rest is replication."""
    value = garbage()
    view = a_view(a_replica(DC1, withdrawn={value.digest: NOON}), a_replica(DC2, unparsable=(value,)))

    assert codes(judged(view)) == []


def test_a_key_beside_ours_that_we_never_had_is_a_stranger() -> None:
    """Whoever holds that key is believed to be us."""
    found = the(12106, judged(a_view(current(), a_replica(DC1, OURS, STRANGER))))  # type: ignore[arg-type]

    assert found.action == f"mailtrust withdraw {STRANGER.fingerprint[:12]}"
    assert (found.place, found.server) == (DC1, HUB1)


def test_a_stranger_is_not_also_on_its_way() -> None:
    """To wait, or to unite the replicas, would bring it to all of them."""
    view = a_view(current(), a_replica(DC1, OURS, STRANGER), a_replica(DC2, OURS))  # type: ignore[arg-type]

    assert silenced(judged(view)) == [(12102, 12106)]
    assert silenced(judged(view, now=NOON - days(1))) == [(12101, 12106)]


def test_what_was_already_withdrawn_is_no_stranger() -> None:
    """The act was done; the rest is replication."""
    withdrawn = a_replica(DC1, OURS, withdrawn={STRANGER.fingerprint: NOON})

    assert 12106 not in codes(judged(a_view(current(), withdrawn, a_replica(DC2, OURS, STRANGER))))  # type: ignore[arg-type]


def test_without_the_store_nobody_is_a_stranger() -> None:
    """We could not look at what is ours."""
    assert 12106 not in codes(judged(a_view(an_unread_store(), a_replica(DC1, OURS, STRANGER))))
    assert 12106 not in codes(judged(a_view(a_replica(DC1, OURS, STRANGER))))


def test_one_key_on_two_entries_is_12107_on_both() -> None:
    """The peers cannot tell the two apart, and the first one wins silently."""
    theirs = a_replica(DC1, OURS, server=HUB2)
    diagnosis = judged(a_view(current(), a_replica(DC1, OURS), theirs))  # type: ignore[arg-type]
    [ours, others] = [finding for finding in diagnosis.findings if finding.event.code == 12107]

    assert (ours.server, ours.values["others"], ours.action) == (HUB1, HUB2, "mailtrust new")
    assert (others.server, others.values["others"], others.action) == (HUB2, HUB1, None)


def test_a_subject_without_a_name_is_written_as_a_dash() -> None:
    """An empty pair of brackets looks like a mistake of ours."""
    nameless = replace(STRANGER, subject="")
    found = the(12106, judged(a_view(current(), a_replica(DC1, OURS, nameless))))  # type: ignore[arg-type]

    assert found.evidence[0].values["subject"] == "-"


def test_a_fleet_with_one_key_names_a_few_and_counts_the_rest() -> None:
    """Every server would otherwise name every other: a report that grows with their square."""
    fleet = [ServerName(f"hub{number}.example.test") for number in range(1, 9)]
    looks = [a_replica(DC1, OURS, server=server) for server in fleet]

    found = [one for one in judged(a_view(*looks)).findings if one.event.code == 12107]

    assert len(found) == 8
    assert found[0].values["others"].endswith("hub6.example.test (+2)")


AUTHORITYS = a_certificate(key="authority", extensions=AUTHORITY)


def test_a_published_authority_is_told_and_replaced_before_it_is_withdrawn() -> None:
    """What is current cannot be withdrawn, so a new one comes first."""
    for slot, action in ((Slot.CURRENT, "mailtrust new"), (Slot.PREVIOUS, "mailtrust withdraw ")):
        store = a_store(installed(AUTHORITYS, slot))
        found = the(12119, judged(a_view(store, a_replica(DC1, AUTHORITYS))))

        assert str(found.action).startswith(action)
        assert found.since == NOON - days(1)


def test_another_servers_authority_is_told_too() -> None:
    assert the(12119, judged(a_view(a_replica(DC1, AUTHORITYS, server=HUB2)))).action is None


def test_a_withdrawn_authority_is_nobodys_concern() -> None:
    gone = a_replica(DC1, AUTHORITYS, withdrawn={AUTHORITYS.fingerprint: NOON})

    assert 12119 not in codes(judged(a_view(current(), gone)))  # type: ignore[arg-type]


def test_an_authority_is_not_the_installed_certificate() -> None:
    """So nobody is told to enable what would be refused."""
    found = the(12012, judged(a_view(a_store(installed(AUTHORITYS)), a_replica(DC1))))

    assert (found.cause, found.action) == ("no-certificate", "mailtrust new")
    assert "missing.authority" in phrases(found)


def an_impostor(why: str = "impostor.neighbour") -> Impostor:
    entry = "CN=mailtrust-1,CN=O'HARA,DC=corp,DC=example"
    return Impostor(STRANGER, entry, why, NOON - days(2))


@pytest.mark.parametrize("why", ["no-member", "disabled", "neighbour", "twins"])
def test_an_impostor_is_on_record_once_however_many_replicas_show_it(why: str) -> None:
    """It is believed by nobody; but somebody put it there."""
    held = (an_impostor(f"impostor.{why}"),)
    view = a_view(current(), a_replica(DC1, OURS, impostors=held), a_replica(DC2, OURS, impostors=held))  # type: ignore[arg-type]

    found = the(12106, judged(view))

    assert phrases(found) == ["entry.impostor", f"impostor.{why}"]
    assert (found.place, found.since) == (DC1, NOON - days(2))
    assert found.action == f"ldapdelete -H {DC1} 'CN=mailtrust-1,CN=O'\\''HARA,DC=corp,DC=example'"
