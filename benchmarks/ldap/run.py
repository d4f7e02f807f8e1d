"""
What it costs to read an LDAP directory, and to stay up to date: mailtrust beside OpenLDAP's own tools.

    python -m benchmarks.ldap.run [--certificates 100000] [--rounds 5]

The servers are real ones of OpenLDAP, on loopback, started here.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.ldap.organization import organization
from benchmarks.ldap.reading import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--certificates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailtrust-benchmark-") as made:
        folder = Path(made)
        with organization(folder / "large", options.certificates) as (server,):
            read(folder, server, options.certificates, options.rounds)


if __name__ == "__main__":
    main()
