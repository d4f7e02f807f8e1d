"""TlsCertificateName: as Windows writes it, and as people do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.core.exchange.tls_name import TlsName, tls_name, write_tls_name
from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.core.model.event import Said
from tests.forest import public
from tests.make import NOON, a_key

OID = x509.NameOID
CORP = (
    (OID.COUNTRY_NAME, "DE"),
    (OID.STATE_OR_PROVINCE_NAME, "Bayern"),
    (OID.ORGANIZATION_NAME, 'Corp, "Inc"'),
)
MAIL = (*CORP, (OID.COMMON_NAME, "mail.corp.example"))
CA = (*CORP, (OID.COMMON_NAME, "Corp CA"))


def issued(subject: tuple[tuple[x509.ObjectIdentifier, str], ...], issuer: object = CA) -> Certificate:
    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer if isinstance(issuer, x509.Name) else name(CA))
        .public_key(a_key().public_key())
        .serial_number(7)
        .not_valid_before(NOON)
        .not_valid_after(NOON + timedelta(days=1))
        .sign(a_key(), hashes.SHA256())
    )
    return certificate(made.public_bytes(serialization.Encoding.DER))


def name(attributes: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> x509.Name:
    return x509.Name([x509.NameAttribute(*one, _validate=False) for one in attributes])


def the(text: str) -> TlsName:
    found = tls_name(text)
    assert isinstance(found, TlsName)
    return found


def test_it_is_written_as_windows_does() -> None:
    """The nearest part first, S for the state, quotes around a comma, quotes in quotes doubled."""
    written = write_tls_name(issued(MAIL))

    corp = 'O="Corp, ""Inc""", S=Bayern, C=DE'
    assert written == f"<I>CN=Corp CA, {corp}<S>CN=mail.corp.example, {corp}"


@pytest.mark.parametrize(
    "subject",
    [
        'CN=mail.corp.example, O="Corp, ""Inc""", S=Bayern, C=DE',
        'cn=MAIL.corp.example,o="Corp, ""Inc""",s=bayern,c=de',
        r"CN=mail.corp.example,O=Corp\, \"Inc\",ST=Bayern,C=DE",
        r"CN=mail.corp.example;O=Corp\2C \22Inc\22;ST=Bayern;C=DE",
        r'C=DE, ST=Bayern, O="Corp, \"Inc\"", CN=mail.corp.example',
        'OID.2.5.4.3=mail.corp.example, 2.5.4.10="Corp,  ""Inc""" , S=Bayern, C=DE',
    ],
    ids=["windows", "in lower case", "rfc 4514", "in octets", "the other way round", "by numbers"],
)
def test_it_is_recognized_however_it_was_typed(subject: str) -> None:
    issuer = write_tls_name(issued(MAIL)).partition("<S>")[0]

    assert the(f"{issuer}<S>{subject}").names(issued(MAIL))


@pytest.mark.parametrize(
    "subject",
    [
        "CN=mail.corp.example",
        'CN=mail.other.example, O="Corp, ""Inc""", S=Bayern, C=DE',
        "CN=mail.corp.example, O=Corp",
    ],
)
def test_another_subject_is_another_certificate(subject: str) -> None:
    issuer = write_tls_name(issued(MAIL)).partition("<S>")[0]

    assert not the(f"{issuer}<S>{subject}").names(issued(MAIL))


def test_another_issuer_is_another_certificate_of_that_subject() -> None:
    wanted = the("<I>CN=Old CA<S>CN=mail.corp.example")

    assert not wanted.names(public())
    assert wanted.names_subject_of(public())


def test_a_backslash_may_be_a_letter() -> None:
    r"""Windows does not escape: ``CORP\Admin`` stands as it is, and ``\Ad`` is no octet."""
    leaf = issued(((OID.COMMON_NAME, r"CORP\Admin"),))

    assert the(rf"{write_tls_name(leaf)}").names(leaf)


def test_a_part_may_have_two_attributes() -> None:
    both = x509.RelativeDistinguishedName(
        [x509.NameAttribute(OID.COMMON_NAME, "mail"), x509.NameAttribute(OID.EMAIL_ADDRESS, "a@b.example")]
    )
    leaf = issued(MAIL, x509.Name([both]))

    written = write_tls_name(leaf)

    assert written.startswith(("<I>CN=mail + E=a@b.example<S>", "<I>E=a@b.example + CN=mail<S>"))
    assert the(written).names(leaf)
    assert the(written.replace("CN=mail + E=a@b.example", "E=a@b.example+CN=mail")).names(leaf)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("CN=mail.corp.example", "tls-name.form"),
        ("<S>CN=a<I>CN=b", "tls-name.form"),
        ("<I><S>CN=a", "tls-name.issuer"),
        ("<I>Corp CA<S>CN=a", "tls-name.issuer"),
        ("<I>CN=a<S>", "tls-name.subject"),
        ("<I>CN=a<S>mail", "tls-name.subject"),
        ("<I>CN=a<S>XX=mail", "tls-name.subject"),
        ("<I>CN=a<S>CN=mail+", "tls-name.subject"),
    ],
)
def test_what_is_no_name_says_what_is_wrong(text: str, phrase: str) -> None:
    found = tls_name(text)

    assert isinstance(found, Said)
    assert found.phrase == phrase


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=16))
def test_what_is_written_names_what_it_was_written_for(common_name: str) -> None:
    leaf = issued(((OID.COMMON_NAME, common_name),))

    found = tls_name(write_tls_name(leaf))

    # A name with the mark in it that parts the two cannot be written in this form at all.
    if "<s>" not in common_name.lower():
        assert isinstance(found, TlsName)
        assert found.names(leaf)


@settings(deadline=None)
@given(st.text())
def test_no_text_is_a_fault_of_ours(text: str) -> None:
    tls_name(text)
    tls_name(f"<I>{text}<S>{text}")
