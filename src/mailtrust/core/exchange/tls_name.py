"""
How a connector names its certificate: ``<I>issuer<S>subject``, ``TlsCertificateName`` to the cmdlets.

Exchange compares both names with those of the certificates in the store.  They are written as Windows
writes names: the nearest part first, ``", "`` between them, quotes around what is special, ``S`` for a state
and ``E`` for an address.  Who types one by hand writes it as RFC 4514 has it, or the other way round; we read
all of that, and write as Windows does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said

Steps = tuple[tuple[tuple[str, str], ...], ...]
"""A name, the nearest part first: of each part its attributes, sorted, in a form that can be compared."""

# CertNameToStr(CERT_X500_NAME_STR) and what RFC 4514, OpenSSL and people write for the same.
_WINDOWS = {
    "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L",
    "2.5.4.8": "S", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.42": "G",
    "2.5.4.43": "I", "1.2.840.113549.1.9.1": "E", "0.9.2342.19200300.100.1.25": "DC",
}  # fmt: skip
_TYPES = {name.lower(): oid for oid, name in _WINDOWS.items()} | {
    "st": "2.5.4.8", "emailaddress": "1.2.840.113549.1.9.1", "email": "1.2.840.113549.1.9.1",
    "title": "2.5.4.12", "givenname": "2.5.4.42", "gn": "2.5.4.42", "surname": "2.5.4.4",
    "initials": "2.5.4.43", "uid": "0.9.2342.19200300.100.1.1",
}  # fmt: skip
_SPECIAL = re.compile(r'[,+="\n<>#;]|^\s|\s$|^$')
_OID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_FORM = re.compile(r"\s*<I>(?P<issuer>.*?)<S>(?P<subject>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class TlsName:
    """The two names, each in every way in which it can be read."""

    issuer: frozenset[Steps]
    subject: frozenset[Steps]

    def names(self, leaf: Certificate) -> bool:
        """True if it means that certificate, and any other of the same issuer and subject."""
        issuer, subject = _names_of(leaf.der)
        return _is_one_of(issuer, self.issuer) and _is_one_of(subject, self.subject)

    def names_subject_of(self, leaf: Certificate) -> bool:
        """True if it has that subject, whoever issued it: perhaps what it means was renewed elsewhere."""
        return _is_one_of(_names_of(leaf.der)[1], self.subject)


def tls_name(text: str) -> TlsName | Said:
    """What a ``TlsCertificateName`` names; where it names nothing, a phrase that says what is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        return Said("tls-name.form")
    issuer, subject = (frozenset(_readings(found[part])) for part in ("issuer", "subject"))
    if not issuer:
        return Said("tls-name.issuer", {"text": found["issuer"]})
    if not subject:
        return Said("tls-name.subject", {"text": found["subject"]})
    return TlsName(issuer, subject)


def write_tls_name(leaf: Certificate) -> str:
    """The ``TlsCertificateName`` of a certificate, as Windows would write it."""
    parsed = x509.load_der_x509_certificate(leaf.der)
    return f"<I>{_written(parsed.issuer)}<S>{_written(parsed.subject)}"


def _written(name: x509.Name) -> str:
    return ", ".join(
        " + ".join(f"{_key(one)}={written_value(str(one.value))}" for one in part)
        for part in reversed(name.rdns)
    )


def _key(attribute: x509.NameAttribute[str | bytes]) -> str:
    oid = attribute.oid.dotted_string
    return _WINDOWS.get(oid, f"OID.{oid}")


def written_value(text: str) -> str:
    """The value of one attribute of a name, in quotes where Windows puts it into quotes."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


@lru_cache(maxsize=4096)
def _names_of(der: bytes) -> tuple[Steps, Steps]:
    parsed = x509.load_der_x509_certificate(der)
    return _steps(parsed.issuer), _steps(parsed.subject)


def _steps(name: x509.Name) -> Steps:
    return tuple(
        tuple(sorted((one.oid.dotted_string, _folded(str(one.value))) for one in part))
        for part in reversed(name.rdns)
    )


def _is_one_of(steps: Steps, readings: frozenset[Steps]) -> bool:
    return steps in readings or steps[::-1] in readings


def _folded(value: str) -> str:
    return " ".join(value.split()).casefold()


def _readings(text: str) -> Iterator[Steps]:
    """
    As Windows reads it, and as RFC 4514 does; nothing where neither can.

    A backslash is a letter to the first, and an escape to the second: ``CN=CORP\\Admin`` is both.
    """
    for escapes in (False, True):
        parts = _parsed(text, escapes=escapes)
        if parts is not None:
            yield parts


def _parsed(text: str, *, escapes: bool) -> Steps | None:
    steps: list[tuple[tuple[str, str], ...]] = []
    part: list[tuple[str, str]] = []
    for attribute, separator in _split(text, escapes=escapes):
        kind, equals, value = attribute.partition("=")
        oid = _oid(kind)
        if not equals or oid is None:
            return None
        part.append((oid, _folded(_plain(value.strip(), escapes=escapes))))
        if separator != "+":
            steps.append(tuple(sorted(part)))
            part = []
    return None if part else tuple(steps)


def _oid(kind: str) -> str | None:
    bare = kind.strip().lower()
    number = bare.removeprefix("oid.")
    return number if _OID.fullmatch(number) else _TYPES.get(bare)


def _split(text: str, *, escapes: bool) -> Iterator[tuple[str, str]]:
    """Each attribute with the separator behind it, quotes and escapes still on."""
    start, at, quoted = 0, 0, False
    while at < len(text):
        if escapes and text[at] == "\\":
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif text[at] in ",;+" and not quoted:
            yield text[start:at], text[at]
            start = at + 1
        at += 1
    yield text[start:], ""


def _plain(value: str, *, escapes: bool) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('""', '"')
    return _unescaped(value) if escapes else value


def _unescaped(value: str) -> str:
    """Escaped octets are UTF-8 (RFC 4514 section 2.4)."""
    octets = bytearray()
    at = 0
    while at < len(value):
        pair = value[at + 1 : at + 3]
        if value[at] != "\\" or at + 1 == len(value):
            octets += value[at].encode("utf-8", "replace")
            at += 1
        elif re.fullmatch(r"[0-9A-Fa-f]{2}", pair):
            octets.append(int(pair, 16))
            at += 3
        else:
            octets += value[at + 1].encode("utf-8", "replace")
            at += 2
    return octets.decode("utf-8", "replace")
