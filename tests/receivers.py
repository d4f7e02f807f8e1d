"""Who takes notices: a web server and a mail server on loopback, each with TLS where it is asked for."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mailtrust import clock
from tests.loopback import LOOPBACK

USER, PASSWORD = "alerts", "correct horse"


@dataclass
class Received:
    """What a receiver got, in its order; and how it is to answer."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    """What it says next instead of taking it; as usual when there is nothing left."""
    posts: list[Post] = field(default_factory=list)
    mails: list[Mailed] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def next_answer(self, usual: str) -> str:
        return self.answers.pop(0) if self.answers else usual


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Mailed:
    to: tuple[str, ...]
    message: EmailMessage
    signed_in: bool
    over_tls: bool


@dataclass(frozen=True)
class Certificates:
    """A server's certificate for localhost, and the authority that vouches for it."""

    authority: Path
    chain: Path

    @property
    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.chain)
        return made


def certificates(folder: Path) -> Certificates:
    """Newly made ones, as strict readers want them (RFC 5280, 4.2.1)."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _signed("Root", root_key.public_key(), root_key, is_root=True)
    leaf = _signed("localhost", key.public_key(), root_key, is_root=False)
    authority, chain = folder / "authority.pem", folder / "chain.pem"
    authority.write_bytes(root.public_bytes(Encoding.PEM))
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.public_bytes(Encoding.PEM)
    )
    return Certificates(authority, chain)


def _signed(
    name: str, key: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey, *, is_root: bool
) -> x509.Certificate:
    now, day = clock.now(), timedelta(days=1)
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Root"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(_usage(is_root=is_root), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(signed_by, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=is_root, crl_sign=is_root,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


class _WebServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Who did not believe us is gone."""


@contextmanager
def a_web_server(context: ssl.SSLContext | None = None) -> Iterator[Received]:
    """It answers 204, or with the statuses that it is told to."""
    received = Received()

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.posts.append(Post(self.path, dict(self.headers.items()), body))
            self.send_response(int(received.next_answer("204")))
            self.send_header("Location", "http://localhost/elsewhere")
            self.end_headers()
            received.came.release()

        def log_message(self, *args: object) -> None:
            return

    server = _WebServer((LOOPBACK, 0), Answering)
    with _serving(server, context, received):
        yield received


@contextmanager
def a_mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Received]:
    """It takes a mail, or says to it what it is told to; signing in works over TLS."""
    received = Received()

    class Talking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            talk = _Talk(self, received, starttls, is_secure=tls is not None)
            with closing(talk), suppress(OSError):
                talk.run()

    server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Talking)
    server.daemon_threads = True
    with _serving(server, tls, received):
        yield received


@contextmanager
def _serving(
    server: socketserver.TCPServer, context: ssl.SSLContext | None, received: Received
) -> Iterator[None]:
    received.port = server.server_address[1]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def a_silent_server() -> Iterator[int]:
    """It takes a connection and says nothing; its port."""
    with socket.create_server((LOOPBACK, 0)) as plug:
        yield plug.getsockname()[1]


class _Talk:
    """One session of the mail server."""

    def __init__(
        self,
        handler: socketserver.StreamRequestHandler,
        received: Received,
        starttls: ssl.SSLContext | None,
        *,
        is_secure: bool,
    ) -> None:
        self._plug = handler.request
        self._file = self._plug.makefile("rwb")
        self._received, self._starttls = received, starttls
        self._is_secure, self._signed_in = is_secure, False
        self._to: list[str] = []

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self._file.close()
        self._plug.close()

    def run(self) -> None:
        self._say("220 mail.example.test ESMTP")
        while line := self._file.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say(*self._offer())
                case "STARTTLS" if self._starttls is not None:
                    self._say("220 go ahead")
                    self._file.close()
                    self._plug = self._starttls.wrap_socket(self._plug, server_side=True)
                    self._file, self._is_secure = self._plug.makefile("rwb"), True
                case "AUTH":
                    given = base64.b64decode(rest.partition(" ")[2])
                    self._signed_in = given == f"\0{USER}\0{PASSWORD}".encode()
                    self._say("235 welcome" if self._signed_in else "535 no")
                case "MAIL":
                    self._to = []
                    self._say("250 ok")
                case "RCPT":
                    self._to.append(rest.partition("<")[2].partition(">")[0])
                    self._say("550 nobody here" if "nobody" in rest else "250 ok")
                case "DATA":
                    self._data()
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _offer(self) -> tuple[str, ...]:
        more = ("STARTTLS",) if self._starttls is not None and not self._is_secure else ()
        return ("250-mail.example.test", *(f"250-{one}" for one in more), "250 AUTH PLAIN")

    def _data(self) -> None:
        self._say("354 go on")
        lines = list(iter(self._file.readline, b".\r\n"))
        answer = self._received.next_answer("250 taken")
        if answer.startswith("250"):
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(message, EmailMessage)
            self._received.mails.append(Mailed(tuple(self._to), message, self._signed_in, self._is_secure))
        self._say(answer)
        self._received.came.release()

    def _say(self, *lines: str) -> None:
        self._file.write("".join(f"{line}\r\n" for line in lines).encode())
        self._file.flush()
