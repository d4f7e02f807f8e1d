"""Agreeing on encryption, and frames, bytes in and out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import NotLdap
from mailtrust.ldap.sasl import Frames, Layers, chosen, framed, offered


def taken(frames: Frames, *parts: bytes) -> list[bytes]:
    return [frame for part in parts for frame in frames.receive(part)]


def test_an_offer_names_layers_and_a_size() -> None:
    offer = offered(bytes((7, 0, 1, 0)))

    assert (offer.layers, offer.frame_bytes) == (
        Layers.NONE | Layers.INTEGRITY | Layers.CONFIDENTIALITY, 256,
    )  # fmt: skip


def test_layers_that_nobody_has_defined_are_passed_over() -> None:
    assert offered(bytes((0xF9, 0, 0, 0))).layers == Layers.NONE


@pytest.mark.parametrize("token", [b"", b"\x04", b"\x04\x00\x00", b"\x04\x00\x00\x00\x00"])
def test_an_offer_of_another_length_is_none(token: bytes) -> None:
    with pytest.raises(NotLdap, match=f"an offer of {len(token)} bytes"):
        offered(token)


def test_a_choice_says_how_much_we_take_and_without_a_layer_nothing() -> None:
    """RFC 4752 section 3.1: the size MUST be 0 then."""
    assert chosen(Layers.CONFIDENTIALITY, 0xFFFFFF) == b"\x04\xff\xff\xff"
    assert chosen(Layers.NONE) == b"\x01\x00\x00\x00"


@given(st.lists(st.binary(min_size=1, max_size=300)), st.data())
def test_frames_come_out_as_they_went_in_however_they_were_cut(
    contents: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(framed, contents))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    parts = [stream[start:stop] for start, stop in pairwise([0, *cuts, len(stream)])]

    assert taken(Frames(300), *parts) == contents


@pytest.mark.parametrize("size", [0, 301, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_frame_that_will_be_too_long_is_refused_by_its_length_alone(size: int) -> None:
    """Nothing is waited for, and nothing is held for it."""
    with pytest.raises(NotLdap, match=f"a frame of {size} bytes, where 1 to 300 are agreed on"):
        taken(Frames(300), framed(b"good") + size.to_bytes(4, "big"))


def test_what_came_before_a_bad_frame_is_read() -> None:
    frames = Frames(300)
    received = frames.receive(framed(b"good") + bytes(4))

    assert next(received) == b"good"
    with pytest.raises(NotLdap):
        next(received)
