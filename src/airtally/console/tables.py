"""Listings as tables: columns, pages that a cursor leads through, and the whole listing as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litestar import Response

from airtally.console.visits import Visit
from airtally.kit.errors import Unprocessable

#: Rows of a page.
PAGE_ROWS = 50
#: Rows of a CSV file; a longer listing is cut, and its last line says so.
CSV_ROWS = 100_000
_CSV_PAGE = 1000
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CellKind(StrEnum):
    """How a value is shown, and sorted in the browser. `TIME` takes RFC 3339 or microseconds UTC."""

    TEXT = "text"
    CODE = "code"
    NUMBER = "number"
    SIZE = "size"
    TIME = "time"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """`value` reads an item's cell, `link` where the cell leads."""

    label: str
    value: Callable[[Any], Any]
    kind: CellKind = CellKind.TEXT
    link: Callable[[Any], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A page of a listing. `read` gives the page after a cursor, of so many items, with its `items` and `next`.

    `name` is unique on its page. `empty` says what to do while there is nothing; `actions` names a macro of the template
    that adds a cell of buttons.
    """

    name: str
    columns: Sequence[TableColumn]
    items: Sequence[Any]
    next: str | None
    empty: str
    read: Callable[[str | None, int], Any]

    @property
    def cursor_field(self) -> str:
        return f"{self.name}-after"

    def as_csv(self) -> Response[bytes]:
        """All of the listing. Texts that a spreadsheet would run as formulas begin with an apostrophe."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([column.label for column in self.columns])
        for count, item in enumerate(self._all_items()):
            if count == CSV_ROWS:
                writer.writerow([f"cut after {CSV_ROWS} rows"])
                break
            writer.writerow([_csv_cell(column.value(item)) for column in self.columns])
        headers = {"Content-Disposition": f'attachment; filename="{self.name}.csv"', "Cache-Control": "no-store"}
        return Response(text.getvalue().encode(), media_type="text/csv", headers=headers)

    def _all_items(self) -> Iterator[Any]:
        cursor = None
        while True:
            page = self.read(cursor, _CSV_PAGE)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return


def table_of(
    visit: Visit, name: str, columns: Sequence[TableColumn], read: Callable[[str | None, int], Any], empty: str
) -> Table:
    """The page that the visit asks for; the first one after a cursor that is no longer good."""
    asked = visit.query.get(f"{name}-after")
    try:
        page = read(asked, PAGE_ROWS)
    except Unprocessable:
        if asked is None:
            raise
        page = read(None, PAGE_ROWS)
    return Table(name, columns, page.items, page.next, empty, read)


def csv_asked(visit: Visit, shown: Iterable[object]) -> Table | None:
    """The table of the page that is asked for as CSV."""
    name = visit.query.get("csv")
    tables = (each for each in shown if isinstance(each, Table))
    return None if name is None else next((each for each in tables if each.name == name), None)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return "" if value is None else value
