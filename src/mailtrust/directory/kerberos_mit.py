"""
MIT Kerberos' libraries as C declares them (RFC 2744, gssapi_ext.h, krb5.h): structures, calls, and errors.

They are loaded by name, where they are asked for first, so that nothing needs a compiler or a header, and
nothing needs Kerberos that does not use it.  Whoever calls looks after what a structure points to.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import Any

from mailtrust.directory.kerberos import KerberosFailed, Trouble

NAMES = ("libgssapi_krb5.so.2", "libkrb5.so.3")

MUTUAL, REPLAY, SEQUENCE, CONFIDENTIALITY, INTEGRITY = 2, 4, 8, 16, 32
INITIATE = 1
INDEFINITE = 0xFFFFFFFF
CONTINUE_NEEDED = 1
NAME_AS_IT_IS = 0
"""KRB5_NT_UNKNOWN: krb5_sname_to_principal asks no name server, and no profile makes it do so."""

_ERRORS = 0xFFFF0000
_GSS_CODE, _MECHANISM_CODE = 1, 2

_NO_CREDENTIALS, _CREDENTIALS_EXPIRED, _CONTEXT_EXPIRED = 7 << 16, 11 << 16, 12 << 16
_BY_MAJOR = {
    _NO_CREDENTIALS: Trouble.NO_TICKET,
    _CREDENTIALS_EXPIRED: Trouble.EXPIRED,
    _CONTEXT_EXPIRED: Trouble.EXPIRED,
}

# krb5_err.et counts from here; RFC 4120 section 7.5.9 has the numbers of the first 128.
_KRB5 = -1765328384
_BY_MINOR = {
    _KRB5 + 1: Trouble.UNKNOWN_ACCOUNT,  # KRB5KDC_ERR_NAME_EXP
    _KRB5 + 6: Trouble.UNKNOWN_ACCOUNT,  # KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN
    _KRB5 + 7: Trouble.UNKNOWN_SERVICE,  # KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN
    _KRB5 + 24: Trouble.WRONG_KEY,  # KRB5KDC_ERR_PREAUTH_FAILED
    _KRB5 + 31: Trouble.WRONG_KEY,  # KRB5KRB_AP_ERR_BAD_INTEGRITY
    _KRB5 + 32: Trouble.EXPIRED,  # KRB5KRB_AP_ERR_TKT_EXPIRED
    _KRB5 + 37: Trouble.CLOCKS,  # KRB5KRB_AP_ERR_SKEW
    _KRB5 + 141: Trouble.NO_TICKET,  # KRB5_CC_NOTFOUND
    _KRB5 + 154: Trouble.NO_KDC,  # KRB5_REALM_UNKNOWN
    _KRB5 + 156: Trouble.NO_KDC,  # KRB5_KDC_UNREACH
    _KRB5 + 157: Trouble.CLOCKS,  # KRB5_KDCREP_SKEW
    _KRB5 + 181: Trouble.NO_KEYTAB,  # KRB5_KT_NOTFOUND
    _KRB5 + 195: Trouble.NO_TICKET,  # KRB5_FCC_NOFILE
    _KRB5 + 224: Trouble.NO_REALM,  # KRB5_CONFIG_NODEFREALM
}


class Buffer(Structure):
    """gss_buffer_desc."""

    _fields_ = (("length", c_size_t), ("value", c_void_p))


class Oid(Structure):
    """gss_OID_desc."""

    _fields_ = (("length", c_uint32), ("elements", c_void_p))


class OidSet(Structure):
    """gss_OID_set_desc."""

    _fields_ = (("count", c_size_t), ("elements", POINTER(Oid)))


class Bindings(Structure):
    """gss_channel_bindings_struct."""

    _fields_ = (
        ("initiator_kind", c_uint32),
        ("initiator", Buffer),
        ("acceptor_kind", c_uint32),
        ("acceptor", Buffer),
        ("application", Buffer),
    )


class Pair(Structure):
    """gss_key_value_element_desc."""

    _fields_ = (("key", c_char_p), ("value", c_char_p))


class Pairs(Structure):
    """gss_key_value_set_desc."""

    _fields_ = (("count", c_uint32), ("elements", POINTER(Pair)))


_STATUS = POINTER(c_uint32)
_IN = POINTER(Buffer)
_PLACE = POINTER(c_void_p)
_GSS: dict[str, tuple[Any, ...]] = {
    "gss_import_name": (_IN, POINTER(Oid), _PLACE),
    "gss_release_name": (_PLACE,),
    "gss_acquire_cred_from": (
        c_void_p, c_uint32, POINTER(OidSet), c_int, POINTER(Pairs), _PLACE, _PLACE, POINTER(c_uint32),
    ),
    "gss_release_cred": (_PLACE,),
    "gss_init_sec_context": (
        c_void_p, _PLACE, c_void_p, POINTER(Oid), c_uint32, c_uint32, POINTER(Bindings), _IN,
        _PLACE, _IN, POINTER(c_uint32), POINTER(c_uint32),
    ),
    "gss_delete_sec_context": (_PLACE, _IN),
    "gss_wrap": (c_void_p, c_int, c_uint32, _IN, POINTER(c_int), _IN),
    "gss_unwrap": (c_void_p, _IN, _IN, POINTER(c_int), POINTER(c_uint32)),
    "gss_wrap_size_limit": (c_void_p, c_int, c_uint32, c_uint32, POINTER(c_uint32)),
    "gss_release_buffer": (_IN,),
    "gss_display_status": (c_uint32, c_int, POINTER(Oid), POINTER(c_uint32), _IN),
}  # fmt: skip
"""What follows the place for the minor status, with which each begins."""
_KRB: dict[str, tuple[Any, ...]] = {
    "krb5_init_context": (_PLACE,),
    "krb5_sname_to_principal": (c_void_p, c_char_p, c_char_p, c_int32, _PLACE),
    "krb5_free_principal": (c_void_p, c_void_p),
    "krb5_free_context": (c_void_p,),
}


class Library:
    """Both libraries, loaded.  Raises: KerberosFailed where they are not there."""

    def __init__(self, gss: str, krb: str) -> None:
        try:
            self._gss, self._krb = ctypes.CDLL(gss), ctypes.CDLL(krb)
            for name, follows in _GSS.items():
                function = getattr(self._gss, name)
                function.argtypes, function.restype = (_STATUS, *follows), c_uint32
            for name, arguments in _KRB.items():
                getattr(self._krb, name).argtypes = arguments
        except (OSError, AttributeError) as error:
            raise KerberosFailed(Trouble.NO_LIBRARY, str(error)) from error

    def gss(self, name: str, *arguments: object) -> int:
        """Call it; its status without an error, which may still say something.  Raises: KerberosFailed."""
        minor = c_uint32()
        major: int = getattr(self._gss, name)(byref(minor), *arguments)
        if major & _ERRORS:
            raise self._failure(major & _ERRORS, minor.value)
        return major

    def release(self, name: str, handle: Any, *arguments: object) -> None:
        """Let go of what *handle* holds, if it holds something."""
        if handle:
            getattr(self._gss, name)(byref(c_uint32()), byref(handle), *arguments)

    def krb(self, name: str, *arguments: object) -> None:
        """Call it.  Raises: KerberosFailed."""
        if code := getattr(self._krb, name)(*arguments):
            raise self._failure(0, code & 0xFFFFFFFF)

    def free(self, name: str, *handles: c_void_p) -> None:
        """Let go of the last of these handles, if it holds something."""
        if handles[-1]:
            getattr(self._krb, name)(*handles)

    def taken(self, output: Buffer) -> bytes:
        """What the library put there; the buffer goes back to it."""
        try:
            return ctypes.string_at(output.value, output.length) if output.value else b""
        finally:
            self._gss.gss_release_buffer(byref(c_uint32()), byref(output))

    def _failure(self, major: int, minor: int) -> KerberosFailed:
        by_minor = _BY_MINOR.get(c_int32(minor).value)
        words = self._words(minor, _MECHANISM_CODE) if minor else self._words(major, _GSS_CODE)
        return KerberosFailed(by_minor or _BY_MAJOR.get(major, Trouble.OTHER), words)

    def _words(self, status: int, kind: int) -> str:
        # The text of a mechanism's error is this thread's own, and the next error's soon.
        more, output = c_uint32(), Buffer()
        arguments = (status, kind, byref(oid(KERBEROS)), byref(more), byref(output))
        self._gss.gss_display_status(byref(c_uint32()), *arguments)
        return self.taken(output).decode("utf-8", "replace")


@cache
def library() -> Library:
    """The libraries, loaded once.  Raises: KerberosFailed."""
    return Library(*NAMES)


# 1.2.840.113554.1.2.2, and below it the kinds of names: a principal's text, and a pointer to one.
KERBEROS = bytes.fromhex("2a864886f712010202")
PRINCIPAL_TEXT = KERBEROS + b"\x01"
PRINCIPAL = KERBEROS + b"\x02"


def oid(number: bytes) -> Oid:
    """The number, as C takes it; *number* has to outlive it, as a constant does."""
    return Oid(len(number), ctypes.cast(c_char_p(number), c_void_p))


def buffer(content: bytes) -> Buffer:
    """The bytes, as C takes them; *content* has to outlive it."""
    return Buffer(len(content), ctypes.cast(c_char_p(content), c_void_p))
