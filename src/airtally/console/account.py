"""Settings of an account, and its streams with their columns."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.zones import zone_names


class AccountPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/settings")
    def settings(self, visit: Visit) -> View:  # noqa: ARG002 (the template has it)
        return view("settings.html", zones=zone_names())

    @console_form("/settings", again="settings")
    def change_settings(self, visit: Visit) -> Moved:
        body = {name: visit.form.text(name) for name in ("name", "timezone", "currency")}
        self._operations.call(visit, "change_account", path={"slug": visit.account.slug}, body=body)
        words = "The account is changed."
        if body["timezone"] not in {None, visit.account.timezone}:
            words += " The new time zone counts for every answer from now on."
        return Moved(visit.path("/settings"), words)

    @console_page("/streams")
    def streams(self, visit: Visit) -> View:
        fresh = {each.stream: each for each in self._operations.call(visit, "list_freshness").items}

        def read(_cursor: str | None, _limit: int) -> Any:
            return self._operations.call(visit, "list_streams")

        columns = (
            TableColumn("Stream", lambda each: each.name, link=lambda each: visit.path(f"/streams/{each.name}")),
            TableColumn("What a row is", lambda each: each.doc),
            TableColumn("Kind", lambda each: each.kind),
            TableColumn("Rows", lambda each: fresh[each.name].rows, CellKind.NUMBER),
            TableColumn("Last received", lambda each: fresh[each.name].last_received, CellKind.TIME),
            TableColumn("Kept", lambda each: "for ever" if each.kept_days is None else f"{each.kept_days} days"),
        )
        return view("streams.html", streams=table_of(visit, "streams", columns, read, "There is no stream."))

    @console_page("/streams/{stream}")
    def stream(self, visit: Visit) -> View:
        path = {"stream": visit.name("stream")}
        found = self._operations.call(visit, "get_stream", path=path)
        fresh = self._operations.call(visit, "get_freshness", path=path)
        records = self._records(visit, found) if found.kind == "changelog" else None
        return view("stream.html", stream=found, fresh=fresh, records=records)

    def _records(self, visit: Visit, stream: Any) -> Any:
        prefix = visit.query.get("prefix") or None

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit, "prefix": prefix}
            return self._operations.call(visit, "list_records", path={"stream": stream.name}, query=query)

        columns = [TableColumn("Record", lambda each: each.record)]
        columns += [_value_column(each.name) for each in stream.columns if each.name not in stream.key]
        return table_of(visit, "records", columns, read, "No record yet: send rows, or declare one under Connect.")


def _value_column(name: str) -> TableColumn:
    return TableColumn(name, lambda each: each.values.get(name), CellKind.CODE)
