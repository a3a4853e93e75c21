"""Columns as sent to rows that may be stored. Every format's rows pass here, so all are judged alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest import times
from airtally.ingest.canonical import NONE, rows_as_sent
from airtally.ingest.checked import Checked, NoSource, RowSource
from airtally.ingest.convert import compiled, convert, matches
from airtally.ingest.json_text import OUT_OF_RANGE
from airtally.ingest.row_errors import Codes, Errors, Forms, Ints, Reason, Wrong
from airtally.kit.fair import pause
from airtally.streams.declaration import Column, Kind, Stream, Type

MINUTE_US = 60_000_000
DELETED = "is_deleted"
EMPTY = "must not be empty"


class Findings:
    """The first error of each wrong row, as the place of its reason; -1 of a right one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._codes: Codes | None = None
        self.reasons: list[Reason] = []

    def mark(self, wrong: pa.Array, name: str, error: str) -> None:
        self.mark_rows(pc.indices_nonzero(wrong).to_numpy(), name, error)

    def mark_rows(self, rows: Any, name: str, error: str) -> None:
        if not len(rows):
            return
        if self._codes is None:
            self._codes = np.full(self._count, -1, dtype=np.int32)
        self._codes[rows] = np.where(self._codes[rows] < 0, len(self.reasons), self._codes[rows])
        self.reasons.append((name, error))

    def wrong(self) -> tuple[Ints, Codes]:
        """The wrong rows, ascending, and the places of their reasons."""
        if self._codes is None:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        rows = np.flatnonzero(self._codes >= 0)
        return rows, self._codes[rows]


def check(
    stream: Stream,
    wire: Mapping[str, pa.Array],
    count: int,
    source: RowSource | None = None,
    *,
    start: int = 0,
    canonical: bool = False,
    not_utf8: Mapping[str, pa.Array] | None = None,
) -> Checked:
    """Convert and check `count` rows.

    `wire` holds the columns that were sent, of any Arrow type; JSON columns as JSON text (string or
    binary) or nested values; with `canonical` they are what is to be stored. Row 0 has the position `start`
    in `source`. `not_utf8` marks the rows of columns whose text could not be read and is null in `wire`.
    """
    source = source or NoSource()
    findings = Findings(count)
    for name, wrong in (not_utf8 or {}).items():
        findings.mark(wrong, name, "invalid UTF-8")
    for name in wire:
        if name not in stream.by_name:
            findings.mark_rows(np.arange(count), shortened(name), "unknown field")
    arrays = {
        column.name: wire[column.name]
        if canonical and column.type is Type.JSON
        else _checked(stream, column, wire, count, findings)
        for column in stream.columns
    }
    _require(stream, arrays, findings)
    rows = pa.Table.from_arrays(list(arrays.values()), schema=stream.row_schema)
    gone, codes = findings.wrong()
    if not len(gone):
        return Checked(rows, [], source, stream=stream)
    forms = None if source.is_json else _forms(stream, wire, gone, not_utf8 or {})
    wrong = Wrong(source.lines(start + gone), codes, findings.reasons, forms)
    return Checked(_left(rows, gone), Errors(source, [wrong]), source, start + gone, stream)


def _forms(stream: Stream, wire: Mapping[str, pa.Array], gone: Ints, not_utf8: Mapping[str, pa.Array]) -> Forms:
    """Of the wrong rows, made when they are asked for."""

    def forms(places: Ints) -> list[bytes]:
        rows = pa.array(gone[places])
        unread = np.zeros(len(rows), dtype=bool)
        for marked in not_utf8.values():
            unread |= np.asarray(pc.fill_null(marked.take(rows), False))
        sent = rows_as_sent(stream, {name: array.take(rows) for name, array in wire.items()})
        return [NONE if cannot_be_read else form for form, cannot_be_read in zip(sent, unread, strict=True)]

    return forms


def too_old(stream: Stream, checked: Checked, earliest_us: int) -> Checked:
    """Refuse the rows whose time is before `earliest_us`; rows without a time are kept."""
    at = pc.cast(checked.rows[stream.time], pa.int64())
    return checked.without(pc.less(at, earliest_us), stream.time, "older than retention")


def shortened(name: str) -> str:
    """A field's name as an error may hold it."""
    return name if len(name) <= 128 else name[:127] + "…"


def _checked(stream: Stream, column: Column, wire: Mapping[str, pa.Array], count: int, findings: Findings) -> pa.Array:
    pause()
    sent = wire.get(column.name)
    if sent is None or sent.null_count == count:
        return _absent(column, count)
    values, wrong = convert(column, sent)
    for rows, error in wrong:
        findings.mark(rows, column.name, error)
    if column.name in stream.named_by:
        values = _without_empty(stream, column, values, findings)
    if column.type is Type.TEXT:
        _check_text(column, values, findings)
    elif column.type is Type.INT64:
        _check_range(column, values, findings)
    elif column.cut_to_minute:
        values = _truncate_times(values, MINUTE_US)
    elif column.milliseconds:
        values = _truncate_times(values, 1000)
    if column.default is not None and values.null_count:
        values = pc.fill_null(values, column.default)
    return values


