"""What 389 Directory Server does otherwise than OpenLDAP, on real ones: two suppliers of one tree."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailtrust.clock import now
from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap_bind import Anonymous, ClientCertificate
from mailtrust.directory.rights import Deed
from mailtrust.errors import PublishRefused
from mailtrust.ldap import controls
from mailtrust.ldap.requests import Change, How
from tests import ds389, slapd
from tests.directory.place import PATIENCE, Place, until_shown, wire_to
from tests.ds389 import Server
from tests.make import ENDPOINT, HUB1, HUB2, NOON, a_certificate, an_x509, der

pytestmark = [ds389.needs_ds389, pytest.mark.xdist_group("389")]

READING = '(targetattr = "*")(version 3.0; acl "all"; allow (read, search) userdn = "ldap:///anyone";)'


@pytest.fixture(scope="module")
def suppliers() -> Iterator[tuple[Server, ...]]:
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, ds389.started(Path(folder), 2) as servers:
        yield servers


@pytest.fixture
def place(suppliers: tuple[Server, ...]) -> Place:
    return Place(suppliers[0])


@contextmanager
def changed(server: Server, entry: str, attribute: str, value: str, back: str) -> Iterator[None]:
    server.put(entry, attribute, value)
    try:
        yield
    finally:
        server.put(entry, attribute, back)


async def test_the_documented_rules_hold_when_they_are_tried(place: Place) -> None:
    """A server writes its own entry and no other, and nothing is left behind by trying it."""
    place.add(HUB2)
    place.follow_the_page()

    async with place.replica(place.account) as replica:
        tried = await replica.rights(HUB1, HUB2, der(an_x509(key="thrown away")))
        after = await replica.look([HUB1, HUB2], NOON)

    assert {one.deed: one.allowed for one in tried} == {
        Deed.OWN: True, Deed.NEIGHBOUR: False, Deed.NEW: False, Deed.ANONYMOUS: False,
    }  # fmt: skip
    assert all(look.found == () for look in after)


async def test_by_the_documented_rules_a_server_publishes_and_withdraws(place: Place) -> None:
    place.add(HUB2)
    place.follow_the_page()
    leaf, before = a_certificate(), now().replace(microsecond=0)

    async with place.replica(place.account) as replica:
        await replica.publish(HUB1, leaf.der, NOON, [ENDPOINT])
        with pytest.raises(PublishRefused, match="no right"):
            await replica.publish(HUB2, leaf.der, NOON)
        [look] = await replica.look(None, NOON)
        await replica.withdraw(HUB1, leaf.fingerprint, NOON)
        after = await replica.look(None, NOON)

    [published] = look.found or ()
    assert (published.certificate, look.listeners) == (leaf, (ENDPOINT,))
    assert before <= published.published_at <= now()
    assert published.stamp is None
    assert list(after) == []


async def test_a_rule_that_lets_nobody_read_is_found_out(place: Place) -> None:
    """Also what stands there under the plain name of the attribute, by somebody else's tool."""
    place.add(HUB2, "userCertificate: abc")
    place.server.put(str(place.base), "aci", READING)

    async with place.replica() as replica:
        tried = await replica.rights(HUB1, None, der(an_x509(key="thrown away")))

    assert {one.deed: one.allowed for one in tried}[Deed.ANONYMOUS]


async def test_a_directory_too_large_for_nobody_to_look_through_was_not_tried(place: Place) -> None:
    database = "cn=config,cn=ldbm database,cn=plugins,cn=config"
    for number in range(12):
        place.add(ServerName(f"many{number}.example.test"))

    async with place.replica() as replica:
        with changed(place.server, database, "nsslapd-lookthroughlimit", "10", "5000"):
            tried = await replica.rights(HUB1, None, der(an_x509(key="thrown away")))

    [nobody] = [one for one in tried if one.deed is Deed.ANONYMOUS]
    assert (nobody.allowed, "a limit set by the administrator" in nobody.why) == (None, True)


async def test_a_neighbour_who_is_not_there_was_not_tried(place: Place) -> None:
    """The server refuses to change it, with the same words as another one's entry."""
    place.follow_the_page()

    async with place.replica(place.account) as replica:
        tried = await replica.rights(HUB1, HUB2, der(an_x509(key="thrown away")))

    [neighbour] = [one for one in tried if one.deed is Deed.NEIGHBOUR]
    assert (neighbour.allowed, "not there" in neighbour.why) == (None, True)


