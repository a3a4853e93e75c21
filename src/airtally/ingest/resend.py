"""Resends quarantined rows, after the cause of their rejection was corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.checked import Checked
from airtally.ingest.decode import read_rows
from airtally.ingest.earlier import row_of_earlier
from airtally.ingest.loading import Load, Loading
from airtally.ingest.locks import Locks
from airtally.ingest.quarantine import Entry, Quarantine
from airtally.ingest.rejected import RejectedRow
from airtally.kit.errors import Conflict, Unprocessable
from airtally.storage.store import EventStore
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream


@dataclass(frozen=True, slots=True)
class Resent:
    accepted: int
    rejected: int


class Resend:
    """Sends the rows of an entry again: it keeps the accepted ones and counts as resent; the others get a new entry.

    Thread-safe by a lock for each entry (`Locks`).
    """

    def __init__(
        self, *, admission: Admission, loading: Loading, event_store: EventStore, quarantine: Quarantine, locks: Locks
    ) -> None:
        self._admission = admission
        self._loading = loading
        self._event_store = event_store
        self._quarantine = quarantine
        self._locks = locks

    def run(
        self,
        account: Account,
        entry_id: int,
        *,
        columns: Sequence[str] = (),
        edited: Mapping[int, bytes] | None = None,
    ) -> Resent:
        """`columns` are those of the CSV file of an entry made by a release before 0.2, which did not keep them.

        `edited` has JSON objects that stand for rows, by their line. Where one is wrong still, it stays in quarantine as
        it was edited, with what was received. Raises NotFound for an entry that is not the account's, Conflict for one
        that was resent already, Unprocessable for a line that the entry does not have.
        """
        with self._locks.held("resend", account.slug, str(entry_id)):
            entry = self._quarantine.entry(account, entry_id)
            if entry.resent_at is not None:
                raise Conflict(f"Quarantine entry {entry_id} was sent again already")
            return self._run(account, entry, columns, edited or {})

    def _run(self, account: Account, entry: Entry, columns: Sequence[str], edited: Mapping[int, bytes]) -> Resent:
        """The entry is split before its rows are committed under its id, so that an interrupted run can be repeated."""
        stream, app_id = STREAMS[entry.stream], f"resend:{entry.id}"
        if self._event_store.committed(stream, app_id) is not None:
            self._quarantine.mark_resent(account, entry.id)
            return Resent(entry.rows, 0)
        rows = _with_edits(list(self._quarantine.rows(account, entry.id)), edited)
        checked, taken, left = self._judged(stream, account, entry, rows, columns)
        if left:
            self._quarantine.split(account, entry, taken, left)
        if taken:
            self._loading.append(Load(stream, account, app_id, 1, entry.source), checked)
            self._quarantine.mark_resent(account, entry.id)
        return Resent(len(taken), len(left))

    def _judged(
        self, stream: Stream, account: Account, entry: Entry, rows: list[RejectedRow], columns: Sequence[str]
    ) -> tuple[Checked, list[RejectedRow], list[RejectedRow]]:
        """The checked rows to commit, the entry's rows that they are, and the entry's other rows."""
        forms = [_form(stream, entry.source, row, columns) for row in rows]
        readable = [place for place, form in enumerate(forms) if isinstance(form, bytes)]
        body = b"".join(bytes(form) + b"\n" for form in forms if isinstance(form, bytes))
        checked = self._admission.check(stream, account, read_rows(stream, body, "application/x-ndjson"))
        wrong = {place: rows[place] for place in range(len(rows))}
        for place in readable:
            del wrong[place]
        for place, form in enumerate(forms):
            if isinstance(form, str):
                wrong[place] = msgspec.structs.replace(rows[place], field=None, error=form)
        for error in checked.errors:
            place = readable[error.line - 1]
            wrong[place] = msgspec.structs.replace(rows[place], field=error.field, error=error.error)
        taken = [row for place, row in enumerate(rows) if place not in wrong]
        return Checked(checked.rows, []), taken, [wrong[place] for place in sorted(wrong)]


def _with_edits(rows: list[RejectedRow], edited: Mapping[int, bytes]) -> list[RejectedRow]:
    unknown = set(edited) - {row.line for row in rows}
    if unknown:
        raise Unprocessable(f"The entry has no row of line {min(unknown)}")
    return [
        msgspec.structs.replace(row, form="row", row=_on_one_line(edited[row.line]).decode())
        if row.line in edited
        else row
        for row in rows
    ]


def _form(stream: Stream, source: str, row: RejectedRow, columns: Sequence[str]) -> bytes | str | None:
    """A row as one line of JSON; None if it cannot be read, a text if it cannot be read for a new reason."""
    if row.form == "none":
        return None
    if row.form == "row":
        return (row.row or "").encode()
    if row.form is None:
        return row_of_earlier(stream, source, row, columns)
    return _on_one_line(row.received)


def _on_one_line(row: bytes) -> bytes:
    """Join the lines of a row from a JSON array; JSON texts contain no line ends."""
    return row.strip().replace(b"\n", b" ").replace(b"\r", b" ")
