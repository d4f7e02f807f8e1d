"""The configuration as `mailtrust init` writes it: every key explained, the chosen ones set."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

from mailtrust.config.keys import KEYS, TABLES, Key, is_ldap

_WIDTH = 100
_HEAD = """\
# The configuration of mailtrust.  A line that begins with "# name =" shows a default.
# Durations are 0s, 15m, 2h, 90d; paths are absolute; unknown keys are refused.
"""


def annotated(chosen: Mapping[str, object]) -> str:
    """
    The file's text: *chosen* has strings and lists of strings, by ``table.name``.

    Keys that mean nothing to the chosen kind of directory are left out.
    """
    return "\n".join((_HEAD, *(_table(table, chosen) for table in TABLES)))


def _table(table: str, chosen: Mapping[str, object]) -> str:
    keys = [key for key in KEYS if key.table == table and _means_something(key, chosen)]
    return "\n".join((f"[{table}]", *(line for key in keys for line in _key(key, chosen))))


def _means_something(key: Key, chosen: Mapping[str, object]) -> bool:
    if key.about.startswith("Active Directory only"):
        return chosen.get("directory.layout") == "computer"
    return not key.about.startswith("LDAP only") or is_ldap(str(chosen.get("directory.home", "")))


def _key(key: Key, chosen: Mapping[str, object]) -> Iterator[str]:
    default = f"  Default: {key.default}." if key.example else ""
    yield from textwrap.wrap(key.about + default, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    if key.path in chosen:
        # A string or a list of strings is written alike in JSON and in TOML.
        yield f"{key.name} = {json.dumps(chosen[key.path], ensure_ascii=False)}"
    else:
        yield f"# {key.name} = {key.example or key.default}"
    yield ""
