"""
What this process remembers, passwords and keys, stays in its memory when it crashes.

A core file would hold all of it, and often lies where many may read it, or is sent to whoever wrote the
program.
"""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4


def leave_no_core() -> None:
    """
    Neither a crash nor another program of the same account brings out this process's memory.

    What it starts may not leave a core file either.  The superuser is not stopped.
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        # Where cores are piped to a program (systemd-coredump, apport) the limit is only a request.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
