"""
The server's end of a Kerberos conversation, by MIT's library; KRB5_KTNAME names the keytab with its key.

The product is a client and has no such end.  Declared here a second time, so that a structure that the
product got wrong is noticed.
"""

from __future__ import annotations

import asyncio
import ctypes
from ctypes import byref

from mailtrust.ldap.requests import SaslBind
from mailtrust.ldap.responses import Result
from tests.directory.ldap.hostile import asked, message
from tests.ldap import wire


class _Bytes(ctypes.Structure):
    _fields_ = (("length", ctypes.c_size_t), ("value", ctypes.c_char_p))


class _Taken(ctypes.Structure):
    _fields_ = (("length", ctypes.c_size_t), ("value", ctypes.c_void_p))


class AcceptorFailed(Exception):
    pass


class Acceptor:
    def __init__(self) -> None:
        self._library = ctypes.CDLL("libgssapi_krb5.so.2")
        self._context = ctypes.c_void_p()
        self.complete = False

    def step(self, token: bytes) -> bytes:
        given, output = _Bytes(len(token), token), _Taken()
        status = self._call(
            "gss_accept_sec_context", byref(self._context), None, byref(given), None, None, None,
            byref(output), None, None, None,
        )  # fmt: skip
        self.complete = status == 0
        return self._taken(output)

    def wrap(self, data: bytes, *, encrypt: bool = True) -> bytes:
        given, output = _Bytes(len(data), data), _Taken()
        self._call("gss_wrap", self._context, int(encrypt), 0, byref(given), None, byref(output))
        return self._taken(output)

    def unwrap(self, data: bytes) -> bytes:
        given, output = _Bytes(len(data), data), _Taken()
        self._call("gss_unwrap", self._context, byref(given), byref(output), None, None)
        return self._taken(output)

    def close(self) -> None:
        self._call("gss_delete_sec_context", byref(self._context), None)

    def _call(self, name: str, *arguments: object) -> int:
        minor = ctypes.c_uint32()
        function = getattr(self._library, name)
        function.restype = ctypes.c_uint32
        major: int = function(byref(minor), *arguments)
        if major & 0xFFFF0000:
            raise AcceptorFailed(f"{name}: {major:#x}, {minor.value:#x}")
        return major

    def _taken(self, output: _Taken) -> bytes:
        content = ctypes.string_at(output.value, output.length) if output.value else b""
        self._call("gss_release_buffer", byref(output))
        return content


async def signed_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, offer: bytes = b"\x04\xff\xff\xff"
) -> Acceptor:
    """Let a client in, as RFC 4752 has it; our end, by which everything is encrypted from here on."""
    acceptor = Acceptor()
    while not acceptor.complete:
        number, token = await _step(reader)
        writer.write(goes_on(number, acceptor.step(token)))
    number, token = await _step(reader)
    assert token == b""
    writer.write(goes_on(number, acceptor.wrap(offer, encrypt=False)))
    number, token = await _step(reader)
    assert acceptor.unwrap(token)[:1] in (b"\x01", b"\x04")
    writer.write(message(number, Result(0), tag=0x61))
    return acceptor


async def sealed_asked(reader: asyncio.StreamReader, acceptor: Acceptor) -> wire.Asked:
    """The next request, which came in a frame of its own."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    [found] = wire.all_asked(acceptor.unwrap(await reader.readexactly(size)))
    return found


def goes_on(number: int, token: bytes) -> bytes:
    """A step of ours that is not the last."""
    return message(number, Result(14, credentials=token), tag=0x61)


async def _step(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    number, request, _ = await asked(reader)
    assert isinstance(request, SaslBind)
    assert request.mechanism == "GSSAPI"
    return number, request.credentials or b""
