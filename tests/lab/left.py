"""What a lab leaves behind: it should be nothing."""

from __future__ import annotations

from pathlib import Path


def running_below(folder: Path) -> list[str]:
    """The command lines, of any process, that name something in *folder*."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            # It ended while we looked.
            continue
        if any(f"{folder}/" in word for word in words):
            found.append(" ".join(words))
    return found
