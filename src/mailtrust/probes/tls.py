"""
One TLS handshake, in memory, that only looks.

It believes every certificate, because judging is not its work, and takes old protocols, short keys and
weak digests, because a server that still has them is what an administrator must hear about.  But it
always finishes: only the finished handshake proves that the server owns the key.  A certificate is
public, and anybody who once saw it can show it.
"""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL, crypto
from OpenSSL._util import lib

# Everything that OpenSSL still knows.  Level 0 takes 512-bit keys, MD5, and TLS 1.0 with SHA-1.
_CIPHERS = b"ALL:@SECLEVEL=0"
# X25519 alone in the first flight: OpenSSL would send an ML-KEM share too, which takes a third of the
# handshake's CPU and a second segment, at which old middleboxes stumble.  P-256 and the others must stay:
# in TLS 1.2 the list also says which curves a certificate may have.
_GROUPS = (
    b"X25519:P-256:P-384:P-521:?X448:?brainpoolP256r1:?brainpoolP384r1:?brainpoolP512r1",
    b"X25519:P-256:P-384:P-521",
)
_ASKED = b"SSLv3/TLS read server certificate request"
_READ_BYTES = 1 << 14
_NOT_TLS = frozenset({"wrong version number", "packet length too long", "http request"})


class HandshakeFailed(Exception):
    """The handshake will not finish; the text says why.  It becomes a sighting, and never leaves here."""


def looking_context() -> SSL.Context:
    """The settings of a client that looks.  Make one for all servers: it takes longer than a handshake."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_verify(SSL.VERIFY_NONE)
    # Servers older than RFC 5746 (2010) know no secure renegotiation; we never renegotiate.
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_info_callback(_note_request)
    _choose_groups(context)
    return context


class Handshake:
    """Bytes in, bytes out; the server sees a client without a certificate."""

    def __init__(self, context: SSL.Context) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_connect_state()

    def go_on(self, data: bytes = b"") -> bool:
        """
        Take what arrived; True once finished.  There may be output in every case, also in failure.

        Raises: HandshakeFailed.
        """
        if data:
            self._connection.bio_write(data)
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise HandshakeFailed(_words(error)) from error
        return True

    def say(self, data: bytes) -> None:
        """Encrypt something for the server, behind the finished handshake, and end our side."""
        self._connection.send(data)
        self._connection.shutdown()

    def take_output(self) -> bytes:
        """What is to be sent; each byte once."""
        output = b""
        while True:
            try:
                piece = self._connection.bio_read(_READ_BYTES)
            except SSL.WantReadError:
                return output
            output += piece
            if len(piece) < _READ_BYTES:
                return output

    @property
    def shown(self) -> bytes | None:
        """The certificate that the server showed, DER.  It proves something once finished, not before."""
        leaf = self._connection.get_peer_certificate()
        return None if leaf is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, leaf)

    @property
    def protocol(self) -> str:
        """``TLSv1.3`` and so on."""
        return self._connection.get_protocol_version_name()

    @property
    def asked_for_certificate(self) -> bool:
        """Whether the server has asked for a client certificate so far."""
        return self._connection.get_app_data() is True


def tell_when_asked(context: SSL.Context, asked: Callable[[], None]) -> None:
    """Call *asked* when a server of this client's context asks for its certificate."""

    def note(connection: SSL.Connection, where: int, _result: int) -> None:
        if where & SSL.SSL_CB_LOOP and connection.get_state_string() == _ASKED:
            asked()

    context.set_info_callback(note)


def _note_request(connection: SSL.Connection, where: int, _result: int) -> None:
    if where & SSL.SSL_CB_LOOP and connection.get_state_string() == _ASKED:
        connection.set_app_data(True)


def _choose_groups(context: SSL.Context) -> None:
    """Best effort: pyOpenSSL has no public name for this; without it all works, and slower."""
    choose = getattr(lib, "SSL_CTX_set1_curves_list", None)
    if choose is None:
        return
    for groups in _GROUPS:
        if choose(context._context, groups) == 1:  # noqa: SLF001
            return
        lib.ERR_clear_error()


def _words(error: SSL.Error) -> str:
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = list(dict.fromkeys(one[2] for one in queue if one[2]))
    if _NOT_TLS.intersection(reasons):
        return "the server answered with something that is not TLS"
    return ", ".join(reasons) or "for a reason that TLS does not tell"
