"""
TLS to a directory server, in memory: bytes in, bytes out, and a sentence when the server is not believed.

The server's certificate must come from a certificate authority that we were told of, be valid today, and be
for the name in the URL (RFC 6125: a subject's common name does not count).  There is no switch for less.

The socket is not ours, so that a server that falls silent in the middle of a handshake costs no more than
the caller's patience, on any event loop.
"""

from __future__ import annotations

import hashlib
import ssl
import sys
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto

from mailtrust.core.model.server import is_address
from mailtrust.errors import BadInput
from mailtrust.ldap.responses import printable

_READ_BYTES = 1 << 16
# More than one certificate authority's file of the whole web; a pipe or a disk's image is none.
_LARGEST_FILE = 1 << 24

# OpenSSL's numbers, which are also those of Python's ssl (x509_vfy.h); they have not changed in 20 years.
_WORDS = {
    9: "is not valid yet; look at both clocks",
    10: "has expired",
    18: "signed itself, and is not among the certificate authorities that we were given",
    19: "comes from a certificate authority that we were not given",
    20: "comes from a certificate authority that we were not given",
    21: "comes from a certificate authority that we were not given",
    24: "was signed by something that is no certificate authority",
    26: "is not for servers",
    66: "has a key that is too short",
    67: "comes from a certificate authority whose key is too short",
    68: "has a signature that is too weak",
    79: "was signed by something that is no certificate authority",
}
_NOT_TLS = frozenset({"wrong version number", "packet length too long", "http request"})
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)


class TlsFailed(Exception):
    """The server is not believed, or speaks no TLS; the text stands behind the server's name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, with which a client proves who it is; read from one file at one moment."""

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: Any = field(repr=False)


def identity(file: Path, password: bytes | None = None) -> Identity:
    """The certificate, its chain and its key in a PEM file, which is opened once.  Raises BadInput."""
    pem = read_once(file)
    try:
        leaf, *chain = x509.load_pem_x509_certificates(pem)
        key = serialization.load_pem_private_key(pem, password)
    except _UNREADABLE as error:
        raise BadInput(
            f"{file} holds no certificate with its key", hint="both belong into it, as PEM"
        ) from error
    spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if leaf.public_key().public_bytes(*spki) != key.public_key().public_bytes(*spki):
        raise BadInput(f"the key in {file} belongs to another certificate")
    return Identity(leaf, tuple(chain), key)


def read_once(file: Path) -> bytes:
    """The file's bytes, from one opening.  Raises BadInput."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_FILE)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from error


def client_context(ca_file: Path | None, shows: Identity | None = None) -> SSL.Context:
    """
    The settings of a client that believes the authorities in *ca_file* (PEM or DER), or else the system's.

    Reads files: call it in a thread.  Raises BadInput.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    store = context.get_cert_store()
    if store is None:
        raise BadInput("this OpenSSL has no room for certificate authorities")
    # The authority that issued the server's certificate may be all that one was given, without its root.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    if ca_file is not None:
        for one in _authorities(ca_file):
            store.add_cert(crypto.X509.from_cryptography(one))
    elif sys.platform == "win32":
        for der in ssl.create_default_context().get_ca_certs(binary_form=True):
            store.add_cert(crypto.X509.from_cryptography(x509.load_der_x509_certificate(der)))
    else:
        context.set_default_verify_paths()
    if shows is not None:
        context.use_certificate(shows.leaf)
        context.use_privatekey(shows.key)
        for one in shows.chain:
            context.add_extra_chain_cert(one)
    return context


