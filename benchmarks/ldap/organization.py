"""
An organization of any size in a real OpenLDAP server: each mail server with a certificate of its own.

The certificates are of mailtrust's own kind (RSA-2048, 1 KB).  They are one that was really made, with
another name, serial number and modulus written into it: making a hundred thousand keys would take hours.
Nobody here checks a signature, and so nobody could tell the difference.
"""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust.certificates.create import new_key, self_signed
from mailtrust.clock import now
from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.ldap import names
from tests import slapd

READER = slapd.MX1
"""The account that reads: a mail server's own, with no other right but to read everything."""
_UNLIMITED = "limits users size=unlimited"


def name(number: int) -> ServerName:
    return ServerName(f"hub{number:06}.example.test")


def certificates(count: int) -> Iterator[bytes]:
    """DER, one for each name, each with a key of its own that nobody has."""
    key = new_key("rsa2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    made = self_signed(key, name(0), days=1825, now=now())
    while made.serial_number.bit_length() <= 120:
        # Its first byte, which is kept, says how long it is and that it is positive.
        made = self_signed(key, name(0), days=1825, now=now())
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
    serial = made.serial_number.to_bytes(16, "big")
    template = made.public_bytes(Encoding.DER)
    for number in range(count):
        der = template.replace(b"hub000000", f"hub{number:06}".encode())
        another = bytes([0x80 | secrets.randbelow(128)]) + secrets.token_bytes(254)
        der = der.replace(modulus, another + bytes([secrets.randbelow(256) | 1]))
        yield der.replace(serial[1:], secrets.token_bytes(15))


@contextmanager
def organization(folder: Path, count: int, replicas: int = 1) -> Iterator[tuple[slapd.Server, ...]]:
    """Servers that hold *count* entries, each with one certificate."""
    folder.mkdir()
    ldif = folder / "entries.ldif"
    with ldif.open("w") as file:
        for number, der in enumerate(certificates(count)):
            file.write(_entry(number, der))
    with slapd.started(folder, replicas, extra=_UNLIMITED, entries=ldif) as servers:
        ldif.unlink()
        yield servers


def settings(server: slapd.Server, account: str = READER) -> LdapSettings:
    """How mailtrust signs in there."""
    password = slapd.password_file(server.folder)
    return LdapSettings(names.parse(slapd.SERVERS), Password(account, password), server.ca_file)


def ours(work: str, server: slapd.Server, file: Path) -> list[str | Path]:
    """The command line of `benchmarks/ldap/ours.py` at that server; *file* is for its trust snapshot."""
    password = slapd.password_file(server.folder)
    words = [sys.executable, "-m", "benchmarks.ldap.ours", work, server.ldaps]
    return [*words, slapd.SERVERS, READER, server.ca_file, password, file]


def searching(folder: Path, server: slapd.Server) -> list[str | Path]:
    """The command line of `ldapsearch` for all entries; where, and which of them, may follow."""
    # It takes the whole file for the password, and we its first line.
    bare = folder / "password"
    bare.touch(0o600)
    bare.write_text(slapd.PASSWORD)
    return [
        "env", f"LDAPTLS_CACERT={server.ca_file}", "ldapsearch", "-x", "-o", "ldif-wrap=no",
        "-D", READER, "-y", bare, "-b", slapd.SERVERS, "-s", "one",
    ]  # fmt: skip


def _entry(number: int, der: bytes) -> str:
    server = name(number)
    return (
        f"dn: cn={server},{slapd.SERVERS}\n"
        "objectClass: device\nobjectClass: pkiUser\nobjectClass: labeledURIObject\n"
        f"cn: {server}\nlabeledURI: smtp://{server}:25\n"
        f"userCertificate;binary:: {base64.b64encode(der).decode()}\n\n"
    )
