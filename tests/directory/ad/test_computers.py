"""Whose a certificate is in Active Directory, as values: no controller is needed to read an entry."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

import pytest

from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory import ad_computers as computers
from mailtrust.directory.ad_computers import Computer, Point
from mailtrust.ldap import names
from mailtrust.ldap.requests import How
from mailtrust.ldap.responses import Entry
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate, half_readable

URL = "ldaps://dc1.example.test"
UNIT = "OU=Mail Servers,DC=example,DC=test"
ACCOUNT = f"CN=HUB1,{UNIT}"
LEAF = a_certificate()
CERTIFICATE = b"cert:" + base64.b64encode(LEAF.der)


def entry(
    *bindings: bytes, below: str = ACCOUNT, claims: str = HUB1, **attributes: tuple[bytes, ...]
) -> Entry:
    held = {"serviceDNSName": (claims.encode(),), "serviceBindingInformation": bindings, **attributes}
    return Entry(f"CN=mailtrust-1,{below}", held)


def account(name: str = ACCOUNT, server: str = HUB1, flags: bytes = b"4096") -> Computer:
    return computers.computer(
        Entry(name, {"dNSHostName": (server.encode(),), "userAccountControl": (flags,)})
    )


def seen(
    *points: Entry, members: Iterable[Computer] | None = None, others: Iterable[Computer] = ()
) -> Mapping[ServerName, ReplicaSighting]:
    counting = (account(),) if members is None else members
    return computers.sightings(counting, others, map(computers.point, points), URL, NOON, {"a": 1}, "a")


def doubts(found: Mapping[ServerName, ReplicaSighting]) -> dict[str, list[str]]:
    return {server: [one.why for one in look.impostors] for server, look in found.items()}


def test_a_members_own_point_is_its_certificate_with_its_listeners() -> None:
    found = seen(entry(b"smtp://127.0.0.1:2525", CERTIFICATE, b"SMTP://[::1]:25/", b"https://elsewhere"))

    look = found[HUB1]
    assert look.pins == {LEAF.pin}
    assert look.listeners == (ENDPOINT, Endpoint("::1", 25))
    assert (look.writer, look.seen, look.impostors) == ("a", {"a": 1}, ())


def test_a_point_that_claims_a_neighbours_name_is_an_impostor_and_nobodys() -> None:
    """The account above says whose it is; what the point says could be anything."""
    found = seen(entry(CERTIFICATE, claims=HUB2), members=(account(), account(f"CN=HUB2,{UNIT}", HUB2)))

    assert doubts(found) == {HUB2: ["impostor.neighbour"]}
    assert found[HUB2].found == ()


def test_a_point_of_a_computer_that_nobody_listed_is_an_impostor() -> None:
    stranger = account("CN=HUB9,CN=Computers,DC=example,DC=test", "hub9.example.test")
    below = str(stranger.name)
    found = seen(
        entry(CERTIFICATE, below=below, claims="hub9.example.test"),
        entry(CERTIFICATE, below=below, claims=HUB1),
        others=(stranger,),
    )

    assert doubts(found) == {HUB1: ["impostor.no-member"], "hub9.example.test": ["impostor.no-member"]}
    assert all(look.found == () for look in found.values())


def test_a_point_without_a_name_is_held_against_the_account_above_it() -> None:
    assert doubts(seen(entry(CERTIFICATE, claims=""))) == {HUB1: ["impostor.neighbour"]}
    assert seen(entry(CERTIFICATE, claims="", below="CN=gone,DC=example")) == {}


def test_a_disabled_account_counts_for_nobody() -> None:
    found = seen(entry(CERTIFICATE), members=(account(flags=b"4098"),))

    assert doubts(found) == {HUB1: ["impostor.disabled"]}


def test_of_two_accounts_with_one_name_neither_counts() -> None:
    twin = account(f"CN=HUB1X,{UNIT}")
    found = seen(entry(CERTIFICATE), entry(CERTIFICATE, below=str(twin.name)), members=(account(), twin))

    assert doubts(found) == {HUB1: ["impostor.twins", "impostor.twins"]}
    assert found[HUB1].found == ()


def test_a_disabled_twin_takes_nothing_away() -> None:
    found = seen(entry(CERTIFICATE), members=(account(), account(f"CN=OLD,{UNIT}", flags=b"4098")))

    assert found[HUB1].pins == {LEAF.pin}


def test_names_are_compared_without_regard_to_case() -> None:
    found = seen(entry(CERTIFICATE, below=ACCOUNT.upper(), claims=HUB1.upper()))

    assert found[HUB1].pins == {LEAF.pin}


@pytest.mark.parametrize("binding", [b"cert:no base64!", b"cert:" + base64.b64encode(half_readable()[0])])
def test_a_value_that_cannot_be_read_costs_that_value_only(binding: bytes) -> None:
    found = seen(entry(CERTIFICATE), entry(binding))

    assert found[HUB1].pins == {LEAF.pin}
    assert len(found[HUB1].unparsable) == 1


def test_an_impostors_unreadable_value_is_nobodys_concern() -> None:
    found = seen(entry(b"cert:" + base64.b64encode(b"junk"), CERTIFICATE, claims=HUB2))

    assert [one.certificate for one in found[HUB2].impostors] == [LEAF]


def test_two_points_with_one_certificate_are_one() -> None:
    """As when it was published at two controllers at once, and one point was renamed."""
    found = seen(entry(CERTIFICATE), entry(CERTIFICATE, below=ACCOUNT))

    assert len(found[HUB1].found or ()) == 1


def test_without_stamps_a_point_counts_from_its_creation() -> None:
    created = entry(CERTIFICATE, whenCreated=(b"20260601113000.0Z",))
    unclear = entry(CERTIFICATE, replPropertyMetaData=(b"\x09",), whenCreated=(b"lately",))

    assert computers.point(created).published_at == NOON.replace(hour=11, minute=30)
    assert computers.point(unclear).published_at is None
    [published] = seen(unclear)[HUB1].found or ()
    assert (published.published_at, published.stamp) == (NOON, None)


def test_what_is_written_is_read_again() -> None:
    new = Entry(
        str(computers.point_name(names.parse(ACCOUNT), LEAF.der)),
        dict(computers.new_point(HUB1, LEAF.der, [ENDPOINT])),
    )

    found = seen(new)

    assert (found[HUB1].pins, found[HUB1].listeners) == ({LEAF.pin}, (ENDPOINT,))
    assert new.name == f"CN=mailtrust-{LEAF.fingerprint[:40]},{ACCOUNT}"


def test_listeners_are_written_only_where_they_differ() -> None:
    held = computers.point(entry(CERTIFICATE, b"cert:spoilt!", b"smtp://127.0.0.1:2525"))

    change = computers.relistening(held, [Endpoint("::1", 25)])

    assert computers.relistening(held, [ENDPOINT]) is None
    assert change is not None
    assert change.how is How.REPLACE
    assert change.values == (b"smtp://[::1]:25", CERTIFICATE, b"cert:spoilt!")


def mark(guid: bytes, number: bytes, claims: str = HUB1) -> Entry:
    held = {"objectGUID": (guid,), "uSNChanged": (number,), "serviceDNSName": (claims.encode(),)}
    return Entry("CN=x", held)


def test_marks_tell_whose_points_came_changed_and_went() -> None:
    kept = mark(b"3", b"7", "hub3.example.test")
    before = computers.marks([mark(b"1", b"5"), mark(b"2", b"6", HUB2), kept], 7)
    after = computers.marks([mark(b"1", b"9"), kept], 9)

    assert computers.whose(before, after) == {HUB1, HUB2}
    assert after == computers.marks([mark(b"1", b"9"), kept], 99)


def test_where_a_mark_is_missing_or_nameless_it_may_be_anybody() -> None:
    nameless = computers.marks([mark(b"1", b"5", "")], 5)

    assert computers.whose("cannot be reached", nameless) is None
    assert computers.whose(computers.marks([], 1), nameless) is None


def test_a_point_knows_the_account_that_it_stands_below() -> None:
    held: Point = computers.point(entry(CERTIFICATE))

    assert held.parent == names.parse(ACCOUNT.lower()).key
