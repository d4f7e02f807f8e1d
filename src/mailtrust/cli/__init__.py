"""
The command line: it asks, shows and exits; every decision is made below.

`run` is the whole program as a function of its arguments.  Each command is a file of its own, imported
when it is typed, so that `mailtrust --help` need not load what only one of them uses.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence

from mailtrust.cli import frame
from mailtrust.cli.core_files import leave_no_core
from mailtrust.cli.output import warn, write_as_it_can
from mailtrust.cli.program import program
from mailtrust.errors import MailtrustError

__all__ = ["main", "run"]


def main() -> None:
    """The entry point of the `mailtrust` program."""
    leave_no_core()
    if not sys.warnoptions:
        # A library's advice to its programmers, as on a certificate without a serial number, is no finding.
        warnings.simplefilter("ignore")
    _open_closed_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """
    Do what *arguments* say; the exit code.

    0 done, or nothing to do; 1 failed, and said why; 2 wrong syntax.  `check` is a monitoring plugin and
    exits 3 where it cannot judge.  130: interrupted.
    """
    write_as_it_can()
    invocation = frame.Invocation.of(arguments)
    try:
        code = _run(arguments, invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; say nothing.
        _write_no_more()
    except OSError as error:
        _write_no_more()
        warn(f"mailtrust: the output cannot be written: {(error.strerror or str(error)).lower()}")
    else:
        return code
    return 3 if invocation.is_check else 1


def _write_no_more() -> None:
    # Not even when Python closes the stream.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _is_of_output(error: Exception) -> bool:
    """True for what only writing can raise; where we write files ourselves, it has a sentence of ours."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _open_closed_streams() -> None:
    """Python has no stream where a descriptor was closed (`>&-`): what is written goes nowhere."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _run(arguments: Sequence[str], invocation: frame.Invocation) -> int:
    try:
        # Not `list(arguments)`: once the command of that name was imported, it is what `list` means here.
        result = program().main([*arguments], prog_name="mailtrust", standalone_mode=False)
    except frame.UsageError as error:
        invocation.tell_usage(error)
        return 3 if invocation.is_check else 2
    except MailtrustError as error:
        invocation.tell(error)
        return 3 if invocation.is_check else 1
    except (KeyboardInterrupt, frame.Abort):
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:  # nobody shall meet a traceback at three in the morning
        if os.environ.get("MAILTRUST_DEBUG") or _is_of_output(error):
            raise
        invocation.tell(frame.unexpected(error))
        return 3 if invocation.is_check else 1
    return result if isinstance(result, int) else 0
