"""
What people bring, and what they take away: PEM, DER, PKCS#12 and PKCS#7, told apart by their bytes.

Windows writes .pfx and .p7b, openssl writes PEM, a CA answers with any of them, and the file's name says
little.  Old PKCS#12 files with RC2 or triple DES are read too; ours are written with AES unless asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from mailtrust.certificates.create import PrivateKey
from mailtrust.core.model.certificate import Certificate, Pin, certificate, fingerprint_of
from mailtrust.errors import BadInput, KeyMismatch, NotACertificate, WrongPassword

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_CANNOT_BE_READ = (ValueError, TypeError, UnsupportedAlgorithm)
_A_KEY = "a key"
_KINDS_HINT = "PEM, DER, PKCS#12 (.pfx, .p12) and PKCS#7 (.p7b) are read"
# PFX ::= SEQUENCE { version INTEGER {v3(3)}, … } (RFC 7292 section 4)
_PKCS12_VERSION = b"\x02\x01\x03"
# ContentInfo begins with the OID of signedData (RFC 2315 section 14)
_PKCS7_SIGNED = bytes.fromhex("06092a864886f70d010702")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file held."""

    certificates: tuple[Certificate, ...] = ()
    """Each once, in the file's order."""
    key: PrivateKey | None = None

    def leaf(self) -> Certificate | None:
        """The certificate that the key belongs to; None without a key.  Raises: KeyMismatch."""
        if self.key is None:
            return None
        pin = pin_of(self.key)
        for one in self.certificates:
            if one.pin == pin:
                return one
        raise KeyMismatch(
            "the key does not belong to the certificate",
            hint="compare `openssl pkey -pubout` and `openssl x509 -pubkey`; they must be equal",
        )

    def chain(self, leaf: Certificate) -> tuple[Certificate, ...]:
        """What vouches for *leaf*, nearest first, as far as it is here; never a self-signed root."""
        found: list[Certificate] = []
        current = leaf
        while not current.self_signed:
            issuer = next(
                (
                    one
                    for one in self.certificates
                    if one.subject == current.issuer and one not in (leaf, *found)
                ),
                None,
            )
            if issuer is None or issuer.self_signed:
                break
            found.append(issuer)
            current = issuer
        return tuple(found)


def read(data: bytes, password: bytes | None = None) -> Contents:
    """
    What is in *data*.  Without a password, none and then an empty one are tried.

    Raises: NotACertificate, WrongPassword (also where one is needed and none was given), KeyMismatch.
    """
    text = _as_bytes(data)
    found = _read_pem(text, password) if b"-----BEGIN " in text else _read_der(_unwrapped(data), password)
    if not found.certificates:
        raise NotACertificate(
            "the file holds a key and no certificate", hint="put the certificate into the same file"
        )
    return found


def holds_key(data: bytes) -> bool:
    """True where a private key is in *data*, alone or beside a certificate, open or behind a password."""
    if b"PRIVATE KEY-----" in _as_bytes(data):
        return True
    try:
        return read(data).key is not None
    except WrongPassword:
        return True
    except NotACertificate:
        return _other_kind(data) == _A_KEY


def read_key(pem: bytes) -> PrivateKey:
    """
    A key that we wrote ourselves, from the front of its file.

    Its primes are not tested again, which takes 35 ms at 2048 bits; compare the public keys instead.
    Raises: NotACertificate.
    """
    try:
        key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except _CANNOT_BE_READ as error:
        raise NotACertificate("the key cannot be read") from error
    return _usable(key)


