"""BER: what we write is what the standards show, and no bytes whatever hurt the reader."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailtrust.errors import NotLdap
from mailtrust.ldap import ber

LIMIT = 1000


def messages(*pieces: bytes, limit: int = LIMIT) -> list[bytes | str]:
    """The messages of a stream that arrives in these pieces; behind a refusal comes its text, and no more."""
    splitter = ber.Splitter(limit)
    found: list[bytes | str] = []
    for piece in pieces:
        splitter.receive(piece)
        try:
            while (message := splitter.next_message()) is not None:
                found.append(message)
        except NotLdap as error:
            return [*found, error.message]
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(edges)]


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (0, "020100"), (127, "02017f"), (128, "02020080"), (256, "02020100"),
        (-1, "0201ff"), (-128, "020180"), (-129, "0202ff7f"),
    ],
)  # fmt: skip
def test_numbers_take_as_few_bytes_as_they_can(value: int, wire: str) -> None:
    """X.690 section 8.3, with its own examples' sizes."""
    assert ber.integer(value).hex() == wire


def test_a_long_element_says_its_length_in_several_bytes() -> None:
    assert ber.octets(b"x" * 127)[:2].hex() == "047f"
    assert ber.octets(b"x" * 128)[:3].hex() == "048180"
    assert ber.octets(b"x" * 70_000)[:5].hex() == "0483011170"


def test_a_length_longer_than_it_need_be_is_read() -> None:
    """Active Directory writes four bytes of length whatever the size."""
    assert messages(bytes.fromhex("308400000003020105")) == [bytes.fromhex("020105")]


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        ("3080", "a length that LDAP does not have, 0x80"),
        ("308500000000ff", "a length that LDAP does not have, 0x85"),
        ("30ff", "a length that LDAP does not have, 0xff"),
        ("16", "begins with 0x16"),
        ("4854", "begins with 0x48"),
        ("308203e9", "a message of 1001 bytes, above the limit of 1000"),
        ("3084ffffffff", "above the limit"),
    ],
)
def test_what_cannot_be_a_message_is_refused_at_its_head(wire: str, why: str) -> None:
    """Waiting for the four gigabytes that a stranger announces would be waiting for ever."""
    (said,) = messages(bytes.fromhex(wire))

    assert isinstance(said, str)
    assert why in said


def test_a_message_of_the_limit_is_taken() -> None:
    assert messages(ber.sequence(b"x" * LIMIT)) == [b"x" * LIMIT]


def test_what_was_refused_stays_refused() -> None:
    splitter = ber.Splitter(LIMIT)
    splitter.receive(b"HTTP/1.1 400")
    with pytest.raises(NotLdap):
        splitter.next_message()
    splitter.receive(ber.sequence(b""))

    with pytest.raises(NotLdap):
        splitter.next_message()


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(min_value=0), max_size=12))
def test_messages_come_out_whole_however_they_were_cut(contents: list[bytes], places: list[int]) -> None:
    stream = b"".join(ber.sequence(content) for content in contents)

    assert messages(*cut(stream, places)) == contents


@given(st.binary(max_size=400), st.lists(st.integers(min_value=0), max_size=12))
@example(b"\x30\x03\x02\x01\x05" * 3 + b"\x16\x03", [1, 2, 3])
def test_arbitrary_bytes_mean_the_same_in_arbitrary_cuts(noise: bytes, places: list[int]) -> None:
    """And raise nothing but the one refusal."""
    assert messages(*cut(noise, places)) == messages(noise)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_numbers_come_back(value: int) -> None:
    assert ber.Reader(ber.integer(value)).integer() == value


@given(st.booleans(), st.text(), st.binary(max_size=300))
def test_values_come_back_in_their_order(yes: bool, text: str, raw: bytes) -> None:
    inside = ber.Reader(ber.sequence(ber.boolean(yes), ber.octets(text), ber.octets(raw, 0x87))).enter()

    assert (inside.boolean(), inside.text(), inside.take(0x87), inside.next_tag) == (yes, text, raw, None)


@pytest.mark.parametrize("wire", ["0200", "0209000000000000000001", "040101", "", "02", "0202ff"])
def test_what_is_no_number_is_refused(wire: str) -> None:
    with pytest.raises(NotLdap):
        ber.Reader(bytes.fromhex(wire)).integer()


@pytest.mark.parametrize("wire", ["0100", "01020000"])
def test_a_yes_or_no_has_one_byte(wire: str) -> None:
    with pytest.raises(NotLdap):
        ber.Reader(bytes.fromhex(wire)).boolean()


def test_any_byte_but_zero_is_a_yes() -> None:
    assert ber.Reader(b"\x01\x01\x01").boolean()


def test_text_must_be_utf_8() -> None:
    with pytest.raises(NotLdap, match="no UTF-8"):
        ber.Reader(b"\x04\x01\xff").text()


def test_an_element_ends_inside_what_holds_it() -> None:
    """Its bytes go on, in the neighbour: a length that is believed would read there."""
    outer = ber.Reader(ber.sequence(b"\x04\x05ab") + b"secret").enter()

    with pytest.raises(NotLdap, match="longer than what holds it"):
        outer.take()


@given(st.binary(max_size=300))
def test_a_reader_of_anything_comes_to_an_end(noise: bytes) -> None:
    """Every step moves on, or is refused."""
    reader, steps = ber.Reader(noise), 0
    try:
        while reader.next_tag is not None:
            reader.enter_any()
            steps += 1
    except NotLdap:
        pass

    assert steps <= len(noise) / 2


def test_an_announced_length_costs_no_memory() -> None:
    splitter = ber.Splitter(2**31)
    tracemalloc.start()
    try:
        splitter.receive(b"\x30\x84\x7f\xff\xff\xff" + b"x" * 1000)
        assert splitter.next_message() is None
        with pytest.raises(NotLdap):
            ber.Reader(b"\x04\x84\x7f\xff\xff\xff" + b"x" * 1000).take()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100_000


@given(
    st.builds(
        bytes.__add__,
        st.sampled_from([b"\x04", b"\x30\x82", b"\x1f\x01", b"\x04\x80", b"\x64\x84\0"]),
        st.binary(max_size=9),
    ),
    st.integers(0, 4),
    st.integers(0, 12),
)
def test_reading_is_measuring_with_the_end_in_mind(data: bytes, at: int, end: int) -> None:
    """It is written twice, because it is hot; whatever is not well formed goes the other way."""
    end = min(end, len(data))
    try:
        expected = ber.measure(data, at, end)
    except NotLdap:
        expected = None
    if expected is None or expected[2] > end:
        with pytest.raises(NotLdap):
            ber.read(data, at, end)
    else:
        assert ber.read(data, at, end) == expected
