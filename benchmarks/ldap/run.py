"""
What it costs to read an LDAP directory, and to stay up to date: mailtrust beside OpenLDAP's own tools.

    python -m benchmarks.ldap.run [--certificates 100000] [--rounds 5] [--changes 500] [--only read]

The servers are real ones of OpenLDAP, on loopback, started here.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.ldap.following import keep, watch
from benchmarks.ldap.frozen import freeze
from benchmarks.ldap.organization import organization
from benchmarks.ldap.reading import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--certificates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--only", choices=["read", "watch", "keep", "freeze"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as made:
        folder = Path(made)
        if options.only in (None, "read"):
            with organization(folder / "large", options.certificates) as (server,):
                read(folder, server, options.certificates, options.rounds)
        if options.only in (None, "watch"):
            watch(folder / "three", options.changes)
        if options.only in (None, "keep"):
            sizes = sorted({max(options.certificates // part, 10) for part in (100, 10, 1)})
            keep(folder / "sizes", sizes, options.changes // 5)
        if options.only in (None, "freeze"):
            freeze(folder / "frozen")


if __name__ == "__main__":
    main()
