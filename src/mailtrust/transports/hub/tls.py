"""
TLS as bytes in and bytes out: pyOpenSSL on memory BIOs.

OpenSSL asks every peer for its certificate and verifies none: the key decides, and the directory
knows it.  So a peer that nobody vouches for, an expired certificate or one that is meant for servers
only still completes the handshake, and can be named in an event instead of vanishing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL, crypto

from mailtrust.core.model.certificate import Certificate
from mailtrust.errors import TransportUnavailable

# X25519 first: the post-quantum hybrid that new OpenSSL prefers costs 150 to 250 us a handshake, and
# some old middleboxes stumble over its size.  P-256 must stay: in TLS 1.2 the list also restricts the
# curves of certificates.
_GROUPS = b"X25519:P-256:P-384:P-521"
# Small and SHA-1 certificates still complete the handshake; 12113 says what we think of them.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:RSA+AESGCM:RSA+AES:!aNULL:!eNULL:@SECLEVEL=0"
_READ_BYTES = 1 << 16
# What one record holds (RFC 8446 section 5.1); a piece of that size is taken whole.
_RECORD_BYTES = 1 << 14


class Credential(Protocol):
    """A certificate with its key, as the store hands it out."""

    @property
    def key(self) -> object:
        """A private key of `cryptography`."""

    @property
    def certificate(self) -> Certificate:
        """The leaf."""

    @property
    def chain(self) -> Sequence[Certificate]:
        """What goes with it, leaf not included."""


class TlsFailed(Exception):
    """The handshake or the stream broke; the output may hold an alert for the peer."""


class TlsClosed(Exception):
    """The peer said goodbye."""


def server_context(credential: Credential) -> SSL.Context:
    """
    A context that presents *credential* and asks every client for its own.

    Raises: TransportUnavailable when key and certificate do not go together.
    """
    context = _context(SSL.TLS_SERVER_METHOD, credential)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _believe)
    return context


def client_context(credential: Credential | None) -> SSL.Context:
    """A context that presents *credential* when asked, and takes any server; the pin decides later."""
    context = _context(SSL.TLS_CLIENT_METHOD, credential)
    context.set_verify(SSL.VERIFY_NONE, None)
    return context


class Tls:
    """One TLS stream.  Feed what arrived, send what `take_output` gives."""

    def __init__(self, context: SSL.Context, *, server_name: str | None = None, client: bool = False) -> None:
        self._connection = SSL.Connection(context, None)
        self.established = False
        if client:
            self._connection.set_connect_state()
            if server_name:
                self._connection.set_tlsext_host_name(server_name.encode("idna"))
        else:
            self._connection.set_accept_state()

    def receive(self, data: bytes) -> bytes:
        """
        What *data* says, decrypted; empty while the handshake goes on.

        Raises: TlsClosed, TlsFailed.
        """
        connection = self._connection
        try:
            written = connection.bio_write(data)
            while written < len(data):
                written += connection.bio_write(data[written:])
            if not self.established:
                connection.do_handshake()
                self.established = True
            return self._read()
        except SSL.WantReadError:
            return b""
        except SSL.ZeroReturnError as error:
            raise TlsClosed from error
        except SSL.Error as error:
            raise TlsFailed(_words(error)) from error

    def start(self) -> None:
        """The client's first word."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            raise TlsFailed(_words(error)) from error

    def send(self, data: bytes) -> None:
        """Encrypt *data* into the output.  Raises: TlsFailed."""
        try:
            for start in range(0, len(data), _RECORD_BYTES):
                self._connection.send(data[start : start + _RECORD_BYTES])
        except SSL.Error as error:
            raise TlsFailed(_words(error)) from error

    def say_goodbye(self) -> None:
        """Put close_notify into the output; repeating it, or a broken stream, does no harm."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            return

    def take_output(self) -> bytes:
        """What is to be sent, each byte once."""
        pieces = []
        try:
            while True:
                piece = self._connection.bio_read(_READ_BYTES)
                pieces.append(piece)
                if len(piece) < _READ_BYTES:
                    break
        except SSL.WantReadError:
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def protocol(self) -> str:
        """``TLSv1.3`` and so on."""
        return self._connection.get_protocol_version_name()

    @property
    def peer_certificate(self) -> bytes | None:
        """The leaf that the peer presented and proved, in DER; None: it presented none."""
        presented = self._connection.get_peer_certificate()
        return None if presented is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, presented)

    def _read(self) -> bytes:
        pieces = []
        try:
            while True:
                pieces.append(self._connection.recv(_RECORD_BYTES))
        except SSL.WantReadError:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        except SSL.Error:
            # What arrived before the end counts; the next read meets the end again.
            if pieces:
                return b"".join(pieces)
            raise


def _believe(
    _connection: SSL.Connection, _certificate: crypto.X509, _error: int, _depth: int, _verdict: int
) -> bool:
    return True


def _context(method: int, credential: Credential | None) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # No resumption: every session shows its certificate, so a withdrawal holds from the next one on.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(_CIPHERS)
    _prefer_x25519(context)
    if credential is None:
        return context
    leaf = credential.certificate
    try:
        context.use_certificate(x509.load_der_x509_certificate(leaf.der))
        context.use_privatekey(cast("rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", credential.key))
        context.check_privatekey()
        for one in credential.chain:
            context.add_extra_chain_cert(x509.load_der_x509_certificate(one.der))
    except (SSL.Error, crypto.Error, ValueError, TypeError) as error:
        raise TransportUnavailable(
            f"the certificate {leaf.fingerprint[:12]} cannot be presented: OpenSSL refuses it or its key"
        ) from error
    return context


def _prefer_x25519(context: SSL.Context) -> None:
    """Set the groups where pyOpenSSL's binding lets us; its public interface takes one curve only."""
    try:
        from OpenSSL._util import lib

        lib.SSL_CTX_set1_curves_list(context._context, _GROUPS)  # noqa: SLF001
    except (ImportError, AttributeError):
        return


def _words(error: SSL.Error) -> str:
    """OpenSSL's reason, without its addresses."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(reason for *_, reason in reasons) or "the connection was lost"