def _absent(column: Column, count: int) -> pa.Array:
    if column.default is None:
        return pa.nulls(count, column.type.arrow)
    return pa.repeat(pa.scalar(column.default, column.type.arrow), count)


def _without_empty(stream: Stream, column: Column, values: pa.Array, findings: Findings) -> pa.Array:
    """An empty text names nothing: it is none where that may be, else an error."""
    empty = pc.equal(pc.binary_length(values), 0)
    if not pc.any(empty, min_count=0).as_py():
        return values
    if stream.empty_is_null(column.name):
        return pc.if_else(empty, pa.scalar(None, values.type), values)
    findings.mark(empty, column.name, EMPTY)
    return values


def _check_text(column: Column, values: pa.Array, findings: Findings) -> None:
    if len(values) >= times.FEW:
        _check_texts(column, values, findings)
        return
    for row, text in enumerate(values.to_pylist()):
        if text is not None and (error := text_error(column, text)):
            findings.mark_rows([row], column.name, error)


def text_error(column: Column, text: str) -> str | None:
    """Why a text does not fit its column; `_check_texts` judges whole columns alike."""
    if (len(text) if text.isascii() else len(text.encode())) > column.max_bytes:
        return _too_long(column)
    if column.pattern is not None and not compiled(column.pattern).fullmatch(text):
        return _unlike(column)
    if column.choices and text not in column.choices:
        return _no_choice(column)
    return _HOLDS_NUL if "\0" in text else None


def _check_texts(column: Column, values: pa.Array, findings: Findings) -> None:
    lengths = pc.binary_length(values)
    longest = pc.max(lengths).as_py()
    if longest is not None and longest > column.max_bytes:
        findings.mark(pc.greater(lengths, column.max_bytes), column.name, _too_long(column))
    if column.pattern is not None:
        fits = _fitting(values, f"^(?:{column.pattern})$")
        if fits is not None:
            findings.mark(pc.invert(fits), column.name, _unlike(column))
    if column.choices:
        known = pc.or_(pc.is_in(values, value_set=pa.array(column.choices)), pc.is_null(values))
        findings.mark(pc.invert(known), column.name, _no_choice(column))
    zero = pc.match_substring(values, "\0")
    if pc.any(zero).as_py():
        findings.mark(zero, column.name, _HOLDS_NUL)


def _fitting(values: pa.Array, pattern: str) -> pa.Array | None:
    """Which values match; None where all do. Columns with a pattern repeat few values, so those are tried first."""
    if pc.all(matches(pc.unique(values), pattern), min_count=0).as_py():
        return None
    return matches(values, pattern)


_HOLDS_NUL = "holds the character U+0000"


def _too_long(column: Column) -> str:
    return f"longer than {column.max_bytes} bytes"


def _unlike(column: Column) -> str:
    return f"expected {column.pattern_says}"


def _no_choice(column: Column) -> str:
    return f"expected one of {', '.join(column.choices)}"


def _check_range(column: Column, values: pa.Array, findings: Findings) -> None:
    if column.minimum is not None:
        findings.mark(pc.less(values, column.minimum), column.name, _range_error(column))
    if column.maximum is not None:
        findings.mark(pc.greater(values, column.maximum), column.name, _range_error(column))


def _range_error(column: Column) -> str:
    if column.maximum is None:
        return f"expected {column.minimum} or more"
    return f"expected {column.minimum} to {column.maximum}" if column.minimum is not None else OUT_OF_RANGE


def _truncate_times(values: pa.Array, step_us: int) -> pa.Array:
    micros = values.view(pa.int64())
    return pc.multiply(pc.divide(micros, step_us), step_us).view(times.UTC_US)


def _require(stream: Stream, arrays: Mapping[str, pa.Array], findings: Findings) -> None:
    """A required column has a value; a changelog's deletion needs its key only."""
    kept: Any = None
    for column in stream.columns:
        values = arrays[column.name]
        if not column.required or not values.null_count:
            continue
        missing = pc.is_null(values)
        if stream.kind is Kind.CHANGELOG and column.name not in stream.key:
            kept = pc.not_equal(arrays[DELETED], 1) if kept is None else kept
            missing = pc.and_(missing, kept)
        findings.mark(missing, column.name, "required")


def _left(rows: pa.Table, gone: Ints) -> pa.Table:
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[gone] = False
    return rows.filter(pa.array(keep))
