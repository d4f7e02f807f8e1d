"""What is read off an Exchange server's object, before anybody judges it."""

from __future__ import annotations

import pytest

from mailtrust.core.exchange.facts import Controller, ExchangeServer, Role, Version, version_of


@pytest.mark.parametrize(
    ("number", "text", "version"),
    [
        (1942127578, "Version 15.2 (Build 30986.5)", "15.2.986.5"),
        (1942127578, "", "15.2.986.0"),
        (1942127578, "Version fifteen", "15.2.986.0"),
        (None, "Version 15.2 (Build 31118.7)", "15.2.1118.7"),
        (None, "Version 14.3 (Build 123.4)", "14.3.123.4"),
        (6637, "Version 6.5 (Build 7638.2: Service Pack 2)", None),
    ],
)
def test_a_version_is_read_from_number_and_text(number: int | None, text: str, version: str | None) -> None:
    """The number has the build, the text the revision; Exchange 2003 had neither in this form."""
    found = version_of(number, text)

    assert (str(found) if found else None) == version


@pytest.mark.parametrize(
    "text", ["", "Version (Build )", "Version 15 (Build 1.2)", "Version 15.x (Build 1.2)", "(Build 1.2.3)"]
)
def test_a_text_that_tells_nothing_is_no_version(text: str) -> None:
    assert version_of(None, text) is None


def test_versions_are_ordered() -> None:
    assert Version(15, 1, 2507) < Version(15, 2, 986)


@pytest.mark.parametrize(
    ("roles", "carries_mail", "is_edge"),
    [
        (Role(16439), True, False),
        (Role(64), True, True),
        (Role(32), True, False),
        (Role(16385), True, False),
        (Role.UNKNOWN, True, False),
        (Role.MAILBOX | Role.CLIENT_ACCESS, False, False),
        (Role(54) | Role.PROVISIONED, False, False),
    ],
)
def test_some_servers_carry_no_mail(roles: Role, *, carries_mail: bool, is_edge: bool) -> None:
    """A mailbox server of 2010 without the transport role needs no certificate; an unknown one is judged."""
    server = ExchangeServer("MBX1", "", "CN=MBX1", roles)

    assert (server.has_transport, server.is_edge) == (carries_mail, is_edge)


def test_a_server_without_a_full_name_goes_by_its_short_one() -> None:
    assert ExchangeServer("MBX1", "", "CN=MBX1").server == "mbx1"
    assert ExchangeServer("MBX1", "MBX1.Corp.Example.", "CN=MBX1").server == "mbx1.corp.example"


def test_a_controller_is_readable_where_it_was_asked_and_answered() -> None:
    assert Controller("dc1", "ldaps://dc1").readable
    assert not Controller("dc1", "ldaps://dc1", why="no answer in 10 s").readable


@pytest.mark.parametrize(
    ("version", "release"),
    [
        (Version(8, 3, 83), "2007"),
        (Version(14, 3, 123), "2010"),
        (Version(15, 0, 1497), "2013"),
        (Version(15, 1, 2507), "2016"),
        (Version(15, 2, 1118), "2019"),
        (Version(15, 2, 2562), "SE"),
        (Version(16, 0, 1), "16"),
    ],
)
def test_a_release_has_the_name_that_people_use(version: Version, release: str) -> None:
    assert version.release == release
