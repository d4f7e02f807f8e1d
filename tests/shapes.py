"""What the program writes for programs, read by the reference's types: no field more or less."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec

from tools.json_shapes import SHAPES, Shape


def reads(name: str, written: Any) -> Any:
    """The value, as it was written; it has the shape of that name."""
    msgspec.convert(written, SHAPES[name].type)
    return written


def as_promised(written: Any) -> Any:
    """The value, or each one of a list; it has one of the shapes, told by its schema and its fields."""
    for one in written if isinstance(written, list) else [written]:
        schema = one.get("schema")
        found = [shape for shape in SHAPES.values() if schema_of(shape) == schema]
        assert found, f"{schema} has no shape in tools/json_shapes"
        msgspec.convert(one, min(map(_struct, found), key=lambda kind: len(_fields(kind) ^ one.keys())))
    return written


def schema_of(shape: Shape) -> str | None:
    """The text that stands in its `schema`; None where it has none."""
    schema = get_type_hints(_struct(shape)).get("schema")
    return str(get_args(schema)[0]) if schema else None


def _struct(shape: Shape) -> Any:
    """The type itself, or of which it is a list."""
    return (*get_args(shape.type), shape.type)[0]


def _fields(kind: Any) -> frozenset[str]:
    return frozenset(kind.__struct_encode_fields__)
