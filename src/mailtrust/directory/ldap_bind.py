"""
How one signs in to a directory: as nobody, by a password, by a certificate, or by the account one runs as.

A password stands on the first line of a file, which is read anew at each signing in, so that a changed one
is used at once; it is never an argument, and no `repr` and no error holds it.

Each kind of credentials drives the steps by itself, step by step: whatever takes several (Kerberos), or
encrypts what follows by itself, fits the same protocol.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from mailtrust.directory.ldap_tls import Identity, identity, read_once
from mailtrust.errors import BadInput
from mailtrust.ldap.requests import Bind, SaslBind, SimpleBind
from mailtrust.ldap.responses import Result


class Server(Protocol):
    """The server to sign in to, as credentials see it."""

    url: str
    host: str
    """The name in the URL; empty on a socket of this machine."""
    channel_binding: bytes
    """What ties signing in to this TLS connection; empty where there is none."""
    stage: str
    """What is being waited for, to be told if it takes too long; credentials may say it more exactly."""

    @property
    def is_confidential(self) -> bool:
        """True if nobody else can read what is said: TLS stands, or nothing leaves this machine."""

    async def bind(self, request: Bind) -> Result:
        """Send one step, and bring the answer whatever it is.  Raises: DirectoryUnavailable."""


class Layer(Protocol):
    """What encrypts all that follows, once signing in has agreed on it."""

    def wrap(self, data: bytes) -> bytes:
        """Encrypt what is to be sent.  Raises: DirectoryUnavailable, to stand behind the server's name."""

    def unwrap(self, data: bytes) -> bytes:
        """Decrypt what is complete of what arrived; the rest waits.  Raises: NotLdap, likewise."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """How signing in ended."""

    result: Result
    layer: Layer | None = None


class Credentials(Protocol):
    """One account, and the way in which it proves itself."""

    @property
    def brings_encryption(self) -> bool:
        """True: on ``ldap://`` signing in brings the encryption, and TLS is not wanted (Kerberos)."""

    async def shown(self) -> Identity | None:
        """The certificate to show in the TLS handshake, if any.  Raises: BadInput."""

    async def sign_in(self, server: Server) -> SignedIn:
        """Sign in.  Raises: BadInput, DirectoryUnavailable."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody: what everybody may read."""

    brings_encryption: ClassVar[bool] = False

    async def shown(self) -> Identity | None:
        """Nothing."""
        return None

    async def sign_in(self, server: Server) -> SignedIn:
        """One step, which tells at once whether the directory wants nobody."""
        return SignedIn(await server.bind(SimpleBind()))


@dataclass(frozen=True, slots=True)
class Password:
    """The account *name* (``cn=mx1,ou=servers,dc=example``) and the password in a file."""

    name: str
    file: Path
    brings_encryption: ClassVar[bool] = False

    async def shown(self) -> Identity | None:
        """Nothing."""
        return None

    async def sign_in(self, server: Server) -> SignedIn:
        """One step.  Raises: BadInput."""
        password = await asyncio.to_thread(first_line, self.file)
        # RFC 4513 section 5.1.2: a name without a password is taken for nobody, and looks like success.
        if not self.name or not password:
            raise BadInput(
                f"{self.file} holds no password" if self.name else "the account has no name",
                hint="without both a directory lets one in as nobody",
            )
        return SignedIn(await server.bind(SimpleBind(self.name, password)))


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The account that a certificate is mapped to (SASL EXTERNAL); the PEM file holds its key as well."""

    file: Path
    brings_encryption: ClassVar[bool] = False

    async def shown(self) -> Identity | None:
        """The certificate.  Raises: BadInput."""
        return await asyncio.to_thread(identity, self.file)

    async def sign_in(self, server: Server) -> SignedIn:
        """One step: TLS has proved the key."""
        return SignedIn(await server.bind(SaslBind("EXTERNAL", b"")))


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The account of this process, which a socket on the same machine tells by itself (SASL EXTERNAL)."""

    brings_encryption: ClassVar[bool] = False

    async def shown(self) -> Identity | None:
        """Nothing."""
        return None

    async def sign_in(self, server: Server) -> SignedIn:
        """One step: the kernel has told who we are."""
        return SignedIn(await server.bind(SaslBind("EXTERNAL", b"")))


def first_line(file: Path) -> bytes:
    """The first line of a password file, without its end.  Raises BadInput."""
    return read_once(file).split(b"\n", 1)[0].rstrip(b"\r")
