"""What an account sent, asked and was answered, by day; and its erasures of persons."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airtally.api.pages import ListingPage
from airtally.console.charts import Chart, ChartSeries
from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.time import SECOND_US, day_start_us

_NUMBER, _SIZE = CellKind.NUMBER, CellKind.SIZE
_COLUMNS = (
    TableColumn("Day", lambda each: each.start),
    TableColumn("API", lambda each: each.kind),
    TableColumn("Rows in", lambda each: each.rows_accepted, _NUMBER),
    TableColumn("Refused", lambda each: each.rows_refused, _NUMBER),
    TableColumn("Sent", lambda each: each.bytes_in, _SIZE),
    TableColumn("Requests", lambda each: each.requests, _NUMBER),
    TableColumn("Rows out", lambda each: each.rows_out, _NUMBER),
    TableColumn("Answered", lambda each: each.bytes_out, _SIZE),
)
#: What identifies a person, as the erasure's body names it.
_IDS = ("hwid", "user_id", "cid", "email")


class UsagePages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/usage")
    def usage(self, visit: Visit) -> View:
        answered = self._operations.call(visit, "get_usage", query={"start": None, "end": None})
        rows = table_of(
            visit, "usage", _COLUMNS, lambda *_: ListingPage(answered.usage[::-1], None), "Nothing was used yet."
        )
        return view("usage.html", usage=answered, rows=rows, charts=_charts(answered))

    @console_page("/erasures")
    def erasures(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_erasures", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("Erasure", lambda each: each.id, link=lambda each: visit.path(f"/erasures/{each.id}")),
            TableColumn("Of", lambda each: each.kind),
            TableColumn("State", lambda each: each.state, CellKind.STATE),
            TableColumn("Asked by", lambda each: each.requested_by),
            TableColumn("Asked", lambda each: each.created_at, CellKind.TIME),
            TableColumn("In no answer since", lambda each: each.erased_at, CellKind.TIME),
            TableColumn("Old files gone", lambda each: each.done_at, CellKind.TIME),
            TableColumn("Error", lambda each: each.error),
        )
        listed = table_of(visit, "erasures", columns, read, "Nobody was erased yet.")
        return view("erasures.html", erasures=listed, ids=_IDS, preview=None)

    @console_form("/erasures", again="erasures")
    def erase(self, visit: Visit) -> View | Moved:
        """Counts what there is first; erases if the form says so."""
        body = {name: _words(visit, name) for name in _IDS}
        if "sure" not in visit.form:
            shown = self.erasures(visit)
            found = self._operations.call(visit, "preview_erasure", body=body)
            return View(shown.template, {**shown.context, "preview": found.findings})
        made = self._operations.call(visit, "create_erasure", body=body)
        return Moved(visit.path(f"/erasures/{made.id}"), "The erasure is under way.")

    @console_page("/erasures/{erasure_id}")
    def erasure(self, visit: Visit) -> View:
        found = self._operations.call(visit, "get_erasure", path={"erasure_id": visit.name("erasure_id")})
        return view("erasure.html", erasure=found)


def _words(visit: Visit, name: str) -> list[str]:
    return [word for word in visit.form.get(name, "").replace(",", " ").split() if word]


def _charts(answered: Any) -> list[Chart]:
    """Rows in and requests by day UTC, each day of the interval, by API."""
    first, end = date.fromisoformat(answered.start), date.fromisoformat(answered.end)
    days = [first + timedelta(days=number) for number in range((end - first).days)]
    times = [day_start_us(day) // SECOND_US for day in days]
    kinds = sorted({each.kind for each in answered.usage})

    def chart(title: str, figure: str) -> Chart:
        by_place = {(each.kind, each.start): getattr(each, figure) for each in answered.usage}
        series = [ChartSeries(kind, [by_place.get((kind, day.isoformat()), 0) for day in days]) for kind in kinds]
        return Chart(title, "UTC", times, [each for each in series if any(each.values)], "stacked")

    return [chart("Rows in, by day", "rows_accepted"), chart("Requests, by day", "requests")]
