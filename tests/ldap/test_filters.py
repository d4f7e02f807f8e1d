"""Filters: the same as a value, as text and on the wire, and no value changes the question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.errors import BadInput
from mailtrust.ldap.ber import Reader
from mailtrust.ldap.filters import (
    And,
    Approximately,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    Not,
    Or,
    Present,
    Substrings,
    encode,
    parse,
)
from tests.ldap import filter_bytes

ATTRIBUTES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,6}(;binary)?|[0-9](\.[0-9]{1,3}){1,3}", fullmatch=True)
RULES = st.from_regex(r"[0-9](\.[0-9]{1,3}){1,3}", fullmatch=True)
VALUES = st.binary(max_size=10)
PIECES = st.binary(min_size=1, max_size=5)
ITEMS: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Present, ATTRIBUTES),
    *(st.builds(kind, ATTRIBUTES, VALUES) for kind in (Equal, AtLeast, AtMost, Approximately)),
    st.builds(Substrings, ATTRIBUTES, PIECES, st.lists(PIECES, max_size=3).map(tuple), VALUES),
    st.builds(Substrings, ATTRIBUTES, VALUES, st.lists(PIECES, max_size=3).map(tuple), PIECES),
    st.builds(Matches, VALUES, ATTRIBUTES, RULES | st.just(""), st.booleans()),
    st.builds(Matches, VALUES, st.just(""), RULES, st.booleans()),
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    ITEMS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(FILTERS)
def test_filters_come_back_from_their_text(wanted: Filter) -> None:
    assert parse(str(wanted)) == wanted


@given(FILTERS)
def test_filters_come_back_from_the_wire(wanted: Filter) -> None:
    assert filter_bytes.read(Reader(encode(wanted))) == wanted


@given(st.text(st.sampled_from("()&|!=*\\:<>~ab0;. dn-\n\0é"), max_size=30) | st.text(max_size=30))
def test_any_text_is_a_filter_or_plainly_none(text: str) -> None:
    try:
        wanted = parse(text)
    except BadInput:
        return

    assert parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(cn=Babs Jensen)", Equal("cn", b"Babs Jensen")),
        ("(!(cn=Tim Howes))", Not(Equal("cn", b"Tim Howes"))),
        (
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
            And((Equal("objectClass", b"Person"), Or((Equal("sn", b"Jensen"), Substrings("cn", b"Babs J"))))),
        ),
        ("(o=univ*of*mich*)", Substrings("o", b"univ", (b"of", b"mich"))),
        ("(seeAlso=)", Equal("seeAlso", b"")),
        ("(cn:caseExactMatch:=Fred Flintstone)", Matches(b"Fred Flintstone", "cn", "caseExactMatch")),
        ("(cn:=Betty Rubble)", Matches(b"Betty Rubble", "cn")),
        ("(sn:dn:2.4.6.8.10:=Barney Rubble)", Matches(b"Barney Rubble", "sn", "2.4.6.8.10", names_too=True)),
        ("(o:dn:=Ace Industry)", Matches(b"Ace Industry", "o", names_too=True)),
        ("(:1.2.3:=Wilma Flintstone)", Matches(b"Wilma Flintstone", rule="1.2.3")),
        ("(:DN:2.4.6.8.10:=Dino)", Matches(b"Dino", rule="2.4.6.8.10", names_too=True)),
        (
            r"(o=Parens R Us \28for all your parenthetical needs\29)",
            Equal("o", b"Parens R Us (for all your parenthetical needs)"),
        ),
        (r"(cn=*\2A*)", Substrings("cn", middle=(b"*",))),
        (r"(filename=C:\5cMyFile)", Equal("filename", b"C:\\MyFile")),
        (r"(bin=\00\00\00\04)", Equal("bin", b"\0\0\0\4")),
        (r"(sn=Lu\c4\8di\c4\87)", Equal("sn", "Lučić".encode())),
        ("(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)", Equal("1.3.6.1.4.1.1466.0", b"\4\2Hi")),
        ("(objectClass=*)", Present("objectClass")),
        ("(userCertificate;binary=*)", Present("userCertificate;binary")),
        (" ( &\n (cn=a b )\n (cn>=1) ) ", And((Equal("cn", b"a b "), AtLeast("cn", b"1")))),
    ],
)
def test_the_examples_of_the_standard_are_read(text: str, wanted: Filter) -> None:
    """RFC 4515 section 4; the last ones are ours."""
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", "cn=a", "(cn=a", "(cn=a))", "()", "(=a)", "(:=a)", "(:dn:=a)", "(cn=a**b)", "(cn>=*)", "(cn:=*)",
        "(cn)", r"(cn=\4)", r"(cn=\zz)", "(!(cn=a)(cn=b))", "(&cn=a)", "(cn=a(b)", "(!)", "(" * 60,
        "(!" * 60 + "(a=b)" + ")" * 60,
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="cannot be read: at character"):
        parse(text)


def test_a_value_cannot_change_the_question() -> None:
    """The classic injection, and the answer to it."""
    wanted = Equal("cn", b"*)(objectClass=*")

    assert str(wanted) == r"(cn=\2a\29\28objectClass=\2a)"
    assert parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("(objectClass=*)", "870b6f626a656374436c617373"),
        ("(cn=a*b*c)", "a40f0402636e30098001618101628201 63"),
        ("(&(cn=a)(!(cn=b)))", "a014a3070402636e040161a209a3070402636e040162"),
        ("(cn:dn:1.2:=x)", "a90f8103312e328202636e8301788401ff"),
    ],
)
def test_the_wire_is_what_the_standard_wants(text: str, wire: str) -> None:
    """Put together by hand from the module in RFC 4511 appendix B."""
    assert encode(parse(text)) == bytes.fromhex(wire)


def test_a_search_for_no_part_of_a_value_cannot_be_made() -> None:
    with pytest.raises(BadInput):
        Substrings("cn")
    with pytest.raises(BadInput):
        Substrings("cn", b"a", (b"",))
    with pytest.raises(BadInput):
        Matches(b"x")