@pytest.mark.parametrize("nobody", [True, False])
async def test_who_may_not_read_has_not_seen_that_nothing_is_there(place: Place, *, nobody: bool) -> None:
    """The server answers "done", with no entries."""
    sign_in = Anonymous() if nobody else place.password(place.account)
    async with place.replica() as administrator:
        await administrator.publish(HUB1, a_certificate().der, NOON)

    async with place.replica(sign_in=sign_in) as replica:
        [look] = await replica.look([HUB1], NOON)
        everybody = await replica.look(None, NOON)
        state = await replica.state()

    assert look.found is None
    assert f"shows no entry {place.base}" in look.why
    assert list(everybody) == []
    assert (state.readable, state.why) == (False, look.why)


async def test_who_may_not_look_through_all_has_not_seen_a_part(place: Place) -> None:
    """Part of an answer would look as if the rest were not there."""
    place.follow_the_page()
    for number in range(12):
        place.add(ServerName(f"many{number}.example.test"), "userCertificate;binary: abc")
    place.server.put(place.account, "nsPagedLookThroughLimit", "10")

    async with place.replica(place.account) as replica:
        looks = await replica.look(None, NOON)
        state = await replica.state()
        [asked] = await replica.look([HUB1], NOON)

    assert list(looks) == []
    assert (state.readable, "a limit set by the administrator was reached" in state.why) == (False, True)
    assert asked.found == ()


async def test_a_server_that_takes_no_writes_says_no_and_is_read_all_the_same(place: Place) -> None:
    async with place.replica() as replica:
        read_only = changed(place.server, "cn=config", "nsslapd-readonly", "on", "off")
        with read_only, pytest.raises(PublishRefused) as refused:
            await replica.publish(HUB1, a_certificate().der, NOON)
        [look] = await replica.look([HUB1], NOON)

    assert "directory.primary" in refused.value.hint
    assert look.found == ()


async def test_a_certificate_under_both_names_is_one_and_is_withdrawn_from_both(place: Place) -> None:
    leaf = a_certificate()
    async with place.replica() as replica, await wire_to(place.server) as wire:
        for name in ("userCertificate", "userCertificate;binary"):
            change = Change(How.ADD, name, (leaf.der,))
            await wire.modify(place.account, change, timeout=PATIENCE)
        [look] = await replica.look(None, NOON)
        state = await replica.state()

        await replica.withdraw(HUB1, leaf.fingerprint, NOON)

        after = await replica.look(None, NOON)
    assert (len(look.found or ()), state.values) == (1, 1)
    assert list(after) == []


async def test_a_write_tells_what_the_entry_holds_after_it(place: Place) -> None:
    """Then it is not read again."""
    place.follow_the_page()
    leaf = a_certificate()
    async with await wire_to(place.server, place.password(place.account)) as wire:
        done = await wire.modify(
            place.account, Change(How.ADD, "userCertificate;binary", (leaf.der,)),
            controls=[controls.post_read("userCertificate")], timeout=PATIENCE,
        )  # fmt: skip

    entry = controls.entry_after(done)
    assert entry is not None
    assert entry.values("userCertificate;binary") == (leaf.der,)


async def test_a_certificate_signs_in(place: Place) -> None:
    """As the account that certmap.conf finds for it; here the one entry with that cn."""
    name = ServerName("hub7.example.test")
    place.add(name)
    place.follow_the_page()
    file = slapd.client_pem(place.server.folder, name)

    async with place.replica(sign_in=ClientCertificate(file)) as replica:
        await replica.publish(name, a_certificate().der, NOON)
        [look] = await replica.look(None, NOON)

    assert (look.server, look.pins) == (name, {a_certificate().pin})


async def test_values_written_at_two_suppliers_at_once_are_both_kept(
    place: Place, suppliers: tuple[Server, ...]
) -> None:
    leaves = [a_certificate(key=key) for key in "abc"]
    async with place.replica() as here, place.replica(at=suppliers[1]) as there:
        await here.publish(HUB1, leaves[0].der, NOON)
        await until_shown(there, 1)
        with ds389.apart(*suppliers):
            await here.publish(HUB1, leaves[1].der, NOON)
            await there.publish(HUB1, leaves[2].der, NOON)

        await until_shown(here, 3)
        await until_shown(there, 3)


async def test_of_two_entries_made_at_once_for_one_server_one_counts(
    place: Place, suppliers: tuple[Server, ...]
) -> None:
    """The other gets a name of its own, by which it is nobody's."""
    async with place.replica() as here, place.replica(at=suppliers[1]) as there:
        await until_shown(there, 0)
        with ds389.apart(*suppliers):
            for replica, key in ((here, "here"), (there, "there")):
                await replica.publish(HUB2, a_certificate(HUB2, key=key).der, NOON)
        await here.publish(HUB1, a_certificate().der, NOON)
        await until_shown(there, 1)

        looks = [(await replica.look([HUB2], NOON))[0] for replica in (here, there)]

    assert [len(look.found or ()) for look in looks] == [1, 1]
    assert looks[0].pins == looks[1].pins
