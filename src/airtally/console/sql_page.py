"""SQL: one SELECT over the account's tables, its answer as a table or a file, and the tables there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Response

from airtally.api.formats import MEDIA_TYPES
from airtally.api.operation import JSON
from airtally.console.declared import console_form, console_page
from airtally.console.explore.answers import DOWNLOADS, as_file
from airtally.console.operations import ConsoleOperations
from airtally.console.sql_examples import EXAMPLES
from airtally.console.views import Moved, View
from airtally.console.visits import Visit
from airtally.kit.errors import Failure
from airtally.streams.declaration import Kind

#: Rows that the page shows; a file has all.
SHOWN_ROWS = 1000
#: The longest statement that a link carries: beyond it, browsers and proxies cut addresses.
LINKED_CHARACTERS = 4000
#: Characters of a cell that the page shows.
_CELL = 400
#: Types of columns that stand on the right; wide sums are texts.
_NUMBERS = frozenset({"int64", "int32", "double", "float"})


@dataclass(frozen=True, slots=True)
class SchemaTable:
    """A table of statements. `columns` are names with their types, or without for those of a rollup."""

    name: str
    doc: str
    columns: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SqlOutcome:
    """What became of a statement. `place` are the line that an error is in, with a mark below it."""

    rows: Sequence[Sequence[str]] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    place: str = ""
    export_id: int | None = None


class SqlPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/sql")
    def sql(self, visit: Visit) -> View | Moved | Response[Any]:
        """The statement of the link is run: it only reads."""
        return self._answered(visit, visit.fields.get("sql", ""), visit.query.get("download"))

    @console_form("/sql", again="sql")
    def run_statement(self, visit: Visit) -> View | Moved | Response[Any]:
        """Leads to the link that carries the statement, where that is short enough."""
        text = visit.form.get("sql", "").replace("\r\n", "\n").strip()
        download = visit.form.get("download")
        if download not in DOWNLOADS and len(text) <= LINKED_CHARACTERS:
            return Moved(visit.path("/sql", sql=text))
        return self._answered(visit, text, download)

    def _answered(self, visit: Visit, text: str, download: str | None) -> View | Moved | Response[Any]:
        outcome = None
        if text.strip():
            outcome = self._outcome(visit, text, download if download in DOWNLOADS else None)
        if isinstance(outcome, Response):
            return outcome
        if outcome is not None and outcome.export_id is not None and download in DOWNLOADS:
            return Moved(visit.path(f"/exports/{outcome.export_id}"))
        context: dict[str, Any] = {"text": text, "outcome": outcome, "tables": self._tables(visit)}
        context |= {"examples": EXAMPLES, "linked": len(text) <= LINKED_CHARACTERS, "numbers": _NUMBERS}
        failure = None if outcome is None else outcome.failure
        return View("sql.html", context, status=200 if failure is None else failure.status)

    def _outcome(self, visit: Visit, text: str, download: str | None) -> SqlOutcome | Response[Any]:
        accept = JSON if download is None else MEDIA_TYPES[DOWNLOADS[download]][0]
        try:
            response = self._operations.raw(visit, "run_sql", body=msgspec.json.encode({"sql": text}), accept=accept)
        except Failure as failure:
            if failure.status >= 500 and failure.status != 503:
                raise
            return SqlOutcome(failure=failure, place=_marked_place(text, failure.details))
        if response.status_code == 202:
            return SqlOutcome(export_id=msgspec.json.decode(response.content)["id"])
        if download is not None:
            return as_file(response, f"statement.{download}")
        answer = msgspec.json.decode(response.content)
        names = [each["name"] for each in answer["columns"]]
        rows = [[_shown_value(row[name]) for name in names] for row in answer["rows"][:SHOWN_ROWS]]
        return SqlOutcome(rows, answer)

    def _tables(self, visit: Visit) -> list[SchemaTable]:
        listed = self._operations.call(visit, "list_streams").items
        streams = [self._operations.call(visit, "get_stream", path={"stream": each.name}) for each in listed]
        return [table for each in streams for table in _tables_of(each)]


def _tables_of(stream: Any) -> list[SchemaTable]:
    """The stream, the versions of a changelog, and the rollups."""
    columns = [(each.name, each.type) for each in stream.columns]
    found = [SchemaTable(stream.name, stream.doc, columns)]
    if stream.kind is Kind.CHANGELOG:
        found.append(SchemaTable(f"{stream.name}_versions", f"Every version of the records of {stream.name}.", columns))
    for each in stream.rollups:
        names = [(name, "") for name in ("time", *each.dimensions, *each.measures)]
        found.append(SchemaTable(each.name, f"Stored figures of {stream.name}.", names))
    return found


def _marked_place(text: str, details: Mapping[str, Any]) -> str:
    """The line of the statement that is wrong, and a caret below the column; empty for an error without a place."""
    lines = text.splitlines() or [""]
    line, column = details.get("line"), details.get("column")
    if line is None or column is None or not 0 < line <= len(lines):
        return ""
    before = lines[line - 1][: column - 1]
    start = max(0, len(before) - 100)
    shown, number = lines[line - 1][start : start + 160], f"{line} | "
    return f"{number}{shown}\n{' ' * (len(number) + len(before) - start)}^"


def _shown_value(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
