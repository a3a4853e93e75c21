"""The page Explore: the form, its answer as charts and table, and what can be taken elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Response

from airtally.console.declared import console_page
from airtally.console.explore.answers import DOWNLOADS, ExploreAnswer, ExploreAsker
from airtally.console.explore.conditions import OPERATORS
from airtally.console.explore.copies import copied_question
from airtally.console.explore.figures import figure_table, figure_totals
from airtally.console.explore.offers import OfferedColumns, OfferedStreams
from airtally.console.explore.series import drawn_figures
from airtally.console.explore.state import CHARTS, COMPARISONS, GRAINS, MATCHES, RANGES, ExploreState, read_state
from airtally.console.operations import ConsoleOperations
from airtally.console.views import Moved, View
from airtally.console.visits import Visit
from airtally.kit.errors import NotFound
from airtally.kit.zones import zone_names

_CHOICES = {"operators": OPERATORS, "charts": CHARTS, "comparisons": COMPARISONS, "grains": GRAINS, "matches": MATCHES}


class ExplorePages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations
        self._asker = ExploreAsker(operations)

    @console_page("/explore")
    def explore(self, visit: Visit) -> View | Moved | Response[Any]:
        """A link without a stream leads to that of the stream with the most rows."""
        streams = OfferedStreams.read(self._operations, visit)
        if not visit.fields.get("stream"):
            return Moved(_link(visit, ExploreState(streams.first, visit.account.timezone)))
        asked = self._asker.ask(visit, self._state(visit))
        name = visit.query.get("download")
        if name in DOWNLOADS and asked.status == 200:
            return self._file(visit, asked, str(name))
        return self._shown(visit, asked, streams)

    def _state(self, visit: Visit) -> ExploreState:
        """Where the form was made for another stream, without the columns that this one does not have."""
        state = read_state(visit.fields, visit.account.timezone)
        if visit.fields.get("for", state.stream) == state.stream:
            return state
        try:
            found = self._operations.call(visit, "get_stream", path={"stream": state.stream})
        except NotFound:
            return state
        return state.with_stream(found.name, [each.name for each in found.columns])

    def _file(self, visit: Visit, asked: ExploreAnswer, name: str) -> Moved | Response[Any]:
        if asked.export_id is not None:
            return Moved(visit.path(f"/exports/{asked.export_id}"))
        return self._asker.file(visit, asked, name)

    def _shown(self, visit: Visit, asked: ExploreAnswer, streams: OfferedStreams) -> View:
        columns = OfferedColumns.read(self._operations, visit, asked.state.stream)
        link = _link(visit, asked.state)
        context: dict[str, Any] = {
            **_CHOICES,
            "asked": asked,
            "state": asked.state,
            "link": link,
            "today": _link(visit, replace(asked.state, range="today", start="", end="")),
            "streams": streams,
            "columns": columns,
            "ranges": _ranges(asked.state),
            "zones": zone_names(),
            "instead": [(each, _link(visit, each)) for each in asked.instead],
        }
        if asked.is_answered:
            currency = visit.account.currency
            context["drawn"] = drawn_figures(asked)
            context["table"] = figure_table(asked, currency)
            context["totals"] = figure_totals(asked, currency)
            context["copied"] = copied_question(asked, str(visit.request.base_url).rstrip("/"))
        return View("explore.html", context, "explore", asked.status, {"HX-Push-Url": link})


def _link(visit: Visit, state: ExploreState) -> str:
    return f"{visit.path('/explore')}?{state.query_string}"


def _ranges(state: ExploreState) -> list[str]:
    """Those that the form offers, and that of the state."""
    return [*RANGES, *([state.range] if state.range and state.range not in RANGES else [])]
