"""Sums wider than 64 bits: a segment's columns are int64, so such a figure is stored as several rows that add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airtally.rollups.table import stored_schema
from airtally.streams.declaration import ACCOUNT
from airtally.streams.rollup import Rollup

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def to_segment_rows(figures: pa.Table, rollup: Rollup) -> pa.Table:
    """Figures as rows of a file of segments. Nearly always all fit into 64 bits and are only cast."""
    schema = stored_schema(rollup)
    try:
        return figures.cast(schema)
    except pa.ArrowInvalid:
        wide = [field.name for field in figures.schema if pa.types.is_decimal(field.type)]
    over = reduce(pc.or_kleene, (_outside(figures[name]) for name in wide))
    tables = [figures.filter(pc.invert(over)).cast(schema)]
    pieces = [piece for row in figures.filter(over).to_pylist() for piece in _split_sums(row, wide)]
    tables.append(pa.Table.from_pylist(pieces, schema))
    order = (ACCOUNT.name, *rollup.dimensions, "time")
    return pa.concat_tables(tables).sort_by([(name, "ascending") for name in order])


def _outside(figures: pa.ChunkedArray) -> pa.ChunkedArray:
    least, most = (pa.scalar(Decimal(each), pa.decimal128(38)) for each in (_LEAST, _MOST))
    return pc.fill_null(pc.or_(pc.less(figures, least), pc.greater(figures, most)), fill_value=False)


def _split_sums(row: dict[str, Any], wide: list[str]) -> Iterator[dict[str, Any]]:
    """Rows whose sums add up to those of `row`; each repeats its other figures (minimum, maximum)."""
    rest = {name: int(row[name] or 0) for name in wide}
    while True:
        piece = {name: min(max(value, _LEAST), _MOST) for name, value in rest.items()}
        yield row | piece
        rest = {name: value - piece[name] for name, value in rest.items()}
        if not any(rest.values()):
            return
