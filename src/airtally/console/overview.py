"""The overview of an account: whether rows come in and are fresh, and what fails."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import View, view
from airtally.console.visits import Visit

_COLUMNS = (
    TableColumn("Stream", lambda each: each.stream),
    TableColumn("Rows", lambda each: each.rows, CellKind.NUMBER),
    TableColumn("Last received", lambda each: each.last_received, CellKind.TIME),
    TableColumn("Complete until", lambda each: each.data_through, CellKind.TIME),
)


class OverviewPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/overview")
    def overview(self, visit: Visit) -> View:
        def read(_cursor: str | None, _limit: int) -> Any:
            return self._operations.call(visit, "list_freshness")

        return view("overview.html", streams=table_of(visit, "streams", _COLUMNS, read, "No stream has rows yet."))