class Session:
    """One TLS connection to the server that *name* means; nothing is believed before `receive` said so."""

    def __init__(self, context: SSL.Context, name: str) -> None:
        self._name = name
        self._doubt = ""
        self._connection = SSL.Connection(context, None)
        self._connection.set_verify(SSL.VERIFY_PEER, self._judge)
        self._connection.set_connect_state()
        if not is_address(name):
            self._connection.set_tlsext_host_name(name.rstrip(".").encode("idna"))
        self.stands = False
        """True once the handshake is over and the server is believed."""

    def start(self) -> None:
        """Begin the handshake; take the output."""
        self._shake_hands()

    def receive(self, data: bytes) -> tuple[bytes, bool]:
        """
        What the server said, and True if it said goodbye.  There may be output in every case.

        Raises: TlsFailed.
        """
        if data:
            self._connection.bio_write(data)
        if not self.stands:
            self._shake_hands()
        return self._plain() if self.stands else (b"", False)

    def send(self, data: bytes) -> None:
        """Encrypt this; take the output.  Raises: TlsFailed."""
        try:
            # OpenSSL takes it all, for nothing is in the way of a memory's end; 2 GB is its limit.
            self._connection.sendall(data)
        except SSL.Error as error:
            raise TlsFailed(_why(error)) from error

    def goodbye(self) -> None:
        """Say that nothing more will come; take the output."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = []
        while True:
            try:
                output.append(self._connection.bio_read(_READ_BYTES))
            except SSL.WantReadError:
                return b"".join(output)

    def channel_binding(self) -> bytes:
        """``tls-server-end-point`` (RFC 5929): ties signing in to this very TLS connection."""
        leaf = self._connection.get_peer_certificate(as_cryptography=True)
        if leaf is None:
            return b""
        algorithm = leaf.signature_hash_algorithm
        # MD5 and SHA-1 count as SHA-256, and so does a signature without a hash of its own.
        strong = algorithm is not None and algorithm.name not in ("md5", "sha1")
        name = algorithm.name if algorithm is not None and strong else "sha256"
        der = leaf.public_bytes(serialization.Encoding.DER)
        return b"tls-server-end-point:" + hashlib.new(name, der).digest()

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise TlsFailed(self._doubt or _why(error)) from error
        self.stands = True

    def _plain(self) -> tuple[bytes, bool]:
        found: list[bytes] = []
        try:
            while True:
                found.append(self._connection.recv(_READ_BYTES))
        except SSL.WantReadError:
            return b"".join(found), False
        except SSL.ZeroReturnError:
            return b"".join(found), True
        except SSL.Error as error:
            raise TlsFailed(_why(error)) from error

    def _judge(self, _: SSL.Connection, shown: crypto.X509, number: int, depth: int, good: int) -> bool:
        # OpenSSL calls this for each certificate, from the authority down to the server's own.
        if self._doubt:
            return False
        try:
            held = shown.to_cryptography()
            if not good:
                words = _WORDS.get(number, f"is not believed (OpenSSL's number {number})")
                self._doubt = f"shows a certificate that {words} ({_described(held, depth)})"
            elif depth == 0 and not is_for(held, self._name):
                has = printable(", ".join([*_dns_names(held), *map(str, _addresses(held))])) or "no name"
                self._doubt = f"shows a certificate for {has}, not for {self._name} ({_described(held, 0)})"
        except _UNREADABLE:
            self._doubt = "shows a certificate that cannot be read"
        return not self._doubt


def is_for(held: x509.Certificate, name: str) -> bool:
    """True if an alternative name is *name*; a wildcard is one whole label, and never of a top level."""
    if is_address(name):
        return ip_address(name) in _addresses(held)
    wanted = name.rstrip(".").encode("idna").decode().lower()
    parent = wanted.partition(".")[2]
    return any(
        one == wanted or ("." in parent and one == f"*.{parent}")
        for one in (one.rstrip(".").lower() for one in _dns_names(held))
    )


def _dns_names(held: x509.Certificate) -> list[str]:
    names = _alternatives(held)
    return names.get_values_for_type(x509.DNSName) if names else []


def _addresses(held: x509.Certificate) -> list[Any]:
    names = _alternatives(held)
    return names.get_values_for_type(x509.IPAddress) if names else []


def _alternatives(held: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _described(held: x509.Certificate, depth: int) -> str:
    above = "" if depth == 0 else f"{depth} above the server's: "
    return printable(f"{above}{held.subject.rfc4514_string()}, issued by {held.issuer.rfc4514_string()}")


def _authorities(ca_file: Path) -> list[x509.Certificate]:
    held = read_once(ca_file)
    try:
        if b"-----BEGIN" in held:
            return x509.load_pem_x509_certificates(held)
        return [x509.load_der_x509_certificate(held)]
    except _UNREADABLE as error:
        raise BadInput(f"{ca_file} holds no certificate of an authority", hint="PEM or DER") from error


def _why(error: SSL.Error) -> str:
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = list(dict.fromkeys(one[2] for one in queue if one[2]))
    if _NOT_TLS.intersection(reasons):
        return "answered with something that is not TLS"
    if not reasons:
        return "ended the TLS connection without a word"
    return f"broke off TLS: {', '.join(reasons)}"
