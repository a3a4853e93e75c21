"""Sums in answers: 64-bit integers if they fit, which nearly all do, else decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa


def narrowed(table: pa.Table) -> pa.Table:
    """The table with its columns of whole decimals as int64. A column with a wider value stays decimal(38, 0)."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                column = table.column(index).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(index, field.name, column)
    return table


def plain(values: pa.Array | pa.ChunkedArray) -> list[Any]:
    """The values for an encoder: whole numbers are `int`, however wide; decimals with a fraction stay decimals."""
    found: list[Any] = values.to_pylist()
    return [int(each) if isinstance(each, Decimal) else each for each in found] if is_wide(values) else found


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows by column name, with whole numbers as `int`."""
    wide = [name for name in table.column_names if is_wide(table.column(name))]
    rows: list[dict[str, Any]] = table.to_pylist()
    return [row | {name: int(row[name]) for name in wide if row[name] is not None} for row in rows] if wide else rows


def is_wide(values: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a column of whole numbers has a value of more than 64 bits."""
    return bool(pa.types.is_decimal(values.type)) and values.type.scale == 0
