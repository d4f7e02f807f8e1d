"""
What MAIL and RCPT say, read into values (RFC 5321 section 4.1.2).

An envelope is what servers tell each other about a message; its header is none of their business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Quoted strings may hold anything printable; the rest of a path neither blanks nor angle brackets.  What
# ++ took stays taken: trying it again in pieces would take forever.
_ARGUMENT = re.compile(rb'(FROM|TO): *<((?:"(?:[^"\\]|\\.)*"|[^"<> ]++)*)>((?: +[^ ]+)*) *\Z', re.IGNORECASE)
_ADDRESS = re.compile(
    r'(?:[A-Za-z0-9!#$%&\'*+/=?^_`{|}~.-]{1,64}|"(?:[^"\\]|\\.){0,62}")'
    r"@(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?|\[[A-Za-z0-9.:]{2,64}\])\Z"
)


@dataclass(frozen=True, slots=True)
class Path:
    """Where mail comes from or goes to, and the parameters behind it in capitals."""

    address: str | None
    """Empty for the null path ``<>``; None where it is no address."""
    parameters: tuple[tuple[str, str], ...]
    """Keyword and value; the value is empty where there is none."""


def path(argument: bytes, keyword: bytes) -> Path | None:
    """The path behind ``FROM:`` or ``TO:`` (*keyword*, in capitals); None where it is not written so."""
    found = _ARGUMENT.match(argument)
    if found is None or found[1].upper() != keyword or not argument.isascii():
        return None
    words = found[3].upper().decode("ascii").split()
    return Path(_address(found[2].decode("ascii")), tuple((w.partition("=")[::2]) for w in words))


def sendable(address: str) -> bool:
    """True for what stands between angle brackets and ends there: no line end, no second command."""
    if not address.isascii():
        return False
    read = path(f"TO:<{address}>".encode("ascii"), b"TO")
    return read is not None and read.address is not None and not read.parameters


def domain_of(address: str) -> str:
    """The domain of an address in lower case; empty for ``postmaster`` alone and for the null path."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def local_part_of(address: str) -> str:
    """What stands before the last @."""
    return address.rpartition("@")[0] if "@" in address else address


def _address(text: str) -> str | None:
    if text.startswith("@") and ":" in text:
        text = text.partition(":")[2]  # RFC 5321 section 4.1.1.3: source routes are read over.
    if text == "" or text.lower() == "postmaster":
        return text
    return text if _ADDRESS.match(text) else None
