"""Rows as lines of JSON, day by day: put in order and together in memory, or by the engine where a day is too large.

Why there are two ways to the same bytes: docs/decisions/0030-report-lines.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US, SECOND_US, day_start_us, utc_day
from airtally.query.buckets import Bucket
from airtally.query.jsonline import EventDate, EventTime, Fixed, Integer, JsonLine, Text, rendered, stored_value
from airtally.query.line_order import order_by
from airtally.query.line_pieces import Stretch, constant, in_order, joined, of_times, of_values
from airtally.query.question import Metric, Question
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.dedupe import EventTimes, events
from airtally.sql.filters import EVERYTHING, Filter, columns_of
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import RECEIVED_ORDER, WRITER_ID, Partition, Stream

__all__ = [
    "EventDate",
    "EventTime",
    "Extract",
    "Fixed",
    "Integer",
    "JsonLine",
    "OrderedBy",
    "RenderedLines",
    "Text",
    "lines",
    "lines_of_day",
    "of_day",
]

SECOND = "_second"

#: What putting rows in order takes at most, for each byte of them: the rows, and about as much again.
_MEMORY_FOR_BYTE = 3


@dataclass(frozen=True, slots=True)
class Extract:
    """A question for an account's events with times in [start_us, end_us) as lines.

    They are in order of the whole second of their time, then of arrival; with `descending` the other way round.
    """

    stream: Stream
    account: str
    line: JsonLine
    start_us: int
    end_us: int
    where: Filter = EVERYTHING
    descending: bool = False

    def days(self) -> list[date]:
        """The UTC days of the interval, in the order of their lines. Days are independent of one another."""
        if self.start_us >= self.end_us:
            return []
        first, last = utc_day(self.start_us), utc_day(self.end_us - 1)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return days[::-1] if self.descending else days

    def on(self, day: date) -> Extract:
        """The same question for one day."""
        start_us = day_start_us(day)
        return replace(self, start_us=max(self.start_us, start_us), end_us=min(self.end_us, start_us + DAY_US))

    @property
    def total(self) -> Question:
        """The question for the number of lines."""
        return replace(self.counts, bucket=Bucket.NONE)

    @property
    def counts(self) -> Question:
        """The question for the number of lines of each day; days without lines have no row."""
        return Question(
            stream=self.stream,
            account=self.account,
            metrics=(Metric("lines"),),
            where=self.where,
            start_us=self.start_us,
            end_us=self.end_us,
            bucket=Bucket.DAY,
        )


class OrderedBy(StrEnum):
    """What put lines in their order."""

    MEMORY = "memory"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class RenderedLines:
    """Some lines in the order of the file: their bytes, which the next lines may overwrite, and their number."""

    data: memoryview
    rows: int
    ordered_by: OrderedBy = OrderedBy.ENGINE


def lines(engine: Engine, extract: Extract, snapshot: Snapshot, *, memory: int = 0) -> Iterator[RenderedLines]:
    """The lines of an extract, day by day, from one snapshot."""
    for day in extract.days():
        yield from lines_of_day(engine, extract, snapshot, day, memory=memory)


def lines_of_day(
    engine: Engine, extract: Extract, snapshot: Snapshot, day: date, *, memory: int = 0
) -> Iterator[RenderedLines]:
    """The lines of one day, reading no files of other days.

    They are put in order in `memory` bytes of this process, if the engine reads lists of files and the day's rows fit.
    """
    view, asked = of_day(snapshot, day), extract.on(day)
    if Rows.all_of(view).empty:
        return
    rows = None
    if memory and engine.capabilities.file_lists:
        rows = _read_within(
            engine.stream(_columns_of_lines(asked, view, engine.capabilities)), memory // _MEMORY_FOR_BYTE
        )
    ordered = None if rows is None else _in_memory(asked, view, day, rows)
    yield from _by_engine(engine, asked, view) if ordered is None else ordered


def _by_engine(engine: Engine, extract: Extract, snapshot: Snapshot) -> Iterator[RenderedLines]:
    for batch in engine.stream(render_lines(extract, snapshot, engine.capabilities)):
        if batch.num_rows:
            yield RenderedLines(bytes_of(batch.column(0)), batch.num_rows)


def _read_within(batches: Iterator[pa.RecordBatch], most_bytes: int) -> pa.Table | None:
    """All rows, None where they take more bytes; reading ends then."""
    found: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > most_bytes:
            return None
        found.append(batch)
    return pa.Table.from_batches(found) if found else pa.table({})


def _in_memory(extract: Extract, snapshot: Snapshot, day: date, rows: pa.Table) -> Iterator[RenderedLines] | None:
    """None where only the engine can tell their order."""
    if not rows.num_rows:
        return iter(())
    order = order_by(rows, (SECOND, *_arrival_order(snapshot)), descending=extract.descending)
    if order is None:
        return None
    stretches = joined(_stretches(extract, day, rows))
    texts_a_line = len(stretches)
    return (
        RenderedLines(bytes_of(texts), len(texts) // texts_a_line, OrderedBy.MEMORY)
        for texts in in_order(stretches, order)
    )


def _stretches(extract: Extract, day: date, rows: pa.Table) -> list[Stretch]:
    """The lines of rows as `_columns_of_lines` reads them, cut into what varies."""
    varying, end = extract.line.layout(day)
    found: list[Stretch] = []
    for number, (before, value) in enumerate(varying):
        if isinstance(value, EventTime):
            stretch = of_times(rows[SECOND].to_numpy() - day_start_us(day) // SECOND_US)
        else:
            of, _ = stored_value(value, extract.stream)
            null = None if of.required or of.default is not None else "null"
            stretch = of_values(rows[_value_name(number)], quoted=isinstance(value, Text), null=null)
        found.append(stretch.between(before))
    return [*found, constant(end, rows.num_rows)]


def of_day(snapshot: Snapshot, day: date) -> Snapshot:
    """The snapshot with the files of one day alone."""
    if snapshot.stream.partition is not Partition.EVENT_DAY:
        return snapshot
    wanted = day.isoformat()
    return replace(
        snapshot,
        compacted=tuple(file for file in snapshot.compacted if file.day == wanted),
        uncompacted=tuple(file for file in snapshot.uncompacted if file.day == wanted),
    )


def render_lines(extract: Extract, snapshot: Snapshot, capabilities: Capabilities) -> Statement:
    """One text column of lines, in order. Raises ValueError for an extract of more than one day."""
    if len(extract.days()) > 1:
        raise ValueError("lines are rendered day by day")
    stream = extract.stream
    binder = Binder(stream)
    chosen = _chosen(binder, extract, snapshot, capabilities)
    line = rendered(extract.line, binder, stream, utc_day(extract.start_us), capabilities).as_("line", quoted=True)
    keys = (SECOND, *_arrival_order(snapshot))
    return binder.statement(_ordered(chosen, line, keys, capabilities, descending=extract.descending))


def _columns_of_lines(extract: Extract, snapshot: Snapshot, capabilities: Capabilities) -> Statement:
    """What lines are made of and put in order by, in no order."""
    binder = Binder(extract.stream)
    chosen = _chosen(binder, extract, snapshot, capabilities)
    varying, _ = extract.line.layout(utc_day(extract.start_us))
    values = [
        stored_value(value, extract.stream)[1].as_(_value_name(number), quoted=True)
        for number, (_, value) in enumerate(varying)
        if not isinstance(value, EventTime)
    ]
    keys = map(column, (SECOND, *_arrival_order(snapshot)))
    tree = exp.select(*keys, *values, copy=False).from_(chosen.subquery("chosen", copy=False), copy=False)
    return binder.statement(tree)


def _value_name(number: int) -> str:
    return f"_value_{number}"


def _chosen(binder: Binder, extract: Extract, snapshot: Snapshot, capabilities: Capabilities) -> exp.Select:
    """The columns of the events that are wanted, with the second of their time."""
    stream = extract.stream
    names = (stream.time, *_arrival_order(snapshot), *extract.line.columns, *columns_of(extract.where))
    read = tuple(dict.fromkeys(names))
    within = EventTimes(extract.start_us, extract.end_us)
    source = events(binder, snapshot, read, capabilities, within=within)
    chosen = exp.select(*map(column, read), _second(stream).as_(SECOND, quoted=True), copy=False)
    chosen = chosen.from_(source.subquery("events", copy=False), copy=False)
    return chosen.where(binder.condition(extract.where), copy=False)


def _arrival_order(snapshot: Snapshot) -> tuple[str, ...]:
    """A text among the keys makes the sort take half as long again: left out where there is one writer."""
    writers = {file.writer_id for file in snapshot.compacted + snapshot.uncompacted}
    one = len(writers) == 1 and None not in writers and not any(table.num_rows for table in snapshot.buffered)
    return tuple(name for name in RECEIVED_ORDER if name != WRITER_ID.name) if one else RECEIVED_ORDER


def _ordered(
    chosen: exp.Select, line: exp.Expr, keys: Sequence[str], capabilities: Capabilities, *, descending: bool
) -> exp.Select:
    """Sort before the lines are rendered if the engine keeps that order: the columns are narrower than the lines."""
    order = [exp.Ordered(this=column(name), desc=descending, nulls_first=False) for name in keys]
    if capabilities.keeps_order:
        return exp.select(line).from_(chosen.order_by(*order).subquery("chosen"))
    rendered_rows = exp.select(line, *map(column, keys)).from_(chosen.subquery("chosen"))
    return exp.select(column("line")).from_(rendered_rows.subquery("rendered")).order_by(*order)


def _second(stream: Stream) -> exp.Expr:
    return exp.IntDiv(this=micros(stream.time), expression=exp.Literal.number(SECOND_US))


def bytes_of(texts: pa.Array) -> memoryview:
    """The bytes of the texts one after the other, without a copy unless their type has to be changed."""
    if not pa.types.is_string(texts.type):
        texts = texts.cast(pa.string())
    _, offsets, data = texts.buffers()
    if data is None:
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]
