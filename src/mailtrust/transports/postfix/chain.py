"""
The chain file, from which Postfix presents: a key, then its certificate, then what goes with it.

Postfix does not look when it starts.  With the certificate first, or with another certificate's key, it
offers STARTTLS and then has no TLS, and every peer defers.  So nothing is put there that was not looked at.
"""

from __future__ import annotations

import re
from pathlib import Path

from mailtrust import durable
from mailtrust.certificates.formats import pin_of, read_certificates, read_key, write_pem
from mailtrust.certificates.store import Credential
from mailtrust.core.model.certificate import Certificate
from mailtrust.errors import BadInput, KeyMismatch, TransportUnavailable

CHAIN_FILE = "chain.pem"
LARGEST_BYTES = 64 << 10
_KEY = rb"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END (?:RSA |EC )?PRIVATE KEY-----\n"
_LEAF = rb"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n"
_CHAIN = re.compile(rb"%b(?:%b){1,20}" % (_KEY, _LEAF))


def chain_pem(credential: Credential) -> bytes:
    """The file's bytes."""
    return write_pem((credential.certificate, *credential.chain), credential.key)


def presented(pem: bytes) -> Certificate:
    """
    What Postfix would present from such a file.

    Raises: BadInput for anything but one key, in the clear, and after it certificates; NotACertificate;
    KeyMismatch where the key is not the first one's.
    """
    if len(pem) > LARGEST_BYTES or not _CHAIN.fullmatch(pem):
        raise BadInput("this is no chain file: it has one key, then its certificate, and nothing else")
    leaf = read_certificates(pem)[0]
    if pin_of(read_key(pem)) != leaf.pin:
        raise KeyMismatch("the key of this chain file is not that of its first certificate")
    return leaf


def install(folder: Path, pem: bytes) -> Certificate:
    """
    Put the chain file into *folder*, whole or not at all; what is presented from it after a reload.

    Raises: BadInput, as `presented`, and TransportUnavailable; both with the file as it was.
    """
    leaf = presented(pem)
    try:
        durable.write(folder / CHAIN_FILE, pem, durable.SECRET)
    except OSError as error:
        hint = "check that the disk has room, and that this account may write to the folder"
        raise TransportUnavailable(f"{folder / CHAIN_FILE} cannot be written", hint=hint) from error
    return leaf
