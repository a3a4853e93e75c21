"""The overview of an account: whether rows come in and are fresh, and what fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airtally.api.pages import ListingPage
from airtally.console.charts import Chart, ChartSeries
from airtally.console.declared import console_page
from airtally.console.formats import age_text, moment_of, number
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.troubles import Tile, standing_tiles, troubles_of
from airtally.console.views import View, view
from airtally.console.visits import Visit
from airtally.kit.time import DAY_US, from_datetime
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind

#: A stream of events whose last row came longer ago is silent.
SILENT_US = DAY_US
_GRAINS = {"month": "day", "day": "hour"}
_SPANS = {"month": "30 days", "day": "24 hours"}


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as the overview lists it; `state` is fresh, silent or no rows."""

    name: str
    rows: int
    last_received: str | None
    data_through: str
    state: str


@dataclass(frozen=True, slots=True)
class StreamChart:
    """`total` rows in the span, `late` of them received today for the days before. `error`: why there is no chart."""

    stream: str
    chart: Chart
    total: int
    late: int
    error: str | None


class OverviewPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/overview")
    def overview(self, visit: Visit) -> View:
        """The page; for htmx one of its parts alone, which the page asks for anew while it is looked at."""
        if not visit.wants_fragment:
            states = self._states(visit)
            return view(
                "overview.html", **self._charts(visit), **self._figures(visit, states), **_stream_table(visit, states)
            )
        match visit.query.get("part"):
            case "charts":
                return view("overview.html", fragment="charts", **self._charts(visit))
            case "streams":
                return view("overview.html", fragment="streams", **_stream_table(visit, self._states(visit)))
            case _:
                return view("overview.html", fragment="figures", **self._figures(visit, self._states(visit)))

    def _states(self, visit: Visit) -> list[StreamState]:
        return [_stream_state(visit, each) for each in self._operations.call(visit, "list_freshness").items]

    def _figures(self, visit: Visit, states: Sequence[StreamState]) -> Mapping[str, Any]:
        standing = self._operations.call(visit, "get_overview")
        troubles = troubles_of(visit, standing, [each.name for each in states if each.state == "silent"])
        last = max((each.last_received for each in states if each.last_received), default=None)
        stored = number(sum(each.rows for each in states))
        tiles = [Tile("Rows stored", stored, visit.path("/streams"), "repeats too, until compaction")]
        return {
            "troubles": troubles,
            "tiles": [*tiles, *standing_tiles(visit, standing)],
            "last_received": last,
            "has_rows": last is not None,
            "last_published": standing.last_published_at,
        }

    def _charts(self, visit: Visit) -> Mapping[str, Any]:
        asked = visit.query.get("span")
        span = asked if asked in _SPANS else "month"
        found = self._operations.call(visit, "get_activity", query={"grain": _GRAINS[span]})
        charts = [_chart_of(each, found.timezone, _SPANS[span]) for each in found.streams]
        drawn = [each for each in charts if each.total or each.error]
        drawn.sort(key=lambda each: STREAMS[each.stream].kind is not Kind.EVENT)
        return {
            "span": span,
            "spans": _SPANS,
            "charts": drawn,
            "quiet": [each.stream for each in charts if each not in drawn],
            "latest": sum(each.rows[-1] for each in found.streams if each.rows),
            "late": sum(each.late for each in charts),
        }


def _stream_table(visit: Visit, states: Sequence[StreamState]) -> Mapping[str, Any]:
    columns = _stream_columns(visit)
    return {
        "streams": table_of(
            visit, "streams", columns, lambda *_: ListingPage(list(states), None), "There is no stream."
        )
    }


def _stream_columns(visit: Visit) -> Sequence[TableColumn]:
    return (
        TableColumn("Stream", lambda each: each.name, link=lambda each: visit.path(f"/streams/{each.name}")),
        TableColumn("State", lambda each: each.state, CellKind.STATE),
        TableColumn("Rows stored", lambda each: each.rows, CellKind.NUMBER),
        TableColumn("Last received", lambda each: each.last_received, CellKind.TIME),
        TableColumn("Age", lambda each: age_text(each.last_received, visit.now_us)),
        TableColumn("Complete until", lambda each: each.data_through, CellKind.TIME),
    )


def _stream_state(visit: Visit, fresh: Any) -> StreamState:
    state = "no rows"
    if fresh.last_received is not None:
        old = visit.now_us - from_datetime(moment_of(fresh.last_received)) > SILENT_US
        state = "silent" if old and STREAMS[fresh.stream].kind is Kind.EVENT else "fresh"
    return StreamState(fresh.stream, fresh.rows, fresh.last_received, fresh.data_through, state)


def _chart_of(activity: Any, zone: str, span: str) -> StreamChart:
    times = [int(datetime.fromisoformat(each).timestamp()) for each in activity.times]
    total = sum(activity.rows)
    title = f"{activity.stream}: {number(total)} rows in {span}"
    chart = Chart(title, zone, times, [ChartSeries("rows", activity.rows)], "bar")
    return StreamChart(activity.stream, chart, total, activity.late_rows, activity.error)
