"""Values of a record as JSON, in the form in which rows are sent: what was read can be written again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from airtally.api.times import shown_moment
from airtally.kit.time import from_datetime
from airtally.query.changelog import VERSION_TIME
from airtally.streams.declaration import Stream, Type
from airtally.streams.record_key import key_of, written_key

#: Bytes of records in one page; a page has one record at least.
MAX_PAGE_BYTES = 8 << 20


class RecordAnswer(msgspec.Struct, frozen=True):
    """`record`: its key, as it stands in paths. `values`: by column, as rows are sent; decimals are texts."""

    record: str
    deleted: bool
    values: dict[str, Any]


def record_answer(stream: Stream, row: Mapping[str, Any]) -> RecordAnswer:
    """One version of a record, from a row of the stream's `row_schema`."""
    values = {column.name: _shown_value(column.type, row[column.name]) for column in stream.columns}
    return RecordAnswer(written_key(key_of(stream, row)), bool(row["is_deleted"]), values)


def fitting(rows: pa.Table, limit: int) -> int:
    """How many of the rows, `limit` at most, make a page."""
    if rows.nbytes <= MAX_PAGE_BYTES:
        return limit
    left = MAX_PAGE_BYTES
    for place in range(min(limit, rows.num_rows)):
        left -= rows.slice(place, 1).nbytes
        if left < 0:
            return max(place, 1)
    return limit


def version_us(row: Mapping[str, Any]) -> int:
    """When the version was made, in microseconds UTC."""
    return from_datetime(row[VERSION_TIME])


def _shown_value(kind: Type, value: Any) -> Any:
    if value is None:
        return None
    if kind is Type.JSON:
        return msgspec.Raw(value.encode())
    if isinstance(value, datetime):
        shown = shown_moment(from_datetime(value))
        return shown.removesuffix("Z") if kind is Type.LOCAL_TIME else shown
    return value
