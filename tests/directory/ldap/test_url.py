"""Which machine a directory's URL means, and which it must not mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from mailtrust.directory.ldap_url import Resolve, address, place
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable


def knowing(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("ldaps://dc1.example.org", "ldaps://dc1.example.org:636"),
        ("LDAP://DC1.example.org/", "ldap://dc1.example.org:389"),
        ("ldap://[::1]:3890", "ldap://[::1]:3890"),
        ("ldapi://%2Frun%2Fslapd.sock", "ldapi://%2Frun%2Fslapd.sock"),
        ("ldapi://%2frun%2fa%2520b/", "ldapi://%2Frun%2Fa%2520b"),
    ],
)
def test_a_url_is_shown_whole_and_means_the_same_again(url: str, whole: str) -> None:
    assert str(place(url)) == whole
    assert place(whole) == place(url)


@pytest.mark.parametrize(
    "url",
    ["", "dc1", "http://dc1", "ldap://", "ldaps://dc1:0", "ldaps://dc1:70000", "ldaps://dc1:x", "ldapi://",
     "ldapi:///", "ldapi://run", "ldaps://dc1/dc=example", "ldaps://dc1?x", "ldaps://[::1", "ldap://a..b",
     "ldaps://" + "x" * 64],
)  # fmt: skip
def test_what_names_no_server_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput):
        place(url)


@pytest.mark.parametrize("url", ["ldaps://admin:sesame@dc1", "ldaps://sesame@dc1", "ldaps://a:sesame@dc1:x"])
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        place(url)

    assert "sesame" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("ldaps://dc1.example.org", "dc1"),
        ("ldap://dc1.example.org:389", "dc1"),
        ("ldaps://dc1.example.org:1636", "dc1:1636"),
        ("ldaps://192.0.2.1", "192.0.2.1"),
        ("ldaps://[2001:db8::1]:1636", "[2001:db8::1]:1636"),
        ("ldaps://localhost", "localhost"),
        ("ldaps://localhost:1636", ":1636"),
        ("ldaps://127.0.0.1:1636", ":1636"),
        ("ldaps://[::1]:1636", ":1636"),
        ("ldapi://%2Frun%2Fslapd%2Fldapi", "ldapi"),
    ],
)
def test_a_server_has_a_short_name_for_narrow_columns(url: str, short: str) -> None:
    assert place(url).short == short


async def test_a_name_of_several_servers_is_no_replica() -> None:
    with pytest.raises(BadInput, match=r"not one replica: .*192\.0\.2\.1, 192\.0\.2\.2"):
        await Wire.open(
            "ldaps://example.org", timeout=timedelta(seconds=5), resolve=knowing("192.0.2.2", "192.0.2.1")
        )
    with pytest.raises(BadInput, match="2001:db8::1"):
        await address(place("ldaps://example.org"), knowing("192.0.2.1", "2001:db8::1", "2001:db8::2"))


async def test_one_machine_may_have_an_address_of_each_kind() -> None:
    found = await address(place("ldaps://dc1"), knowing("2001:db8::1", "192.0.2.1", "192.0.2.1"))

    assert found == ("192.0.2.1", "2001:db8::1")


async def test_this_machine_is_one_machine() -> None:
    assert await address(place("ldaps://localhost"), knowing("::1", "127.0.0.1", "127.0.1.1"))


async def test_a_name_without_an_address_cannot_be_asked() -> None:
    with pytest.raises(DirectoryUnavailable, match="nowhere has no address"):
        await address(place("ldaps://nowhere"), knowing())
