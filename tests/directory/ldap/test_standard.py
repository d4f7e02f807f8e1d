"""A server's entry in the standard schema, as values: no server is needed to read one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.replication import Fate
from mailtrust.core.model.server import Endpoint
from mailtrust.directory import ldap_standard as standard
from mailtrust.ldap.requests import Change, How
from mailtrust.ldap.responses import Entry
from tests.make import ENDPOINT, HUB1, NOON, a_certificate, half_readable

URL = "ldaps://dc1.example.test"
OWN = "userCertificate;binary"
CLASSES = (b"device", b"pkiUser", b"labeledURIObject")
LEAF = a_certificate()


def entry(attributes: Mapping[str, tuple[bytes, ...]], name: str = f"cn={HUB1},dc=example") -> Entry:
    return Entry(name, {"objectClass": CLASSES, **attributes})


def test_an_entry_is_the_servers_whose_name_it_has() -> None:
    assert standard.server_of(entry({}, "cn=HUB1.example.test,dc=example")) == HUB1
    assert standard.server_of(entry({}, "cn=mx1,dc=example")) is None
    assert standard.server_of(entry({}, "no name")) is None


@pytest.mark.parametrize("attribute", ["userCertificate;binary", "usercertificate", "USERCERTIFICATE;BINARY"])
def test_certificates_are_found_however_the_server_writes_their_name(attribute: str) -> None:
    look = standard.sighting(HUB1, entry({attribute: (LEAF.der,)}), URL, NOON)

    assert look.pins == {LEAF.pin}


def test_a_value_that_cannot_be_read_is_shown_by_its_digest() -> None:
    junk = half_readable()[0]

    look = standard.sighting(HUB1, entry({OWN: (junk, LEAF.der)}), URL, NOON)

    assert look.pins == {LEAF.pin}
    assert [(one.digest, one.size_bytes) for one in look.unparsable] == [(fingerprint_of(junk), len(junk))]


def test_no_entry_and_an_empty_one_look_the_same() -> None:
    nothing = standard.sighting(HUB1, None, URL, NOON)

    assert nothing.found == ()
    assert standard.sighting(HUB1, entry({"labeledURI": (b"smtp://127.0.0.1:25",)}), URL, NOON) == nothing


@pytest.mark.parametrize(
    ("stamps", "moment"),
    [
        (
            {"entryCSN": b"20261124235128.123456Z#000000#001#000000", "modifyTimestamp": b"20261124235129Z"},
            datetime(2026, 11, 24, 23, 51, 28, 123456, tzinfo=UTC),
        ),
        ({"modifyTimestamp": b"20261124235129Z"}, datetime(2026, 11, 24, 23, 51, 29, tzinfo=UTC)),
        (
            {"entryCSN": b"soon", "createTimestamp": b"20261124235127Z"},
            datetime(2026, 11, 24, 23, 51, 27, tzinfo=UTC),
        ),
        ({}, NOON),
    ],
)
def test_a_value_counts_as_published_when_its_entry_last_changed(
    stamps: Mapping[str, bytes], moment: datetime
) -> None:
    """The latest moment that it can be; where nothing tells, now."""
    held = {name: (stamp,) for name, stamp in stamps.items()}

    look = standard.sighting(HUB1, entry({OWN: (LEAF.der,), **held}), URL, NOON)

    assert [one.published_at for one in look.found or ()] == [moment]


def test_a_value_bears_the_stamp_of_its_entry() -> None:
    """OpenLDAP replicates an entry as a whole: whether a value is late or lost is told by that number."""
    early = {"entryCSN": (b"20261124235128.123456Z#000001#001#000000",)}
    late = {"entryCSN": (b"20261124235128.123456Z#000002#002#000000",)}

    held = standard.sighting(HUB1, entry({OWN: (LEAF.der,), **early}), URL, NOON)
    behind = standard.sighting(HUB1, None, URL, NOON, {"001": 1})
    beyond = standard.sighting(HUB1, entry(late), URL, NOON)

    [published] = held.found or ()
    assert published.stamp is not None
    assert published.stamp.writer == "001"
    assert behind.fate_of(published.stamp) is Fate.LATE
    assert beyond.fate_of(published.stamp) is Fate.LOST


def test_a_directory_without_change_numbers_stamps_nothing() -> None:
    for numbers in ({}, {"entryCSN": (b"soon",)}, {"entryCSN": (b"20261124235128Z#x#001#0",)}):
        look = standard.sighting(HUB1, entry({OWN: (LEAF.der,), **numbers}), URL, NOON)

        assert look.changed is None
        assert [one.stamp for one in look.found or ()] == [None]


def test_listeners_are_shown_in_one_order_and_what_is_none_is_left_out() -> None:
    urls = (
        b"smtp://[::1]:25 the second",
        b"https://www.example.test",
        b"SMTP://127.0.0.1:2525/",
        b"smtp://hub1",
        b"\xff",
    )

    look = standard.sighting(HUB1, entry({OWN: (LEAF.der,), "labeledURI": urls}), URL, NOON)

    assert look.listeners == (ENDPOINT, Endpoint("::1", 25))


def test_what_is_there_already_is_not_written() -> None:
    held = entry({OWN: (LEAF.der,), "labeledURI": (b"smtp://127.0.0.1:2525",)})

    assert standard.publication(held, LEAF.der, [ENDPOINT]) == ()
    assert standard.publication(held, LEAF.der, None) == ()


def test_a_value_is_added_beside_the_others_with_the_classes_it_needs() -> None:
    held = Entry("cn=hub1", {"objectClass": (b"device", b"PKIUSER"), OWN: (b"other",)})

    assert standard.publication(held, LEAF.der, None) == (
        Change(How.ADD, "objectClass", (b"labeledURIObject",)),
        Change(How.ADD, OWN, (LEAF.der,)),
    )


def test_a_value_is_deleted_under_the_name_that_it_stands_under() -> None:
    other = a_certificate(key="b")
    held = entry({"userCertificate": (LEAF.der,), OWN: (other.der,)})

    assert standard.withdrawal(held, LEAF.fingerprint) == (
        Change(How.DELETE, "userCertificate", (LEAF.der,)),
    )
    assert standard.withdrawal_of_key(held, other.pin) == (Change(How.DELETE, OWN, (other.der,)),)
    assert standard.withdrawal(None, LEAF.fingerprint) == ()
