"""
Our end of a Kerberos conversation, by the GSSAPI of MIT's library (RFC 2743, RFC 4121).

The server's principal is made from its name alone.  A *host-based service* name would be the usual way, and
the library may then ask DNS which name an address has, and believe it: whoever answers chooses the server
that is convinced.  A principal made "as it is" keeps the host's name and still finds its realm as the
machine's profile says (``[domain_realm]``), or has the KDC refer us.

Whatever the library hands out is given back when the conversation is forgotten, in whichever thread that is.
"""

from __future__ import annotations

import ctypes
import weakref
from ctypes import POINTER, byref, c_int, c_uint32, c_void_p, pointer
from pathlib import Path

from mailtrust.directory import kerberos_mit as mit
from mailtrust.directory.kerberos import Account, KerberosFailed, Target, Trouble
from mailtrust.directory.kerberos_mit import Bindings, Buffer, Library, OidSet, Pair, Pairs

_SEALING = mit.CONFIDENTIALITY | mit.INTEGRITY | mit.SEQUENCE | mit.REPLAY | mit.MUTUAL


def begin(target: Target, account: Account) -> Context:
    """Our end, before its first step.  May block.  Raises: KerberosFailed."""
    library = mit.library()
    if account.keytab is not None:
        _refuse_unreadable(account.keytab)
    return Context(library, target, account)


class _Held:
    """What the library handed out for one conversation, and has to get back."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.profile = c_void_p()
        self.principal = c_void_p()
        self.server = c_void_p()
        self.account = c_void_p()
        self.context = c_void_p()

    def release(self) -> None:
        library = self._library
        library.release("gss_delete_sec_context", self.context, None)
        library.release("gss_release_cred", self.account)
        # The name may point to the principal until it is gone.
        library.release("gss_release_name", self.server)
        library.free("krb5_free_principal", self.profile, self.principal)
        library.free("krb5_free_context", self.profile)


class Context:
    """A `SecurityContext`.  It holds no thread's state: each step may be on another one."""

    def __init__(self, library: Library, target: Target, account: Account) -> None:
        self.complete = False
        self._library = library
        self._binding = target.binding
        self._wanted = _SEALING if target.seal else mit.MUTUAL | mit.SEQUENCE
        self._got = 0
        self._held = _Held(library)
        # At the program's end the system takes everything back, also from a thread that still waits.
        weakref.finalize(self, self._held.release).atexit = False
        self._name_server(target)
        if account != Account():
            self._sign_on(account, target)

    @property
    def seals(self) -> bool:
        """See `SecurityContext.seals`."""
        return self._got & _SEALING == _SEALING

    def step(self, token: bytes) -> bytes:
        """See `SecurityContext.step`."""
        output, got = Buffer(), c_uint32()
        given = mit.buffer(token)
        bindings = Bindings(application=mit.buffer(self._binding))
        try:
            status = self._library.gss(
                "gss_init_sec_context", self._held.account, byref(self._held.context), self._held.server,
                byref(mit.oid(mit.KERBEROS)), self._wanted, 0, byref(bindings) if self._binding else None,
                byref(given) if token else None, None, byref(output), byref(got), None,
            )  # fmt: skip
        finally:
            # There may be one beside an error, too: it would tell the server, which hears of it anyway.
            answer = self._library.taken(output)
        self.complete = not status & mit.CONTINUE_NEEDED
        self._got = got.value
        return answer

    def wrap(self, data: bytes, *, encrypt: bool) -> bytes:
        """See `SecurityContext.wrap`."""
        output, encrypted, given = Buffer(), c_int(), mit.buffer(data)
        self._library.gss(
            "gss_wrap", self._held.context, int(encrypt), 0, byref(given), byref(encrypted), byref(output)
        )
        wrapped = self._library.taken(output)
        if encrypt and not encrypted.value:
            raise KerberosFailed(Trouble.OTHER, "it did not encrypt")
        return wrapped

    def unwrap(self, data: bytes) -> tuple[bytes, bool]:
        """See `SecurityContext.unwrap`."""
        output, encrypted, given = Buffer(), c_int(), mit.buffer(data)
        status = self._library.gss(
            "gss_unwrap", self._held.context, byref(given), byref(output), byref(encrypted), None
        )
        plain = self._library.taken(output)
        if status:
            # RFC 2743 section 1.2.3: readable, and yet a repetition, or not next in order.
            raise KerberosFailed(Trouble.OTHER, "it came twice, too late, or after a gap")
        return plain, bool(encrypted.value)

    def room(self, wrapped_bytes: int) -> int:
        """See `SecurityContext.room`."""
        most = c_uint32()
        self._library.gss("gss_wrap_size_limit", self._held.context, 1, 0, wrapped_bytes, byref(most))
        return most.value

    def _name_server(self, target: Target) -> None:
        held, library = self._held, self._library
        library.krb("krb5_init_context", byref(held.profile))
        library.krb(
            "krb5_sname_to_principal", held.profile, target.host.encode(), b"ldap", mit.NAME_AS_IT_IS,
            byref(held.principal),
        )  # fmt: skip
        where = Buffer(ctypes.sizeof(c_void_p), ctypes.cast(byref(held.principal), c_void_p))
        library.gss("gss_import_name", byref(where), byref(mit.oid(mit.PRINCIPAL)), byref(held.server))

    def _sign_on(self, account: Account, target: Target) -> None:
        held, library = self._held, self._library
        name = c_void_p()
        try:
            if account.principal:
                text = mit.buffer(account.principal.encode())
                library.gss("gss_import_name", byref(text), byref(mit.oid(mit.PRINCIPAL_TEXT)), byref(name))
            pairs = _where_keys_are(account, target)
            library.gss(
                "gss_acquire_cred_from", name, mit.INDEFINITE, byref(_only_kerberos()), mit.INITIATE,
                byref(pairs) if pairs.count else None, byref(held.account), None, None,
            )  # fmt: skip
        finally:
            library.release("gss_release_name", name)


def _refuse_unreadable(keytab: Path) -> None:
    """The library says no more of it than that there is no ticket."""
    try:
        with keytab.open("rb"):
            return
    except OSError as error:
        raise KerberosFailed(Trouble.NO_KEYTAB, error.strerror or "") from error


def _only_kerberos() -> OidSet:
    return OidSet(1, pointer(mit.oid(mit.KERBEROS)))


def _where_keys_are(account: Account, target: Target) -> Pairs:
    if account.keytab is None:
        return Pairs(0, POINTER(Pair)())
    # In memory: the tickets of another account that uses this machine's cache are left alone.  One each for
    # every server and account, so that two conversations that begin at once do not empty one cache.
    cache = f"MEMORY:mailtrust {target.host} {account.principal} {account.keytab}"
    found = (Pair * 2)(
        Pair(b"client_keytab", f"FILE:{account.keytab}".encode()), Pair(b"ccache", cache.encode())
    )
    return Pairs(2, ctypes.cast(found, POINTER(Pair)))
