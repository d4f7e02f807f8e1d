"""
Signing in by Kerberos (SASL GSSAPI, RFC 4752): no password is told, and both ends prove who they are.

On ``ldap://`` the two agree to encrypt everything that follows; a server that does not offer it, or has not
proved that it is the one we mean, is told nothing.  Behind TLS nothing is encrypted twice, which Active
Directory forbids; there signing in is tied to this very connection (`channel binding`), so that nobody in
between can pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

from mailtrust.directory.aside import aside
from mailtrust.directory.kerberos import Account, KerberosFailed, SecurityContext, Target, Trouble, begin
from mailtrust.directory.ldap_bind import Server, SignedIn
from mailtrust.directory.ldap_tls import Identity
from mailtrust.errors import BadInput, DirectoryUnavailable, NotLdap
from mailtrust.ldap import sasl
from mailtrust.ldap.requests import SaslBind
from mailtrust.ldap.responses import Result
from mailtrust.ldap.results import Code
from mailtrust.ldap.sasl import Layers

_MOST_STEPS = 10
_LEAST_ROOM_BYTES = 256
"""A server that takes less at once would have a search cut into crumbs."""

_WORDS: dict[Trouble, tuple[str, str]] = {
    Trouble.NO_TICKET: (
        "there is no Kerberos ticket here",
        "run kinit as the account that runs mailtrust, or set directory.keytab",
    ),
    Trouble.EXPIRED: (
        "the Kerberos ticket has expired",
        "run kinit again, or set directory.keytab, which renews it by itself",
    ),
    Trouble.CLOCKS: ("the clocks here and in the Kerberos realm differ too much", "set both by NTP"),
    Trouble.UNKNOWN_SERVICE: (
        "Kerberos knows no service {service}",
        "name the server as the realm knows it, or have its principal added there",
    ),
    Trouble.UNKNOWN_ACCOUNT: (
        "Kerberos knows no such account, or no longer", "look at directory.principal and at the account"
    ),
    Trouble.WRONG_KEY: (
        "the key is not, or no longer, that of the account or the service",
        "write the keytab anew: changing a password changes the key",
    ),
    Trouble.NO_KEYTAB: (
        "the keytab {keytab} is of no use", "it has to be readable, and hold a key of directory.principal"
    ),
    Trouble.NO_KDC: ("no Kerberos server (KDC) answers", "is it running, and does krb5.conf or DNS name it?"),
    Trouble.NO_REALM: ("this machine belongs to no Kerberos realm", "set default_realm in krb5.conf"),
    Trouble.NO_LIBRARY: (
        "the Kerberos library is missing",
        "on Debian: apt install libgssapi-krb5-2; on Windows: pip install 'mailtrust[kerberos]'",
    ),
    Trouble.OTHER: ("Kerberos does not go on", "on Linux KRB5_TRACE=/dev/stderr shows each of its steps"),
}  # fmt: skip
_HINTS: dict[int, str] = {
    Code.INVALID_CREDENTIALS: "look at both clocks, at the server's keytab, and at what is between us: "
    "signing in is tied to the TLS connection",
    Code.AUTH_METHOD_NOT_SUPPORTED: "the server needs a keytab and the SASL mechanism GSSAPI",
    # Samba 4.17 says the first to Kerberos inside TLS.
    Code.STRONGER_AUTH_REQUIRED: "a server that takes no Kerberos inside TLS is asked by ldap://",
    Code.UNWILLING_TO_PERFORM: "a server that takes no Kerberos inside TLS is asked by ldap://",
}


@dataclass(frozen=True, slots=True)
class Kerberos:
    """The account of a ticket in this process's cache, or of a key in a keytab."""

    principal: str = ""
    keytab: Path | None = None
    brings_encryption: ClassVar[bool] = True

    async def shown(self) -> Identity | None:
        """Nothing."""
        return None

    async def sign_in(self, server: Server) -> SignedIn:
        """Several steps, and perhaps a question to the KDC.  Raises: BadInput, DirectoryUnavailable."""
        target = Target(_host(server), server.channel_binding, seal=not server.is_confidential)
        server.stage = "asking Kerberos for a ticket to it"
        try:
            context = await aside(partial(begin, target, Account(self.principal, self.keytab)))
            token = await aside(partial(context.step, b""))
            server.stage = "signing in"
            return await _converse(server, context, token, seal=target.seal)
        except KerberosFailed as failed:
            # The sentence has the library's words; as a cause they would be said twice.
            raise self._sentence(server, target, failed) from None

    def _sentence(self, server: Server, target: Target, failed: KerberosFailed) -> DirectoryUnavailable:
        trouble = failed.trouble
        if trouble is Trouble.NO_TICKET and self.keytab is not None:
            trouble = Trouble.NO_KEYTAB
        words, hint = _WORDS[trouble]
        said = words.format(service=target.service, keytab=self.keytab)
        why = f" ({failed.words})" if failed.words else ""
        return DirectoryUnavailable(f"{server.url} was not signed in to: {said}{why}", hint=hint)


