"""Whose certificate is believed, judged by two ends in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust.directory.ldap_tls import client_context, identity, is_for
from mailtrust.errors import BadInput
from tests import slapd
from tests.make import an_x509, der


@pytest.mark.parametrize(
    ("held", "asked", "good"),
    [
        ("dc1.example.org", "dc1.example.org", True),
        ("DC1.example.org", "dc1.Example.org.", True),
        ("*.example.org", "dc1.example.org", True),
        ("*.example.org", "a.dc1.example.org", False),
        ("*.example.org", "example.org", False),
        ("*.org", "example.org", False),
        ("d*.example.org", "dc1.example.org", False),
        ("*", "localhost", False),
        ("dc1.example.org", "dc2.example.org", False),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_a_name_matches_whole_or_by_one_wildcard_label(held: str, asked: str, good: bool) -> None:
    """An address counts only as an address, not as a name that looks like one (RFC 6125)."""
    assert is_for(an_x509("x", names=[held]), asked) is good


def test_a_common_name_does_not_count() -> None:
    assert not is_for(an_x509("dc1.example.org", names=()), "dc1.example.org")


def test_an_authority_may_come_as_pem_or_der(tmp_path: Path) -> None:
    made = an_x509("Authority")
    for content in (der(made), made.public_bytes(Encoding.PEM) * 2):
        (tmp_path / "ca").write_bytes(content)
        assert client_context(tmp_path / "ca")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_an_authority_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca").write_bytes(content)
    with pytest.raises(BadInput, match="ca holds no certificate"):
        client_context(tmp_path / "ca")
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        client_context(tmp_path / "missing")


def test_an_identity_is_a_certificate_with_its_own_key(tmp_path: Path) -> None:
    slapd.authority(tmp_path)
    good = slapd.client_pem(tmp_path, "mx1")
    other = slapd.client_pem(tmp_path, "mx2")
    assert identity(good).leaf.subject == x509.Name.from_rfc4514_string("CN=mx1")
    assert "PRIVATE" not in repr(identity(good))

    key = good.read_bytes().partition(b"-----BEGIN PRIVATE")[2]
    certificate = other.read_bytes().partition(b"-----BEGIN PRIVATE")[0]
    good.write_bytes(certificate + b"-----BEGIN PRIVATE" + key)
    with pytest.raises(BadInput, match="belongs to another certificate"):
        identity(good)
    good.write_bytes(certificate)
    with pytest.raises(BadInput, match="no certificate with its key"):
        identity(good)


def test_nothing_on_the_audits_path_is_for_unix_only() -> None:
    """`mailtrust audit` runs on Windows: importing the client must need none of these."""
    code = """
import sys
for one in ("fcntl", "pwd", "grp", "resource", "termios", "uvloop"):
    sys.modules[one] = None
import mailtrust.directory.ldap, mailtrust.directory.ldap_kerberos, mailtrust.directory.kerberos_mit
"""
    subprocess.run([sys.executable, "-c", code], check=True)
