"""The directory as one server uses it: all replicas side by side, each by itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.ldap import LdapSettings
from mailtrust.directory.open import Directory, open_directory
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap.names import parse
from tests.make import DC1, DC2, ENDPOINT, HUB1, HUB2, NOON, a_certificate, minutes

HUB3 = ServerName("hub3.example.test")
SECONDS = timedelta(seconds=10)


@pytest.fixture
def urls(tmp_path: Path) -> list[str]:
    return [f"sqlite://{tmp_path}/dc{number}.db" for number in (1, 2, 3)]


@pytest.fixture
def directory(urls: list[str]) -> Directory:
    """Home is the second one, primary the first."""
    return open_directory(urls[1], urls[0], urls, timeout=SECONDS, memory=None)


async def test_a_path_may_begin_with_two_slashes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/dc1.db"
    directory = open_directory(url, url, [url], timeout=SECONDS, memory=None)

    await directory.publish(HUB1, a_certificate(HUB1).der, NOON)

    assert seen(await directory.look([HUB1], NOON)) == {("dc1", "hub1"): 1}


def damage(url: str) -> None:
    Path(url.removeprefix("sqlite://")).write_bytes(b"not a database any more\n" * 400)


def seen(looks: tuple[ReplicaSighting, ...]) -> dict[tuple[str, str], int | None]:
    """How many certificates stand where; None: we could not look."""
    return {
        (Path(look.place).stem, look.server.partition(".")[0]): None
        if look.found is None
        else len(look.found)
        for look in looks
    }


def test_home_and_primary_always_belong_to_it(urls: list[str]) -> None:
    directory = open_directory(urls[0], urls[1], (), timeout=SECONDS, memory=None)

    assert [one.url for one in directory.replicas] == urls[:2]
    assert (directory.home.url, directory.primary.url) == (urls[0], urls[1])


def test_opening_touches_nothing(directory: Directory, tmp_path: Path) -> None:
    assert len(directory.replicas) == 3
    assert list(tmp_path.iterdir()) == []


async def test_what_one_replica_shows_is_missing_at_the_others(directory: Directory, urls: list[str]) -> None:
    """Each replica says something of each server that any of them knows."""
    await directory.publish(HUB1, a_certificate().der, NOON)
    await directory.publish(HUB2, a_certificate(HUB2).der, NOON, replica_url=urls[2])

    looks = await directory.look(None, NOON)

    assert seen(looks) == {
        ("dc1", "hub1"): 1, ("dc1", "hub2"): 0,
        ("dc2", "hub1"): 0, ("dc2", "hub2"): 0,
        ("dc3", "hub1"): 0, ("dc3", "hub2"): 1,
    }  # fmt: skip


async def test_home_and_primary_are_marked(directory: Directory, urls: list[str]) -> None:
    looks = await directory.look([HUB1], NOON)

    assert [(look.place, look.home, look.primary) for look in looks] == [
        (urls[1], True, False),
        (urls[0], False, True),
        (urls[2], False, False),
    ]


async def test_a_replica_that_cannot_be_read_says_so_for_everybody(
    directory: Directory, urls: list[str]
) -> None:
    """Whoever asks about one server must learn that this replica was not seen."""
    await directory.publish(HUB1, a_certificate().der, NOON)
    await directory.publish(HUB2, a_certificate(HUB2).der, NOON)
    damage(urls[2])

    looks = await directory.look(None, NOON)

    assert {key: value for key, value in seen(looks).items() if key[0] == "dc3"} == {
        ("dc3", "hub1"): None,
        ("dc3", "hub2"): None,
    }
    assert {look.why for look in looks if look.place == urls[2]} == {"its file is no database"}
    assert seen(await directory.look([HUB3], NOON))["dc3", "hub3"] is None


async def test_where_no_replica_can_be_read_one_asks_by_name(directory: Directory, urls: list[str]) -> None:
    for url in urls:
        damage(url)

    assert await directory.look(None, NOON) == ()
    assert set(seen(await directory.look([HUB1], NOON)).values()) == {None}


async def test_a_withdrawal_elsewhere_is_seen_of_a_server_that_one_replica_forgot(
    directory: Directory, urls: list[str]
) -> None:
    """Where everything of a server is withdrawn it has no entry, and another replica still shows it."""
    leaf = a_certificate()
    await directory.publish(HUB1, leaf.der, NOON, replica_url=urls[2])
    await directory.withdraw(HUB1, leaf.fingerprint, NOON)

    looks = await directory.look(None, NOON)

    assert {look.place: dict(look.withdrawn) for look in looks} == {
        urls[0]: {leaf.fingerprint: NOON}, urls[1]: {}, urls[2]: {},
    }  # fmt: skip


async def test_writes_go_to_the_primary_unless_a_replica_is_named(
    directory: Directory, urls: list[str]
) -> None:
    first, second = a_certificate(key="a"), a_certificate(key="b")
    await directory.publish(HUB1, first.der, NOON, listeners=[ENDPOINT])
    await directory.publish(HUB1, second.der, NOON, replica_url=urls[2])
    await directory.withdraw(HUB1, second.fingerprint, NOON + minutes(1), replica_url=urls[2])

    looks = {look.place: look for look in await directory.look([HUB1], NOON)}

    assert looks[urls[0]].pins == {first.pin}
    assert looks[urls[0]].listeners == (ENDPOINT,)
    assert looks[urls[1]].pins == looks[urls[2]].pins == frozenset()
    assert looks[urls[2]].withdrawn == {second.fingerprint: NOON + minutes(1)}


async def test_a_replica_that_is_not_configured_is_refused_with_those_that_are(
    directory: Directory, urls: list[str]
) -> None:
    leaf = a_certificate()

    with pytest.raises(BadInput, match="dc9") as refused:
        await directory.publish(HUB1, leaf.der, NOON, replica_url="sqlite:///srv/dc9.db")
    with pytest.raises(BadInput, match="dc9"):
        await directory.withdraw(HUB1, leaf.fingerprint, NOON, replica_url="sqlite:///srv/dc9.db")

    assert all(url in refused.value.hint for url in urls)


async def test_an_unreadable_primary_is_named_and_another_replica_takes_the_write(
    directory: Directory, urls: list[str]
) -> None:
    damage(urls[0])

    with pytest.raises(DirectoryUnavailable, match="dc1"):
        await directory.publish(HUB1, a_certificate().der, NOON)

    await directory.publish(HUB1, a_certificate().der, NOON, replica_url=urls[2])


async def test_every_replica_has_a_state(directory: Directory, urls: list[str]) -> None:
    await directory.publish(HUB1, a_certificate().der, NOON)
    damage(urls[2])

    states = {state.url: state for state in await directory.states()}
    await directory.close()

    assert [states[url].readable for url in urls] == [True, True, False]
    assert [states[url].values for url in urls[:2]] == [1, 0]


@pytest.mark.parametrize("url", ["/srv/dc1.db", "http://dc1/", "sqlite://dc1.db"])
def test_a_url_that_names_no_directory_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        open_directory(DC1, DC1, [url], timeout=SECONDS, memory=None)

    assert "sqlite:///" in refused.value.hint


def test_one_file_under_two_names_is_refused() -> None:
    """It would be two witnesses that always agree."""
    with pytest.raises(BadInput, match="same replica"):
        open_directory(DC1, DC1, [DC2, "sqlite:///srv/../srv/dc2.db"], timeout=SECONDS, memory=None)


LDAP = LdapSettings(parse("ou=mail,dc=example,dc=test"))


def test_a_server_with_ldap_is_a_replica_like_any_other() -> None:
    url = "ldaps://dc1.example.test"

    directory = open_directory(url, DC1, (), timeout=SECONDS, memory=None, ldap=LDAP)

    assert [one.url for one in directory.replicas] == [url, DC1]


def test_a_server_with_ldap_is_refused_while_nothing_says_where_its_entries_stand() -> None:
    with pytest.raises(BadInput) as refused:
        open_directory("ldaps://dc1.example.test", DC1, (), timeout=SECONDS, memory=None)

    assert refused.value.hint == "set directory.base"


def test_one_server_under_two_names_is_refused() -> None:
    urls = ("ldap://dc1.example.test", "ldaps://DC1.example.test:636")

    with pytest.raises(BadInput, match="same replica"):
        open_directory(*urls, (), timeout=SECONDS, memory=None, ldap=LDAP)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadInput) as refused:
        open_directory("ldaps://cn=a:sesame@dc1", DC1, (), timeout=SECONDS, memory=None, ldap=LDAP)

    assert "sesame" not in f"{refused.value} {refused.value.hint}"
