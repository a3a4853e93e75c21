"""Quarantined rows of releases before 0.2, which kept them as received or as they printed them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from airtally.ingest.canonical import rows_as_sent
from airtally.ingest.rejected import RejectedRow
from airtally.kit.sent_json import decode_sent
from airtally.streams.declaration import Column, Stream, Type

_CSV = re.compile(r"\.csv(?:\.gz|\.zst)?\Z", re.IGNORECASE)
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})\Z")
NO_COLUMNS = "the columns of its CSV file are not known: `airtally quarantine resend --columns a,b,c` names them"


def row_of_earlier(stream: Stream, source: str, row: RejectedRow, columns: Sequence[str]) -> bytes | str | None:
    """The row as one line of JSON; a text if it cannot be read for a new reason, None if for its old one."""
    if _CSV.search(source):
        return _from_csv(stream, row, columns) if columns else NO_COLUMNS
    raw = row.received.strip().replace(b"\n", b" ").replace(b"\r", b" ")
    try:
        values = decode_sent(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw  # reading it again gives the same error
    if not isinstance(values, dict):
        return raw
    return msgspec.json.encode({name: _mended(stream.by_name.get(name), value) for name, value in values.items()})


def _from_csv(stream: Stream, row: RejectedRow, columns: Sequence[str]) -> bytes | None:
    try:
        records = list(csv.reader(row.received.decode().splitlines(keepends=True), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if len(records) != 1 or len(records[0]) != len(columns):
        return None
    wire = {name: pa.array([cell or None], pa.string()) for name, cell in zip(columns, records[0], strict=True)}
    return rows_as_sent(stream, wire)[0] or None


def _mended(column: Column | None, value: Any) -> Any:
    """Correct what those releases printed for Parquet and Arrow: whole numbers as floats, offsets without a colon."""
    if column is None:
        return value
    if column.type is Type.INT64 and isinstance(value, float) and value.is_integer():
        return int(value)
    if column.type in {Type.TIME, Type.LOCAL_TIME} and isinstance(value, str):
        return _OFFSET.sub(r"\1:\2", value)
    return value
