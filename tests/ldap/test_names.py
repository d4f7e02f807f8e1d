"""The names of entries: whatever a value holds, it stays one value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import BadInput
from mailtrust.ldap.names import Name, escape, parse

KINDS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}|[0-9](\.[0-9]{1,3}){1,4}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
STEPS = st.lists(st.tuples(KINDS, VALUES), min_size=1, max_size=2).map(tuple)
NAMES = st.lists(STEPS, max_size=4).map(lambda steps: Name(tuple(steps)))


@given(NAMES)
def test_names_come_back(name: Name) -> None:
    assert parse(str(name)) == name


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_plainly_none(text: str) -> None:
    try:
        name = parse(text)
    except BadInput:
        return

    assert parse(str(name)) == name


@given(VALUES, NAMES)
def test_no_value_leads_out_of_its_place(value: str, above: Name) -> None:
    """A server's name goes into a name; one with a comma in it must not become two steps."""
    read = parse(str(above.child("cn", value)))

    assert (read.leaf, read.parent) == (value, above)
    assert read.is_under(above)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("UID=jsmith,DC=example,DC=net", ((("UID", "jsmith"),), (("DC", "example"),), (("DC", "net"),))),
        ("OU=Sales+CN=J.  Smith,DC=net", ((("OU", "Sales"), ("CN", "J.  Smith")), (("DC", "net"),))),
        (r"CN=James \"Jim\" Smith\, III,DC=net", ((("CN", 'James "Jim" Smith, III'),), (("DC", "net"),))),
        (r"CN=Before\0dAfter,DC=net", ((("CN", "Before\rAfter"),), (("DC", "net"),))),
        (r"CN=Lu\C4\8Di\C4\87", ((("CN", "Lučić"),),)),
    ],
)
def test_the_examples_of_the_standard_are_read(
    text: str, steps: tuple[tuple[tuple[str, str], ...], ...]
) -> None:
    """RFC 4514 section 4."""
    assert parse(text) == Name(steps)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", r"\ a\ "),
        ("#1", r"\#1"),
        ("a#=b", "a#=b"),
        ('a"+,;<>\\', r"a\"\+\,\;\<\>\\"),
        ("a\0b\nc", r"a\00b\0Ac"),
        ("", ""),
        (" ", r"\ "),
    ],
)
def test_what_means_something_is_escaped(value: str, text: str) -> None:
    """RFC 4514 section 2.4, and whatever would move a terminal's cursor."""
    assert escape(value) == text


def test_blanks_around_the_parts_do_not_count() -> None:
    assert parse(r" cn = a b , dc = x\  ") == Name(((("cn", "a b"),), (("dc", "x "),)))


def test_the_name_of_the_root_is_empty() -> None:
    assert parse("") == Name()
    assert Name().parent == Name()
    assert str(Name()) == Name().leaf == ""


@pytest.mark.parametrize(
    "text", ["cn", "cn=a,", ",cn=a", "=a", "1a=b", "cn=a\\", "cn=a\\x", "cn=a<b", r"cn=\ff"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no name of an entry"):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Hub1,DC=Example,DC=Org", "cn=hub1, dc=example, dc=org"),
        ("cn=a+ou=b", "OU=B+CN=A"),
        ("cn=a  b", "cn=a b"),
        (r"cn=\41", "cn=a"),
    ],
)
def test_one_entry_may_be_written_in_several_ways(one: str, other: str) -> None:
    assert parse(one).is_same(parse(other))


@pytest.mark.parametrize("other", ["dc=xexample,dc=org", "dc=org,dc=example", "cn=hub1,dc=example,dc=org"])
def test_neighbours_are_not_below(other: str) -> None:
    """A comparison of texts would take the first for the base."""
    assert not parse("dc=example,dc=org").is_under(parse(other))


def test_everything_is_below_the_root_and_itself() -> None:
    name = parse("cn=hub1,dc=org")

    assert name.is_under(Name())
    assert name.is_under(name)
    assert name.is_under(parse("DC=ORG"))
