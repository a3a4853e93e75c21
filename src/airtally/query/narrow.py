"""Sums as they are answered: of 64 bits where they fit, which is all but always."""

from __future__ import annotations

import pyarrow as pa


def narrowed(table: pa.Table) -> pa.Table:
    """Columns of whole decimals as int64, but for one with a value that is wider: that stays decimal(38, 0)."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                column = table.column(index).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(index, field.name, column)
    return table
