"""Listings of rows that may be large: no page has more of them than memory is meant for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func

from airtally.database.rows import AnyRow

#: Of one page, as stored; in memory and as an answer it is several times as large.
MOST_CHARACTERS = 4 << 20


def fitting_rows(connection: Connection, query: Select[Any], large: ColumnElement[str], limit: int) -> Sequence[AnyRow]:
    """The first rows of a listing, `limit` at most, and fewer where their texts in the column `large` are."""
    sizes = query.with_only_columns(func.length(large)).limit(limit)
    return connection.execute(query.limit(_how_many_fit(connection, sizes))).all()


def _how_many_fit(connection: Connection, sizes: Select[Any], most: int = MOST_CHARACTERS) -> int:
    """How many of the first rows have at most so many characters together; one at least, where there is any.

    `sizes` gives the characters of each, in the order of the listing.
    """
    number = total = 0
    for size in connection.execute(sizes).scalars():
        total += size
        if number and total > most:
            break
        number += 1
    return number