def read_certificates(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, leaf first; keys are passed over.  Raises: NotACertificate."""
    return tuple(
        one for label, block in _blocks(pem) if label == "CERTIFICATE" for one in [_certificate(block)]
    )


def write_pem(certificates: Iterable[Certificate], key: PrivateKey | None = None) -> bytes:
    """PEM, the key first: Postfix disables TLS where it comes after the certificate."""
    blocks = [_armoured(one.der) for one in certificates]
    return b"".join([key_pem(key), *blocks] if key is not None else blocks)


def write_pkcs12(
    key: PrivateKey, leaf: Certificate, chain: Iterable[Certificate], password: bytes, *, legacy: bool = False
) -> bytes:
    """PKCS#12; *legacy*: triple DES and SHA-1, which Windows Server 2016 and older need."""
    algorithm: serialization.KeySerializationEncryption = serialization.BestAvailableEncryption(password)
    if legacy:
        algorithm = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(2000)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())  # noqa: S303
            .build(password)
        )
    parsed = [x509.load_der_x509_certificate(one.der) for one in (leaf, *chain)]
    name = (leaf.names[0] if leaf.names else "mailtrust").encode()
    return pkcs12.serialize_key_and_certificates(name, key, parsed[0], parsed[1:] or None, algorithm)


def key_pem(key: PrivateKey) -> bytes:
    """PKCS#8, not encrypted: for files that only their owner reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pin_of(key: PrivateKey) -> Pin:
    """The pin of the certificates that carry this key."""
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pin(fingerprint_of(spki))


def _armoured(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def _as_bytes(data: bytes) -> bytes:
    """Notepad saves text as UTF-16, or puts a mark in front."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode("ascii", "replace")
    return data


def _unwrapped(data: bytes) -> bytes:
    """Base64 without its armour, as some dialogs copy it."""
    bare = b"".join(_as_bytes(data).split())
    if re.fullmatch(rb"MI[A-Za-z0-9+/]{40,}={0,2}", bare):
        try:
            return base64.b64decode(bare, validate=True)
        except binascii.Error:
            return data
    return data


def _read_pem(text: bytes, password: bytes | None) -> Contents:
    certificates: dict[Certificate, None] = {}
    keys: list[PrivateKey] = []
    labels: list[str] = []
    for label, block in _blocks(text):
        labels.append(label)
        if label.endswith("PRIVATE KEY"):
            keys.append(_pem_key(block, password))
        elif label in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
            certificates[_certificate(block)] = None
        elif label in ("PKCS7", "CMS"):
            certificates |= dict.fromkeys(_pkcs7(_body(block)))
    if not certificates and not keys:
        raise _nothing_in(labels)
    if len(keys) > 1:
        raise KeyMismatch(f"the file holds {len(keys)} keys", hint="give one key with its certificate")
    return Contents(tuple(certificates), keys[0] if keys else None)


def _nothing_in(labels: list[str]) -> NotACertificate:
    if any(label.endswith("CERTIFICATE REQUEST") for label in labels):
        return NotACertificate(
            "the file holds a request, which is not a certificate yet",
            hint="import the answer of the CA instead",
        )
    if not labels:
        return NotACertificate("the file is cut off or damaged: a PEM block has no end", hint="copy it again")
    return NotACertificate(f"the file holds no certificate, only {', '.join(labels)}", hint=_KINDS_HINT)


def _read_der(data: bytes, password: bytes | None) -> Contents:
    header = _sequence_header(data)
    if header is None:
        raise NotACertificate("the file holds no certificate that we can read", hint=_KINDS_HINT)
    start, length = header
    if len(data) < start + length:
        raise NotACertificate(
            "the file is cut off: it says that it is longer than it is", hint="copy it again"
        )
    if data[start:].startswith(_PKCS12_VERSION):
        return _pkcs12(data, password)
    if data[start:].startswith(_PKCS7_SIGNED):
        return Contents(_pkcs7(data))
    try:
        return Contents((certificate(data),))
    except NotACertificate as error:
        kind = _other_kind(data)
        said = (
            f"the file holds {kind} and no certificate"
            if kind
            else "the file holds no certificate that we can read"
        )
        raise NotACertificate(said, hint=_KINDS_HINT) from (None if kind else error)


