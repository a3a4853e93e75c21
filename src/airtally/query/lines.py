"""Rows as lines of JSON, rendered by the engine, whose string buffers are the file's bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US, SECOND_US, day_start_us, utc_day
from airtally.query.buckets import Bucket
from airtally.query.jsonline import EventDate, EventTime, Fixed, Integer, JsonLine, Text, rendered
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
    "RenderedLines",
    "Text",
    "lines",
    "lines_of_day",
    "of_day",
]

SECOND = "_second"


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


@dataclass(frozen=True, slots=True)
class RenderedLines:
    """Some lines in the order of the file: their bytes in the engine's memory, and their number."""

    data: memoryview
    rows: int


def lines(engine: Engine, extract: Extract, snapshot: Snapshot) -> Iterator[RenderedLines]:
    """The lines of an extract, day by day, from one snapshot."""
    for day in extract.days():
        yield from lines_of_day(engine, extract, snapshot, day)


def lines_of_day(engine: Engine, extract: Extract, snapshot: Snapshot, day: date) -> Iterator[RenderedLines]:
    """The lines of one day, reading no files of other days."""
    view = of_day(snapshot, day)
    if Rows.all_of(view).empty:
        return
    statement = render_lines(extract.on(day), view, engine.capabilities)
    for batch in engine.stream(statement):
        if batch.num_rows:
            yield RenderedLines(bytes_of(batch.column(0)), batch.num_rows)


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
    arrival = _arrival_order(snapshot)
    read = tuple(dict.fromkeys((stream.time, *arrival, *extract.line.columns, *columns_of(extract.where))))
    within = EventTimes(extract.start_us, extract.end_us)
    source = events(binder, snapshot, read, capabilities, within=within)
    chosen = exp.select(*map(column, read), _second(stream).as_(SECOND, quoted=True)).from_(source.subquery("events"))
    chosen = chosen.where(binder.condition(extract.where))
    line = rendered(extract.line, binder, stream, utc_day(extract.start_us), capabilities).as_("line", quoted=True)
    keys = (SECOND, *arrival)
    return binder.statement(_ordered(chosen, line, keys, capabilities, descending=extract.descending))


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
