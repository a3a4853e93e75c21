"""Rows read by the names of their columns, so that a column in another place cannot shift values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row
from sqlalchemy.sql.elements import NamedColumn

#: A row of whatever columns.
AnyRow = Row[*tuple[Any, ...]]


def values_of(row: AnyRow, columns: Iterable[NamedColumn[Any]]) -> dict[str, Any]:
    """The values of these columns by their names or labels, wherever they are in the row and whatever else is in it.

    Columns of other tables may have the same names. Raises NoSuchColumnError for a column that was not selected.
    """
    found = row._mapping  # noqa: SLF001 (the public name of a row's mapping; the underscore keeps columns' names free)
    return {column.name: found[column] for column in columns}