def _sequence_header(data: bytes) -> tuple[int, int] | None:
    """Where the contents of the outer SEQUENCE begin, and their length (X.690 8.1.3)."""
    if len(data) < 2 or data[0] != 0x30:
        return None
    if data[1] < 0x80:
        return 2, data[1]
    count = data[1] & 0x7F
    if not 0 < count <= 4 or len(data) < 2 + count:
        # An indefinite length (BER) has no end that could be compared.
        return (2, 0) if count == 0 else None
    return 2 + count, int.from_bytes(data[2 : 2 + count])


def _other_kind(data: bytes) -> str:
    attempts: tuple[tuple[str, Callable[[bytes], object]], ...] = (
        ("a request", x509.load_der_x509_csr),
        ("a revocation list", x509.load_der_x509_crl),
        (_A_KEY, lambda one: serialization.load_der_private_key(one, None)),
        ("a public key", serialization.load_der_public_key),
    )
    for kind, attempt in attempts:
        try:
            attempt(data)
        except _CANNOT_BE_READ:
            continue
        return kind
    return ""


def _pkcs12(data: bytes, password: bytes | None) -> Contents:
    attempts = (None, b"") if password is None else (password,)
    for attempt in attempts:
        try:
            loaded = pkcs12.load_pkcs12(data, attempt)
        except _CANNOT_BE_READ as error:
            failed = error
            continue
        held = [*([loaded.cert] if loaded.cert else []), *loaded.additional_certs]
        found = dict.fromkeys(_parsed(one.certificate) for one in held)
        return Contents(tuple(found), None if loaded.key is None else _usable(loaded.key))
    if password is None:
        raise WrongPassword(
            "the PKCS#12 file is protected by a password",
            hint="write the password into a file and add --password-file FILE",
        ) from failed
    raise WrongPassword(
        "the password does not open the PKCS#12 file, or the file is damaged",
        hint="the password is the first line of the file, without blanks at its end",
    ) from failed


def _pkcs7(data: bytes) -> tuple[Certificate, ...]:
    try:
        found = pkcs7.load_der_pkcs7_certificates(data)
    except _CANNOT_BE_READ as error:
        raise NotACertificate("the PKCS#7 file holds no certificate that we can read") from error
    return tuple(dict.fromkeys(map(_parsed, found)))


def _parsed(found: x509.Certificate) -> Certificate:
    return certificate(found.public_bytes(serialization.Encoding.DER))


def _blocks(text: bytes) -> Iterator[tuple[str, bytes]]:
    return ((found[1].decode(), found[0]) for found in _BLOCK.finditer(text))


def _body(block: bytes) -> bytes:
    lines = block.splitlines()[1:-1]
    try:
        return base64.b64decode(b"".join(line.strip() for line in lines), validate=True)
    except binascii.Error as error:
        raise NotACertificate(
            "a PEM block is damaged: its base64 does not decode", hint="copy it again"
        ) from error


def _certificate(block: bytes) -> Certificate:
    der = _body(block)
    header = _sequence_header(der)
    # openssl's TRUSTED CERTIFICATE has settings of its own behind the certificate.
    return certificate(der[: sum(header)] if header and sum(header) <= len(der) else der)


def _pem_key(block: bytes, password: bytes | None) -> PrivateKey:
    is_encrypted = block.startswith(b"-----BEGIN ENCRYPTED") or b"ENCRYPTED" in block.splitlines()[1]
    if is_encrypted and password is None:
        raise WrongPassword(
            "the key is protected by a password",
            hint="write the password into a file and add --password-file FILE",
        )
    try:
        return _usable(serialization.load_pem_private_key(block, password if is_encrypted else None))
    except _CANNOT_BE_READ as error:
        if is_encrypted:
            raise WrongPassword(
                "the password does not open the key, or the key is damaged",
                hint="the password is the first line of the file, without blanks at its end",
            ) from error
        raise NotACertificate(
            "the key cannot be read", hint="RSA and EC keys (PKCS#8, PKCS#1, SEC 1) are read"
        ) from error


def _usable(key: object) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    raise BadInput(
        f"a key of the kind {type(key).__name__.lstrip('_').removesuffix('PrivateKey')} cannot be used here",
        hint="peers drop such a certificate without a word; use RSA or P-256",
    )
