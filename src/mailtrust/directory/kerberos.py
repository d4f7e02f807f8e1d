"""
Kerberos, as one end of a conversation sees it: tokens to and fro, and then a way to encrypt.

Each system brings its own library, and this is all that is asked of it: `kerberos_gssapi.py` speaks to MIT's,
`kerberos_sspi.py` to Windows.  What went wrong is told as one of a few *troubles*, because each has another
remedy; the library's own words stand beside it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from mailtrust.ldap.responses import printable


@dataclass(frozen=True, slots=True)
class Target:
    """The server that is to be convinced, and what for."""

    host: str
    """Its principal is ``ldap/HOST``, just so: no name server has a say in it."""
    binding: bytes = b""
    """What ties the conversation to one TLS connection (RFC 5929); empty where there is none."""
    seal: bool = True
    """Whether what follows is to be encrypted."""

    @property
    def service(self) -> str:
        """The principal, without its realm."""
        return f"ldap/{self.host}"


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are; without both, whoever has a ticket in this process's cache."""

    principal: str = ""
    keytab: Path | None = None
    """The account's long-term key, by which tickets are fetched as they are needed."""


class Trouble(Enum):
    """Why Kerberos does not go on."""

    NO_TICKET = auto()
    EXPIRED = auto()
    CLOCKS = auto()
    UNKNOWN_SERVICE = auto()
    UNKNOWN_ACCOUNT = auto()
    WRONG_KEY = auto()
    NO_KEYTAB = auto()
    NO_KDC = auto()
    NO_REALM = auto()
    NO_LIBRARY = auto()
    OTHER = auto()


class KerberosFailed(Exception):
    """Something that Kerberos did not do; the text is the library's own, and printable."""

    def __init__(self, trouble: Trouble, words: str = "") -> None:
        self.trouble = trouble
        self.words = printable(words)
        super().__init__(self.words)


class SecurityContext(Protocol):
    """
    Our end of one conversation; it lets go of what it holds when nobody holds it.

    Every method raises KerberosFailed.  One thread at a time.
    """

    @property
    def complete(self) -> bool:
        """True once both ends know each other."""

    def step(self, token: bytes) -> bytes:
        """
        Our next token, empty where there is nothing to say; *token* is the other end's, empty at first.

        It may ask a KDC, for as long as that takes.
        """

    @property
    def seals(self) -> bool:
        """True if the other end agreed to encrypt, in order, and proved who it is; once complete."""

    def wrap(self, data: bytes, *, encrypt: bool) -> bytes:
        """Sign, and encrypt if told to."""

    def unwrap(self, data: bytes) -> tuple[bytes, bool]:
        """What the other end wrapped, and whether it was encrypted.  What comes twice or late fails."""

    def room(self, wrapped_bytes: int) -> int:
        """How much can be encrypted into that many bytes; 0 if nothing."""


def begin(target: Target, account: Account) -> SecurityContext:
    """Our end, before its first step; by the library of this system.  May block.  Raises: KerberosFailed."""
    if sys.platform == "win32":
        try:
            from mailtrust.directory import kerberos_sspi
        except ImportError as error:
            raise KerberosFailed(Trouble.NO_LIBRARY, str(error)) from error
        return kerberos_sspi.begin(target, account)
    from mailtrust.directory import kerberos_gssapi

    return kerberos_gssapi.begin(target, account)
