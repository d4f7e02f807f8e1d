"""
What it costs to keep Postfix's tables as the directory is: mailtrust beside Postfix's own postmap.

    python -m benchmarks.postfix.run [--changes 300] [--certificates 100000] [--lookups 10000000] [--only X]

Postfix and the directory servers are real ones, on loopback, started here; needs root.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.postfix.answers import answers
from benchmarks.postfix.lookups import lookups
from benchmarks.postfix.rows import rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--certificates", type=int, default=100_000)
    parser.add_argument("--lookups", type=int, default=10_000_000)
    parser.add_argument("--only", choices=["answers", "rows", "lookups"])
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("left out: Postfix starts as root only")
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        if options.only in (None, "answers"):
            answers(folder / "answers", options.changes)
        if options.only in (None, "rows"):
            rows(folder / "rows", options.certificates, options.changes)
        if options.only in (None, "lookups"):
            lookups(folder / "lookups", options.certificates, options.lookups)


if __name__ == "__main__":
    main()
