"""Writes docs/reference: JSON Schemas, and tables of their fields, for programs; --check only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tools.generated import DOCS, head, table, write_or_compare
from tools.json_shapes import SHAPES

SHELF = DOCS / "reference"


def pages() -> Mapping[Path, str]:
    """The page and the schemas, by their paths."""
    made: dict[Path, str] = {}
    parts = [head("json")]
    for name, (shape, command) in SHAPES.items():
        schema = msgspec.json.schema(shape)
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": command, **schema}
        made[SHELF / f"{name}.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        parts += [f"## {command.removesuffix(' --json')}\n", f"[{name}.schema.json]({name}.schema.json)\n"]
        parts += [f"```sh\n{command}\n```\n"]
        for title, of in _structures(schema):
            rows = [(f"`{field}`", _type(kind)) for field, kind in of["properties"].items()]
            parts += [f"**{title}**: {of.get('description', '')}\n", table(("field", "is"), rows) + "\n"]
    return made | {SHELF / "json.md": "\n".join(parts)}


def _structures(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The types of a schema that have fields, the whole of it first."""
    kinds = schema["$defs"]
    first = schema["$ref"].rpartition("/")[2]
    for name in (first, *(one for one in kinds if one != first)):
        if "properties" in kinds[name]:
            yield name, kinds[name]


def _type(kind: Mapping[str, Any]) -> str:
    """In words, as short as a table wants them."""
    if "anyOf" in kind:
        return " or ".join(_type(one) for one in kind["anyOf"])
    if "$ref" in kind:
        return str(kind["$ref"]).rpartition("/")[2]
    if "enum" in kind:
        return ", ".join(f"`{one}`" for one in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_type(kind['items'])}" if kind.get("items") else "list"
    if kind.get("type") == "object":
        return f"of each: {_type(kind['additionalProperties'])}"
    return str(kind.get("description") or kind.get("type"))


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
