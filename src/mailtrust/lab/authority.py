"""
A certificate authority of the lab's own, for the TLS of its directory servers.

Mail servers need none, that is what direct trust is about; whoever reads a directory over LDAP has to know
that it is the directory.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mailtrust.lab.ports import LOOPBACK

_BEFORE, _LIFE = timedelta(days=1), timedelta(days=30)


class Authority:
    """It vouches for whoever it is asked to, at this machine; its key is never written down."""

    def __init__(self, name: str, now: datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._signed(self._name, self._key.public_key(), now, is_ca=True)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str, now: datetime) -> tuple[bytes, bytes]:
        """A certificate for *name*, for localhost and for 127.0.0.1, and its key; both in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_name(name), key.public_key(), now)
        return (
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, *, is_ca: bool = False
    ) -> x509.Certificate:
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEFORE)
            .not_valid_after(now + _LIFE)
            # Whoever may issue others could sign in as anybody.
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
