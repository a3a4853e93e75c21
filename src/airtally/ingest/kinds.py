"""Shared by column conversions: kinds of Arrow types, and the marking of wrong rows."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

#: Masks of the rows that do not fit, each with its reason.
Wrong = list[tuple[pa.Array, str]]
#: Values in the type of their column, null if they were null or wrong, and the masks of the wrong ones.
Converted = tuple[pa.Array, Wrong]


def is_text(sent: pa.DataType) -> bool:
    return bool(kind.is_string(sent) or kind.is_large_string(sent))


def kind_of(sent: pa.DataType) -> str:
    """The name of a type in error messages."""
    for is_kind, name in _KINDS:
        if is_kind(sent):
            return name
    return "array" if kind.is_nested(sent) else str(sent)


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (kind.is_boolean, "boolean"),
    (kind.is_integer, "number"),
    (kind.is_floating, "number"),
    (kind.is_decimal, "number"),
    (kind.is_string, "string"),
    (kind.is_large_string, "string"),
    (kind.is_binary, "binary"),
    (kind.is_large_binary, "binary"),
    (kind.is_fixed_size_binary, "binary"),
    (kind.is_date, "date"),
    (kind.is_time, "time of day"),
    (kind.is_duration, "duration"),
    (kind.is_interval, "interval"),
    (kind.is_temporal, "time"),
    (kind.is_struct, "object"),
    (kind.is_map, "object"),
    (kind.is_union, "value of several types"),
)


def all_wrong(array: pa.Array, wanted: pa.DataType, expected: str, got: str = "") -> Converted:
    error = f"expected {expected}, got {got or kind_of(array.type)}"
    return pa.nulls(len(array), wanted), [(pc.is_valid(array), error)]


def with_nulls(array: pa.Array, fits: pa.Array, error: str) -> Converted:
    """Keep the values that fit (`fits` is null for null); the others become null and are marked."""
    return pc.if_else(fits, array, None), [(pc.invert(fits), error)]


def lost(array: pa.Array, values: pa.Array, error: str) -> Wrong:
    """Marks the rows that had a value before a conversion and are null after it."""
    if values.null_count == array.null_count:
        return []
    return [(pc.and_(pc.is_valid(array), pc.is_null(values)), error)]
