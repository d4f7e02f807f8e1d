"""Controls: what they ask on the wire, and what comes back."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber, controls
from mailtrust.ldap.controls import DirSyncFlags, DirSyncPage
from mailtrust.ldap.filters import Equal
from mailtrust.ldap.responses import Control, Entry, Response, Result
from tests.ldap import wire

ENTRY = Entry("cn=hub1,dc=org", {"entryCSN": (b"20261124#0#001#0",), "cn": (b"hub1", b"HUB")})


def done(*with_these: Control) -> Response:
    return Response(1, Result(0), with_these)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (controls.paged(500, b"c"), "3007 020201f4 040163"),
        (controls.pre_read("cn"), "30040402636e"),
        (controls.post_read(), "3000"),
        (controls.only_if(Equal("cn", b"a")), "a3070402636e040161"),
        (controls.dir_sync(b"c"), "3009020101 020100 040163"),
        (controls.dir_sync(flags=DirSyncFlags.INCREMENTAL_VALUES), "300b 020480000000 020100 0400"),
    ],
)
def test_controls_are_the_bytes_of_the_standards(control: Control, expected: str) -> None:
    """Put together by hand; Microsoft's flags are 32 bits with a sign."""
    assert (control.value or b"").hex() == expected.replace(" ", "")
    assert control.critical


def test_a_notification_has_no_value() -> None:
    assert controls.notify() == Control("1.2.840.113556.1.4.528", None, critical=True)


@given(st.integers(min_value=0, max_value=2**31 - 1), st.binary(max_size=100))
def test_the_cookie_of_a_page_comes_back(estimate: int, cookie: bytes) -> None:
    value = ber.sequence(ber.integer(estimate), ber.octets(cookie))

    assert controls.page_cookie(done(Control(controls.PAGED, value))) == cookie


@pytest.mark.parametrize("more", [0, 1])
def test_dir_sync_says_how_far_it_came(more: int) -> None:
    value = ber.sequence(ber.integer(more), ber.integer(0), ber.octets(b"here"))

    found = controls.dir_sync_page(done(Control(controls.DIR_SYNC, value)))

    assert found == DirSyncPage(b"here", bool(more))


@pytest.mark.parametrize("tag", [0x64, ber.SEQUENCE])
def test_the_entry_around_a_write_comes_back(tag: int) -> None:
    """With the tag of RFC 4527, and with OpenLDAP's."""
    value = ber.element(tag, wire.entry(ENTRY))

    assert controls.entry_before(done(Control(controls.PRE_READ, value))) == ENTRY
    assert controls.entry_after(done(Control(controls.POST_READ, value))) == ENTRY


def test_what_a_server_does_not_say_is_not_known() -> None:
    """Not an empty entry, and not the last page."""
    silent = done(Control("1.2.3", b"x"))

    assert controls.page_cookie(silent) is None
    assert controls.entry_before(silent) is None
    assert controls.entry_after(silent) is None
    assert controls.dir_sync_page(silent) is None


def test_an_entry_must_look_like_one() -> None:
    with pytest.raises(NotLdap, match="where an entry belongs"):
        controls.entry_after(done(Control(controls.POST_READ, b"\x31\x00")))


@given(st.binary(max_size=60))
def test_any_value_is_read_or_plainly_refused(noise: bytes) -> None:
    for kind, read in [
        (controls.PAGED, controls.page_cookie),
        (controls.DIR_SYNC, controls.dir_sync_page),
        (controls.PRE_READ, controls.entry_before),
        (controls.POST_READ, controls.entry_after),
    ]:
        with suppress(NotLdap):
            read(done(Control(kind, noise)))
