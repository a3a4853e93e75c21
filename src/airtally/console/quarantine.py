"""Refused rows: why each was refused, corrected and sent again, or dropped."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from airtally.accounts.permissions import Permission
from airtally.console.declared import console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.errors import BadRequest

_EMPTY = "No row was refused. Rows that are come here with their line, field and reason, and can be corrected."
#: Rows of one entry that a page lets people correct: each has a field of its own.
_CORRECTED_ROWS = 50
#: Characters of a row that is shown over several lines, and of these: a row of many levels would become a huge one.
_INDENTED, _MOST_INDENTED = 4096, 16_384
#: The field of a row that may be corrected.
_ROW_FIELD = re.compile(r"row-([0-9]{1,18})")


class QuarantinePages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/quarantine")
    def quarantine(self, visit: Visit) -> View:
        stream = visit.query.get("stream") or None

        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(
                visit, "list_quarantine", query={"cursor": cursor, "limit": limit, "stream": stream}
            )

        columns = (
            TableColumn("Entry", lambda each: each.id, link=lambda each: visit.path(f"/quarantine/{each.id}")),
            TableColumn("Stream", lambda each: each.stream),
            TableColumn("Rows", lambda each: each.rows, CellKind.NUMBER),
            TableColumn("First reason", lambda each: each.first_error),
            TableColumn("Came by", lambda each: each.source),
            TableColumn("Received", lambda each: each.received_at, CellKind.TIME),
            TableColumn("Sent again", lambda each: each.resent_at, CellKind.TIME),
        )
        streams = [each.name for each in self._operations.call(visit, "list_streams").items]
        usage = self._operations.call(visit, "get_quarantine_usage")
        entries = table_of(visit, "quarantine", columns, read, _EMPTY)
        return view("quarantine.html", entries=entries, usage=usage, streams=streams, stream=stream)

    @console_page("/quarantine/{entry_id}")
    def quarantine_entry(self, visit: Visit) -> View:
        path = {"entry_id": visit.name("entry_id")}

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": min(limit, _CORRECTED_ROWS)}
            return self._operations.call(visit, "list_quarantined_rows", path=path, query=query)

        columns = (
            TableColumn("Line", lambda each: each.line, CellKind.NUMBER),
            TableColumn("Field", lambda each: each.field),
            TableColumn("Reason", lambda each: each.error),
            TableColumn("Row as received", lambda each: each.raw or f"(base64) {each.raw_base64}", CellKind.CODE),
        )
        entry = self._operations.call(visit, "get_quarantine_entry", path=path)
        rows = table_of(visit, f"quarantine-{entry.id}", columns, read, "The entry has no rows.")
        may_mend = visit.may(Permission.ADMIN) and entry.resent_at is None
        return view("quarantine_entry.html", entry=entry, rows=rows, may_mend=may_mend, editable=_editable)

    @console_form("/quarantine/{entry_id}/resend", again="quarantine_entry")
    def resend_entry(self, visit: Visit) -> Moved:
        """All rows of the entry are sent, those of the page as they were corrected."""
        entry_id = visit.name("entry_id")
        answered = self._operations.call(
            visit, "resend_quarantine_entry", path={"entry_id": entry_id}, body={"edited": _edited(visit)}
        )
        words = f"{answered.accepted} of {answered.accepted + answered.rejected} rows were accepted."
        if answered.rejected:
            words += " The others are in a new entry, with their reasons."
        return Moved(visit.path("/quarantine"), words)

    @console_form("/quarantine/{entry_id}/drop", again="quarantine_entry")
    def drop_entry(self, visit: Visit) -> Moved:
        entry_id = visit.name("entry_id")
        self._operations.call(visit, "drop_quarantine_entry", path={"entry_id": entry_id})
        return Moved(visit.path("/quarantine"), f"Entry {entry_id} and its rows are deleted.")


def _editable(row: Any) -> str:
    """The row as JSON over several lines; the text as received where it is no JSON, long, or of many levels."""
    text = str(row.row or row.raw or "")
    if len(text) > _INDENTED:
        return text
    try:
        indented = msgspec.json.format(text.encode(), indent=2).decode()
    except (msgspec.DecodeError, RecursionError):
        return text
    return indented if len(indented) <= _MOST_INDENTED else text


def _edited(visit: Visit) -> list[dict[str, Any]]:
    """The rows that were changed in the form: `row-3` is that of line 3, `was-3` what the form had."""
    found = []
    for name in visit.form:
        named = _ROW_FIELD.fullmatch(name)
        if named is None or _plain(visit.form[name]) == _plain(visit.form.get(f"was-{named[1]}", "")):
            continue
        line = named[1]
        try:
            row = msgspec.json.decode(visit.form[name].encode(), type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest(f"The row of line {line} is not a JSON object: {error}") from None
        found.append({"line": int(line), "row": row})
    return found


def _plain(text: str) -> str:
    """Browsers send line ends as CR LF."""
    return text.replace("\r\n", "\n").strip()
