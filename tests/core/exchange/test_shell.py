"""Commands that are pasted: whatever a stranger calls a server, it stays one argument, and nothing is run."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.core.exchange.shell import Expression, cmdlet, dn, host, literal, quoted
from tests.powershell import arguments, commands, faults, meaning

HOSTILE = st.text(
    st.one_of(st.sampled_from("'\u2018\u2019\u201a\u201b\"`$(){};|&\n\r\t\0,@#-"), st.characters())
)


@settings(deadline=None)
@given(HOSTILE)
def test_any_text_is_one_argument_that_means_itself(name: str) -> None:
    written = quoted(name)

    assert meaning(written) == name
    assert written.isprintable()


@settings(deadline=None)
@given(HOSTILE)
def test_no_text_becomes_a_command_of_its_own(name: str) -> None:
    """By a grammar that is not ours."""
    line = cmdlet("Get-ExchangeCertificate", Server=name, Services="SMTP")

    assert faults(line) == []
    assert commands(line) == ["Get-ExchangeCertificate"]
    assert [one for one in arguments(line) if one.startswith("-") and one[1:2].isalpha()] == [
        "-Server",
        "-Services",
    ]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("MBX1", "MBX1"),
        ("mbx1.corp.example", "mbx1.corp.example"),
        ("MBX1\\Default Frontend MBX1", "'MBX1\\Default Frontend MBX1'"),
        ("O'Hara", "'O''Hara'"),
        ("it\u2019s", "'it\u2019\u2019s'"),
        ("$(Stop-Computer)", "'$(Stop-Computer)'"),
        ("-Force", "'-Force'"),
        ("1E10", "'1E10'"),
        ("", "''"),
        ("MBX1\nCNF:5f", "('MBX1'+[char]10+'CNF:5f')"),
        ("\u202egpj", "(''+[char]8238+'gpj')"),
        ("\U000e0041x", "(''+[char]::ConvertFromUtf32(917569)+'x')"),
    ],
)
def test_a_name_is_written_as_plainly_as_it_can_be(name: str, written: str) -> None:
    assert quoted(name) == written


def test_a_thumbprint_is_quoted_whatever_it_looks_like() -> None:
    assert literal("ABC") == "'ABC'"


def test_a_cmdlet_has_its_parameters_in_order_and_none_that_is_not_given() -> None:
    line = cmdlet(
        "New-ExchangeCertificate", "a b", DomainName=("MBX1", "mbx1.corp.example"), DomainController=None,
        Thumbprint=Expression("$_.Thumbprint"),
    )  # fmt: skip

    assert (
        line == "New-ExchangeCertificate 'a b' -DomainName MBX1,mbx1.corp.example -Thumbprint $_.Thumbprint"
    )


@pytest.mark.parametrize("name", ["dc1", "dc1.corp.example", "DC_1"])
def test_a_host_is_typed_as_it_is(name: str) -> None:
    assert host(name) == name


@pytest.mark.parametrize("name", ["", "-dc1", "dc1 /delete", "dc1\n", "dc1;x", "d\u04411", "a" * 300])
def test_what_is_no_host_is_not_typed(name: str) -> None:
    assert host(name) is None


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("CN=MBX1,DC=corp,DC=example", '"CN=MBX1,DC=corp,DC=example"'),
        ("CN=FYDIBOHF23SPDLT (x)", '"CN=FYDIBOHF23SPDLT (x)"'),
        (r"CN=a\,b", r'"CN=a\2Cb"'),
        (r"CN=a\0aCNF:x", r'"CN=a\0ACNF\3Ax"'),
        ('CN=a"b', r'"CN=a\22b"'),
        ("CN=%PATH%", r'"CN=\25PATH\25"'),
        ("CN=ö", r'"CN=\C3\B6"'),
        ("CN=a\\", r'"CN=a\5C"'),
    ],
)
def test_a_distinguished_name_has_nothing_that_a_shell_could_take(name: str, written: str) -> None:
    assert dn(name) == written


@settings(deadline=None)
@given(st.text())
def test_any_distinguished_name_is_one_word_to_any_shell(name: str) -> None:
    written = dn(name)

    assert written.isascii()
    assert written.isprintable()
    assert set(written) & set("%$`'!&|<>^;") == set()
    assert len(shlex.split(written.replace("\\", "/"))) == 1
