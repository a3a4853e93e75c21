"""Encodes columns of Python values as rows of JSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
#: With more columns no type is made for the rows: that takes 10 µs a column.
_MOST = 100


def encoded_rows(columns: Mapping[str, Sequence[Any]], count: int) -> list[bytes]:
    """`count` rows as JSON objects; None is left out."""
    row = _row_type(tuple(columns)) if 0 < len(columns) <= _MOST else None
    if row is not None:  # takes a quarter of the time of dictionaries
        return list(map(_encode, map(row, *columns.values())))
    rows = zip(*columns.values(), strict=True) if columns else [()] * count
    return [
        _encode({name: value for name, value in zip(columns, values, strict=True) if value is not None})
        for values in rows
    ]


@lru_cache(64)
def _row_type(names: tuple[str, ...]) -> Any:
    """A msgspec type with these fields; None for names that msgspec cannot write, such as with a quote inside."""
    fields = [(f"c{number}", Any, None) for number in range(len(names))]
    written = {field: name for (field, *_), name in zip(fields, names, strict=True)}
    try:
        return msgspec.defstruct("Row", fields, rename=written, omit_defaults=True, gc=False)
    except (ValueError, TypeError):
        return None
