"""Files that people hand us, and those that we hand them."""

from __future__ import annotations

import sys
from pathlib import Path

from mailtrust import durable
from mailtrust.cli.output import caution
from mailtrust.errors import BadInput, MailtrustError

STANDARD_OUTPUT = Path("-")
_LARGEST_BYTES = 16 << 20
LARGEST_REPORT_BYTES = 256 << 20
"""A report over thousands of servers has several kilobytes for each."""


def read_file(path: Path, largest_bytes: int = _LARGEST_BYTES) -> bytes:
    """
    The file's bytes; ``-`` is standard input.

    Raises: BadInput where it cannot be read, or is far too large to be what we expect.
    """
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(largest_bytes + 1)
        else:
            with path.open("rb") as file:
                data = file.read(largest_bytes + 1)
    except FileNotFoundError as error:
        raise BadInput(f"there is no file {path}", hint="check the path") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder", hint="name a file in it") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read", hint="check that this account may read it") from error
    if len(data) > largest_bytes:
        raise BadInput(f"{path} is larger than {largest_bytes >> 20} MiB: it is not what is asked for here")
    return data


def first_line(path: Path) -> bytes:
    """The first line of a password file, without its end.  Raises: BadInput."""
    return read_file(path).split(b"\n", 1)[0].rstrip(b"\r")


def write_file(path: Path, data: bytes, *, secret: bool) -> None:
    """
    Write the whole file or nothing of it; one with keys in it is readable by its owner only.

    Raises: MailtrustError.
    """
    try:
        durable.write(path, data, durable.SECRET if secret else durable.PUBLIC)
    except OSError as error:
        hint = "check that the folder exists, has room, and that this account may write to it"
        raise MailtrustError(f"{path} cannot be written", hint=hint) from error


def write_standard_output(data: bytes) -> None:
    """Exactly that, whatever the encoding of the screen."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def write_report(file: Path, text: str) -> bool:
    """Whether it was written, to - as well.  What was made is not lost with a file that cannot be."""
    if file == STANDARD_OUTPUT:
        write_standard_output(text.encode())
        return True
    try:
        write_file(file, text.encode(), secret=False)
    except MailtrustError as error:
        caution(f"{error.message}; {error.hint}")
        return False
    return True
