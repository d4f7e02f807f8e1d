"""Says which source files have grown past 400 lines: a file does one thing, and is read in one sitting."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 400


def main() -> int:
    """1 if a file is too long, after naming each."""
    source = Path(__file__).parent.parent / "src"
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in sorted(source.rglob("*.py"))}
    too_long = {path: lines for path, lines in lengths.items() if lines >= LIMIT}
    for path, lines in too_long.items():
        print(f"{path}: {lines} lines; under {LIMIT} a file does one thing", file=sys.stderr)
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