class Sealed:
    """A `Layer`: everything that is said is encrypted by Kerberos, in frames that the server takes."""

    def __init__(self, context: SecurityContext, frame_bytes: int) -> None:
        self._context = context
        self._room = context.room(frame_bytes)
        self._frames = sasl.Frames(sasl.GREATEST_FRAME_BYTES)

    def wrap(self, data: bytes) -> bytes:
        """See `Layer.wrap`."""
        try:
            return b"".join(
                sasl.framed(self._context.wrap(part, encrypt=True)) for part in _parts(data, self._room)
            )
        except KerberosFailed as failed:
            raise DirectoryUnavailable(f"can be told nothing more, as Kerberos ended: {failed}") from failed

    def unwrap(self, data: bytes) -> bytes:
        """See `Layer.unwrap`."""
        try:
            return b"".join(map(self._plain, self._frames.receive(data)))
        except KerberosFailed as failed:
            raise NotLdap(f"sent what cannot be decrypted: {failed}") from failed
        except NotLdap as error:
            raise NotLdap(f"sent {error.message}") from error

    def _plain(self, frame: bytes) -> bytes:
        plain, encrypted = self._context.unwrap(frame)
        if not encrypted:
            raise NotLdap("what is signed and not encrypted")
        return plain


async def _converse(server: Server, context: SecurityContext, token: bytes, *, seal: bool) -> SignedIn:
    for _ in range(_MOST_STEPS):
        done = context.complete
        result = await server.bind(SaslBind(sasl.MECHANISM, token))
        _refuse_unless_it_goes_on(server, result)
        answer = result.credentials or b""
        if done:
            return await _agree(server, context, answer, seal=seal)
        token = await aside(partial(context.step, answer))
    raise DirectoryUnavailable(
        f"{server.url} comes to no end in signing in", hint="is it a directory that knows Kerberos?"
    )


async def _agree(server: Server, context: SecurityContext, answer: bytes, *, seal: bool) -> SignedIn:
    try:
        offer = sasl.offered(context.unwrap(answer)[0])
    except NotLdap as error:
        raise DirectoryUnavailable(
            f"{server.url} sent {error.message}, in signing in", hint="is it a directory that knows Kerberos?"
        ) from None
    layer = _sealed(server, context, offer) if seal else None
    if layer is None and Layers.NONE not in offer.layers:
        raise DirectoryUnavailable(
            f"{server.url} wants Kerberos to encrypt what TLS encrypts already", hint="use ldap://"
        )
    wanted = Layers.CONFIDENTIALITY if layer else Layers.NONE
    choice = sasl.chosen(wanted, sasl.GREATEST_FRAME_BYTES if layer else 0)
    result = await server.bind(SaslBind(sasl.MECHANISM, context.wrap(choice, encrypt=False)))
    if not result.done:
        raise _refused(server, result)
    return SignedIn(result, layer)


def _sealed(server: Server, context: SecurityContext, offer: sasl.Offer) -> Sealed:
    if Layers.CONFIDENTIALITY not in offer.layers or not context.seals:
        raise DirectoryUnavailable(
            f"{server.url} does not offer to encrypt by Kerberos, so it was told and asked nothing",
            hint="use ldaps://, or let the server encrypt by SASL",
        )
    if context.room(offer.frame_bytes) < _LEAST_ROOM_BYTES:
        raise DirectoryUnavailable(
            f"{server.url} takes no more than {offer.frame_bytes} bytes at once, which is too little",
            hint="raise what it takes (OpenLDAP: sasl-secprops maxbufsize), or use ldaps://",
        )
    return Sealed(context, offer.frame_bytes)


def _refuse_unless_it_goes_on(server: Server, result: Result) -> None:
    if result.done:
        # Whoever can write to the connection can say so; only the steps that are missing prove the server.
        raise DirectoryUnavailable(
            f"{server.url} let us in before it had proved who it is",
            hint="something between us may answer in its place",
        )
    if result.code != Code.SASL_BIND_IN_PROGRESS:
        raise _refused(server, result)


def _refused(server: Server, result: Result) -> DirectoryUnavailable:
    # What a wrong password is called elsewhere is a ticket here.
    why = result.diagnostic or "49" if result.code == Code.INVALID_CREDENTIALS else str(result)
    return DirectoryUnavailable(
        f"{server.url} did not take our Kerberos ticket: {why}",
        hint=_HINTS.get(result.code, "its own log says more"),
    )


def _host(server: Server) -> str:
    if not server.host:
        raise BadInput(
            "Kerberos signs in to a server by its name, and a socket on this machine has none",
            hint='use bind = "external" there, or ldap:// with the server\'s name',
        )
    try:
        ip_address(server.host)
    except ValueError:
        return server.host.rstrip(".").encode("idna").decode().lower()
    raise BadInput(
        f"Kerberos signs in to a server by its name, and {server.host} is an address",
        hint=f"write the name by which the realm knows it, such as ldap://dc1.example.org, for {server.url}",
    )


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))
