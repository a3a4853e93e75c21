"""`/api/v1/quarantine`: refused rows, to be looked at, sent again or dropped."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.ingest.quarantine import Entry
from airtally.ingest.rejected import RejectedRow
from airtally.kit.errors import Conflict, NotFound
from airtally.services import Services


class QuarantineQuery(PageQuery):
    """`stream`: of this one only."""

    stream: str | None = None


class QuarantineEntry(msgspec.Struct, frozen=True):
    """The refused rows of one batch. `source`: the request or file that they came in. `resent_at`: null until then."""

    id: int
    stream: str
    source: str
    rows: int
    first_error: str
    received_at: str
    resent_at: str | None


class QuarantinedRow(msgspec.Struct, frozen=True):
    """`line`: where it stood in its batch, from 1. `raw` as received; if that is no text, `raw_base64` instead.

    `row`: the row as JSON, which resending reads, unless that is `raw`.
    """

    line: int
    field: str | None
    error: str
    raw: str | None
    raw_base64: str | None
    row: str | None


class EditedRow(msgspec.Struct, forbid_unknown_fields=True):
    """`row` stands for the one of this `line`."""

    line: int
    row: dict[str, msgspec.Raw]


class ResendBody(msgspec.Struct, forbid_unknown_fields=True):
    """`columns`: of CSV rows that a release before 0.2 refused, which did not keep the header. `edited`: corrected rows;
    those that are wrong still stay in quarantine as edited.
    """

    columns: Annotated[list[str], msgspec.Meta(max_length=1000)] = msgspec.field(default_factory=list)
    edited: Annotated[list[EditedRow], msgspec.Meta(max_length=1000)] = msgspec.field(default_factory=list)


class ResentAnswer(msgspec.Struct, frozen=True):
    """Rejected rows stay in quarantine with their new errors."""

    accepted: int
    rejected: int


class QuarantineUsage(msgspec.Struct, frozen=True):
    """`rows` that are kept take `bytes` of at most `max_bytes`, and are dropped after `days`."""

    rows: int
    bytes: int
    max_bytes: int
    days: int


class QuarantineResource:
    def __init__(self, services: Services) -> None:
        self._settings = services.settings
        self._quarantine = services.intake.quarantine
        self._resend = services.intake.resend

    @operation("GET", "/quarantine", Permission.READ, "List refused rows")
    def list_quarantine(self, call: OperationCall[QuarantineQuery, None]) -> ListingPage[QuarantineEntry]:
        """An entry for each batch that had refused rows, newest first. They are kept for AIRTALLY_QUARANTINE_DAYS."""
        query = call.query
        found = self._quarantine.entries(call.account, query.stream, before=query.position, limit=query.limit + 1)
        return page_of(found, query.limit, _entry_answer, lambda each: each.id)

    @operation("GET", "/quarantine-usage", Permission.READ, "How full the quarantine is")
    def get_quarantine_usage(self, call: PlainCall) -> QuarantineUsage:
        """When it is full, refused rows are not kept; their errors are still answered."""
        rows, taken = self._quarantine.usage_of(call.account)
        return QuarantineUsage(rows, taken, self._settings.quarantine_max, self._settings.quarantine_days)

    @operation("GET", "/quarantine/{entry_id}", Permission.READ, "Get an entry of the quarantine", failures=(NotFound,))
    def get_quarantine_entry(self, call: PlainCall) -> QuarantineEntry:
        """Without its rows."""
        return _entry_answer(self._quarantine.entry(call.account, call.number("entry_id")))

    @operation(
        *("GET", "/quarantine/{entry_id}/rows", Permission.READ, "List the rows of an entry"),
        failures=(NotFound,),
    )
    def list_quarantined_rows(self, call: OperationCall[PageQuery, None]) -> ListingPage[QuarantinedRow]:
        """In the order of the batch."""
        after, limit = call.query.position or 0, call.query.limit
        rows = self._quarantine.rows(call.account, call.number("entry_id"))
        numbered = islice(enumerate(rows, 1), after, after + limit + 1)
        return page_of(list(numbered), limit, lambda each: _row_answer(each[1]), lambda each: each[0])

    @operation(
        *("POST", "/quarantine/{entry_id}/resend", Permission.ADMIN, "Send an entry again"),
        failures=(NotFound, Conflict),
        example={"edited": [{"line": 3, "row": {"player_id": 2, "media_id": 51, "played_at": "2026-11-27T23:59:59"}}]},
    )
    def resend_quarantine_entry(self, call: OperationCall[NoFields, ResendBody]) -> ResentAnswer:
        """Its rows are validated again; those that are valid now are stored, the others become an entry of their own."""
        edited = {each.line: msgspec.json.encode(each.row) for each in call.body.edited}
        entry_id, columns = call.number("entry_id"), tuple(call.body.columns)
        resent = self._resend.run(call.account, entry_id, columns=columns, edited=edited)
        return ResentAnswer(resent.accepted, resent.rejected)

    @operation(
        *("DELETE", "/quarantine/{entry_id}", Permission.ADMIN, "Drop an entry"),
        status=204,
        failures=(NotFound,),
    )
    def drop_quarantine_entry(self, call: PlainCall) -> None:
        """With its rows, for good."""
        self._quarantine.drop(call.account, call.number("entry_id"))


def _entry_answer(entry: Entry) -> QuarantineEntry:
    return QuarantineEntry(
        id=entry.id,
        stream=entry.stream,
        source=entry.source,
        rows=entry.rows,
        first_error=entry.first_error,
        received_at=shown_moment(entry.received_at),
        resent_at=shown_moment(entry.resent_at),
    )


def _row_answer(row: RejectedRow) -> QuarantinedRow:
    return QuarantinedRow(row.line, row.field, row.error, row.raw, row.raw_base64, row.row)
