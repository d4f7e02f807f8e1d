"""Writes docs/reference: JSON Schemas, and tables of their fields, for programs; --check only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tools.generated import DOCS, head, table, write_or_compare
from tools.json_shapes import SHAPES, Shape

SHELF = DOCS / "reference"
Kinds = Mapping[str, Mapping[str, Any]]


def pages() -> Mapping[Path, str]:
    """The page and the schemas, by their paths."""
    made: dict[Path, str] = {}
    parts = [head("json")]
    told: dict[str, Mapping[str, Any]] = {}
    for name, shape in SHAPES.items():
        schema = _schema(shape)
        made[SHELF / f"{name}.schema.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        parts += _section(name, shape, schema, told)
    return made | {SHELF / "json.md": "\n".join(parts)}


def _schema(shape: Shape) -> dict[str, Any]:
    title = shape.commands[0] if shape.commands else shape.where.replace("`", "")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **msgspec.json.schema(shape.type),
    }


def _section(
    name: str, shape: Shape, schema: Mapping[str, Any], told: dict[str, Mapping[str, Any]]
) -> Iterator[str]:
    """What writes it, and the structures that no section before it has."""
    kinds = schema["$defs"]
    yield f"## {name}.schema.json\n"
    # In a sentence and not in blocks: a test types every line of a block, and another one these.
    yield f"By {', '.join((*(f'`{one}`' for one in shape.commands), *filter(None, [shape.where])))}.\n"
    is_list = schema.get("type") == "array"
    first = _name(schema["items"] if is_list else schema)
    yield f"{'A list of ' if is_list else ''}[{first}](#{first.lower()}); [its schema]({name}.schema.json).\n"
    for title in (first, *(one for one in kinds if one != first)):
        of = kinds[title]
        if "properties" not in of:
            continue
        if title in told:
            if told[title] != of:
                raise ValueError(f"two types are named {title}: the page has room for one")
            continue
        told[title] = of
        rows = [(f"`{field}`", _type(kind, kinds)) for field, kind in of["properties"].items()]
        yield f"### {title}\n\n{of.get('description', '')}\n"
        yield table(("field", "is"), rows) + "\n"


def _type(kind: Mapping[str, Any], kinds: Kinds) -> str:
    """In words, as short as a table wants them."""
    if "anyOf" in kind:
        return " or ".join(_type(one, kinds) for one in kind["anyOf"])
    if "$ref" in kind:
        name = _name(kind)
        return f"[{name}](#{name.lower()})" if "properties" in kinds[name] else _type(kinds[name], kinds)
    if "enum" in kind:
        return ", ".join(f"`{one}`" for one in kind["enum"])
    if kind.get("type") == "array":
        if "prefixItems" in kind:
            return f"list of {', '.join(_type(one, kinds) for one in kind['prefixItems'])}"
        return f"list of {_type(kind['items'], kinds)}" if kind.get("items") else "list"
    if kind.get("type") == "object":
        return f"of each: {_type(kind['additionalProperties'], kinds)}"
    return str(kind.get("description") or kind.get("type"))


def _name(kind: Mapping[str, Any]) -> str:
    return str(kind["$ref"]).rpartition("/")[2]


if __name__ == "__main__":
    sys.exit(write_or_compare(pages(), sys.argv[1:]))
