"""Writes docs/configuration.md from the one table of keys, mailtrust.config.keys; --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mailtrust.config.annotated import annotated
from mailtrust.config.keys import KEYS, TABLES, Key
from tools.generated import DOCS, head, table, write_or_compare

TABLES_ARE = {
    "server": "The mail server that this configuration is for.",
    "directory": "Where certificates are published, and from where peers are believed. Keys marked "
    "*LDAP only* belong to servers that speak LDAP (`ldaps://…`); the embedded directory (`sqlite:///…`) has "
    "no use for them.",
    "policy": "How certificates are made, and how patient a rotation is.",
    "agent": "What `mailtrust agent` may do unasked; see [the agent](agent.md).",
    "log": "Where events go besides the journal of mailtrust; see [logs and notices](logs.md).",
    "notify": "Who is told, by the agent, what opens and closes; see [logs and notices](logs.md).",
    "transport": "What carries the mail. Keys marked *Hub* belong to `transport.kind = \"hub\"`.",
    "web": "Where the dashboard listens, and whom it answers; see [the dashboard](dashboard.md).",
}  # fmt: skip

TAIL = """\
## A whole file

What `mailtrust init` writes, before it has looked around:
"""


def pages() -> Mapping[Path, str]:
    """The page, by its path."""
    parts = [
        head("configuration"),
        *(part for name in TABLES for part in _table(name)),
        TAIL,
        f"```toml\n{annotated({})}```\n",
    ]
    return {DOCS / "configuration.md": "\n".join(parts)}


def _table(name: str) -> Iterator[str]:
    keys = [key for key in KEYS if key.table == name]
    yield f"## `[{name}]`\n\n{TABLES_ARE[name]}\n"
    yield table(("key", "what stands there", "default", "means"), map(_row, keys)) + "\n"


def _row(key: Key) -> tuple[str, str, str, str]:
    default = key.default if key.example else f"`{key.default}`"
    return f"`{key.path}`", key.expected, default, key.about


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
