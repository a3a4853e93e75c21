"""Exports: rows, answers or statements as files, made, watched, fetched and deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.console.declared import console_form, console_page
from airtally.console.delivery.export_specs import COMPRESSIONS, FORMATS, MAKES, RANGES, spec_of, stream_choices
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit

_EMPTY = "No export was made yet. Make the first one below."
_NO_PARTS = "Its files are listed here once it is done."
_COMING = ("queued", "running")
_PARTS = (
    TableColumn("Part", lambda each: each.name, link=lambda each: each.url),
    TableColumn("Rows", lambda each: each.rows, CellKind.NUMBER),
    TableColumn("Size", lambda each: each.bytes, CellKind.SIZE),
    TableColumn("SHA-256", lambda each: each.sha256, CellKind.CODE),
)


class ExportPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/exports")
    def exports(self, visit: Visit) -> View:
        """`?query=` and `?sql=` fill the form with a question or a statement, as Explore's links do."""

        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_exports", query={"cursor": cursor, "limit": limit})

        listed = table_of(visit, "exports", _columns(visit), read, _EMPTY)
        given = next(
            (make for make, field in (("question", "query"), ("sql", "sql")) if visit.query.get(field)), "rows"
        )
        make = visit.form.get("make") or visit.query.get("make") or given
        return view(
            "delivery/exports.html",
            fragment="listing",
            exports=listed,
            moving=any(each.state in _COMING for each in listed.items),
            streams=stream_choices(self._operations, visit),
            makes=MAKES,
            make=make if make in dict(MAKES) else "rows",
            formats=FORMATS,
            compressions=COMPRESSIONS,
            ranges=RANGES,
        )

    @console_form("/exports", again="exports")
    def make_export(self, visit: Visit) -> Moved:
        made = self._operations.call(visit, "create_export", body=spec_of(visit.form))
        return Moved(visit.path(f"/exports/{made.id}"), f"Export {made.id} is under way.")

    @console_page("/exports/{export_id}")
    def export(self, visit: Visit) -> View:
        path = {"export_id": visit.name("export_id")}
        found = self._operations.call(visit, "get_export", path=path)

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit}
            return self._operations.call(visit, "list_export_parts", path=path, query=query)

        return view(
            "delivery/export.html",
            fragment="state",
            export=found,
            asked=asked_text(found),
            parts=table_of(visit, "parts", _PARTS, read, _NO_PARTS),
            moving=found.state in _COMING,
        )

    @console_form("/exports/{export_id}/delete", again="export")
    def delete_export_form(self, visit: Visit) -> Moved:
        export_id = visit.name("export_id")
        self._operations.call(visit, "delete_export", path={"export_id": export_id})
        return Moved(visit.path(f"/exports/{export_id}"), f"Export {export_id} is stopped, its files are deleted.")


def asked_text(export: Any) -> str:
    """What it holds: JSON of the rows or the question, or the statement."""
    if export.asked_sql is not None:
        return str(export.asked_sql)
    asked = export.asked_rows if export.asked_rows is not None else export.asked_query
    return msgspec.json.format(msgspec.json.encode(asked), indent=2).decode()


def _what(export: Any) -> str:
    if export.asked_rows is not None:
        return f"rows of {export.asked_rows.stream}"
    return (
        "a statement" if export.asked_sql is not None else f"figures of {(export.asked_query or {}).get('stream', '')}"
    )


def _columns(visit: Visit) -> tuple[TableColumn, ...]:
    return (
        TableColumn("Export", lambda each: each.id, link=lambda each: visit.path(f"/exports/{each.id}")),
        TableColumn("What", _what),
        TableColumn("State", lambda each: each.state, CellKind.STATE),
        TableColumn("Format", lambda each: f"{each.format}, {each.compression}"),
        TableColumn("Rows", lambda each: each.rows, CellKind.NUMBER),
        TableColumn("Size", lambda each: each.bytes, CellKind.SIZE),
        TableColumn("Asked for", lambda each: each.created_at, CellKind.TIME),
        TableColumn("Asked for by", lambda each: each.requested_by),
    )
