"""
What an administrator may paste: commands with arguments from a directory that anybody may have written.

A name may hold quotes, dollars, line ends and marks that turn the text around.  In PowerShell nothing is
special within single quotes but the quotes themselves, and it takes four other characters for such quotes
too (about_Quoting_Rules).  What cannot be seen is written by its number: what is pasted is what is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_SAFE_IN_DN = re.compile(r"[A-Za-z0-9 =,.+()_-]")


@dataclass(frozen=True, slots=True)
class Expression:
    """PowerShell of our own, which is not quoted: nothing that was read anywhere goes in unquoted."""

    text: str


Argument = str | Expression | Iterable[str] | None


def quoted(text: str) -> str:
    """*text* as one argument of a PowerShell command: never two, and never anything that is evaluated."""
    return text if _BARE.fullmatch(text) else literal(text)


def literal(text: str) -> str:
    """The same, in quotes also where it could go without: a thumbprint of digits alone would be a number."""
    if text.isprintable():
        return _in_quotes(text)
    return f"({'+'.join(map(_written, _runs(text)))})"


def cmdlet(verb: str, *position: str, **parameters: Argument) -> str:
    """
    A PowerShell command with its texts quoted, several of them separated by commas.

    A parameter that is None is left out.
    """
    given = [f"-{name} {_argument(value)}" for name, value in parameters.items() if value is not None]
    return " ".join((verb, *map(quoted, position), *given))


def host(name: str) -> str | None:
    """A host's name as any program takes it; None where it is none, and better not typed."""
    return name if _HOST.fullmatch(name) else None


def dn(text: str) -> str:
    """
    A distinguished name in double quotes, for programs that are not PowerShell's own.

    What a shell could take for its own is written as ``\\XX``, as every LDAP client reads it (RFC 4514 2.4).
    """
    written = []
    at = 0
    while at < len(text):
        escaped = text[at + 1 : at + 3]
        if text[at] == "\\" and re.fullmatch(r"[0-9A-Fa-f]{2}", escaped):
            written.append(f"\\{escaped.upper()}")
            at += 3
        elif text[at] == "\\" and at + 1 < len(text):
            written.append(_hex(text[at + 1]))
            at += 2
        else:
            written.append(text[at] if _SAFE_IN_DN.fullmatch(text[at]) else _hex(text[at]))
            at += 1
    return f'"{"".join(written)}"'


def _argument(value: str | Expression | Iterable[str]) -> str:
    match value:
        case Expression():
            return value.text
        case str():
            return quoted(value)
        case _:
            each = list(value)
            bare = all(map(_BARE.fullmatch, each))
            return ",".join(each if bare else map(literal, each))


def _hex(one: str) -> str:
    return "".join(f"\\{octet:02X}" for octet in one.encode("utf-8", "surrogatepass"))


def _in_quotes(text: str) -> str:
    return "'" + _QUOTES.sub(r"\1\1", text) + "'"


def _runs(text: str) -> list[str]:
    """The text in pieces, each either printable or a single character that is not."""
    # Begins with a text, empty as it may be: numbers of characters alone would be added up.
    pieces = [""]
    for one in text:
        if one.isprintable() and pieces[-1].isprintable():
            pieces[-1] += one
        else:
            pieces.append(one)
    return pieces


def _written(piece: str) -> str:
    if piece.isprintable():
        return _in_quotes(piece)
    number = ord(piece)
    return f"[char]{number}" if number < 0x10000 else f"[char]::ConvertFromUtf32({number})"
