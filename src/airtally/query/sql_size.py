"""How large an answer to a statement may be: small columns of Arrow can be very long as text."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from airtally.kit.errors import LimitExceeded, Unprocessable

MAX_COLUMNS = 500
#: Values, those within lists and structures among them.
MAX_CELLS = 5_000_000
#: Bytes of the column names, once for each row, as JSON repeats them.
MAX_NAMES = 64 << 20


def check_columns(schema: pa.Schema) -> None:
    """Raises LimitExceeded, and Unprocessable where two columns have one name."""
    repeated = [name for name, count in Counter(schema.names).items() if count > 1]
    if repeated:
        raise Unprocessable(f"Two columns of the answer are called {repeated[0][:64]!r}", hint="Name them with AS.")
    if len(schema) > MAX_COLUMNS:
        raise LimitExceeded(f"The answer has {len(schema)} columns, and may have {MAX_COLUMNS}.")


def is_too_large(table: pa.Table) -> bool:
    """Whether text of it would be: by its values, or by its columns' names."""
    names = sum(len(name.encode()) for name in table.column_names)
    cells = sum(_cells(chunk) for column in table.columns for chunk in column.chunks)
    return cells > MAX_CELLS or names * table.num_rows > MAX_NAMES


def _cells(values: pa.Array) -> int:
    if pa.types.is_struct(values.type):
        return len(values) + sum(_cells(each) for each in values.flatten())
    if pa.types.is_nested(values.type):
        return len(values) + _cells(values.flatten())
    return len(values)
