"""Builds segments: days of rows become segments, the segments of a month one sorted file.

This is the expensive half of a rebuild and runs in the child process, so its arguments and results are small and can
be pickled.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, day_start_us
from airtally.kit.zones import spans
from airtally.rollups.cells import start_of_cell
from airtally.rollups.figures import columns_read, figures_of_rows, grouped_by_cell
from airtally.rollups.table import segment_schema
from airtally.rollups.wide import to_segment_rows
from airtally.sql.compiler import Binder, column
from airtally.sql.dedupe import events
from airtally.sql.filters import Between
from airtally.sql.statement import Files, Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.storage.lake.table_storage import TableStorage, open_storage
from airtally.streams.rollup import Rollup

#: Rows of a Parquet row group. Of 4 million rows in a month, groups of half this size, and of twice, are read more slowly.
ROW_GROUP = 61_440
#: Days with at most so many rows together are aggregated in one statement.
_ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class BuildTask:
    """Days of one account's month to be built of `rows`, at the lake version of that snapshot.

    With `merge` the result is one month file: the days built, and the segments of `month_files` and `day_files` for all
    other days. Without it each day becomes a day file. `zone` is the account's time zone.
    """

    rollup: Rollup
    zone: str
    table_url: str
    storage_options: dict[str, str]
    rows: Snapshot
    month: str
    days: tuple[str, ...]
    merge: bool
    month_files: tuple[DataFile, ...]
    day_files: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A finished file that no commit names yet; `day` is None for a month file."""

    name: str
    day: str | None
    rows: int
    size: int


def build_in_child(options: HeavyOptions, task: BuildTask) -> list[BuiltFile]:
    return build(engine_in_child(options), task, options.temp_folder)


def build(engine: Engine, task: BuildTask, scratch: Path) -> list[BuiltFile]:
    """Raises what the engine raises, and then leaves no file behind."""
    place = open_storage(task.table_url, task.storage_options)
    if not task.merge:
        return [_segment_file(place, task, _cell_figures(engine, task, [day]), day) for day in task.days]
    scratch.mkdir(parents=True, exist_ok=True)
    built: list[Path] = []
    try:
        for group in _day_groups(task):
            _build_group(engine, task, group, scratch, built)
        return [_segment_file(place, task, _merged_segments(engine, task, built), None)]
    finally:
        for path in built:
            path.unlink(missing_ok=True)


def _build_group(engine: Engine, task: BuildTask, days: list[str], scratch: Path, built: list[Path]) -> None:
    """Build days into one file; where they need too much memory together, into one file for each half."""
    built.append(scratch / f"rollup-{uuid.uuid4()}.parquet")
    try:
        _write_rows(task.rollup, _cell_figures(engine, task, days), built[-1])
    except LimitExceeded:
        if len(days) == 1:
            raise
        built.pop().unlink(missing_ok=True)
        for half in (days[: len(days) // 2], days[len(days) // 2 :]):
            _build_group(engine, task, half, scratch, built)


def _day_groups(task: BuildTask) -> Iterator[list[str]]:
    """Neighbouring days with at most `_ROWS_AT_ONCE` rows together; a larger day is a group of its own."""
    rows = dict.fromkeys(task.days, 0)
    for file in task.rows.compacted + task.rows.uncompacted:
        if file.day in rows:
            rows[file.day] += file.rows
    group: list[str] = []
    for day in task.days:
        if group and sum(rows[each] for each in (*group, day)) > _ROWS_AT_ONCE:
            yield group
            group = []
        group.append(day)
    if group:
        yield group


def _cell_figures(engine: Engine, task: BuildTask, days: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The figures of each cell, with a segment's columns in their order."""
    rollup, stream = task.rollup, task.rows.stream
    binder = Binder(stream)
    chosen = task.rows.of_days(days)
    source = events(binder, chosen, columns_read(stream, rollup), engine.capabilities)
    first_us, until_us = _bounds_us(days)
    zone_spans = spans(first_us, until_us, ZoneInfo(task.zone))
    cell = start_of_cell(stream, rollup, zone_spans)
    measured = {measure.name: measure for measure in rollup.measures}
    figures = figures_of_rows(binder, stream, rollup.dimensions, cell, measured)
    single = exp.select(*figures).from_(source.subquery("events"))
    single = single.where(binder.condition(_on_days(stream.time, days)))
    cells = grouped_by_cell(rollup, single).order_by(*map(column, _sort_order(rollup)))
    yield from engine.stream(binder.statement(cells))


def _merged_segments(engine: Engine, task: BuildTask, built: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    """The new segments and those that stay, in the order of a file."""
    rollup = task.rollup
    binder = Binder(task.rows.stream)
    files = tuple(DataFile(str(path), 0, 0, None, ids_all_null=True) for path in built)
    branches = [_unchanged_days(binder, task)] if task.month_files else []
    branches += [_all_of(binder, rollup, each) for each in (task.day_files, files) if each]
    source = branches[0] if len(branches) == 1 else exp.union(*branches, distinct=False)
    tree = exp.select("*").from_(source.subquery("segments")).order_by(*map(column, _sort_order(rollup)))
    yield from engine.stream(Statement(tree, binder.relations, binder.parameters))


def _unchanged_days(binder: Binder, task: BuildTask) -> exp.Select:
    """The month file without the days that are built anew or have a day file."""
    replaced = [*task.days, *(file.day for file in task.day_files if file.day is not None)]
    hidden = (exp.not_(binder.condition(_on_days("time", [day]))) for day in replaced)
    return _all_of(binder, task.rollup, task.month_files).where(*hidden)


def _all_of(binder: Binder, rollup: Rollup, files: tuple[DataFile, ...]) -> exp.Select:
    schema = segment_schema(rollup)
    relation = binder.relation(Files(files, schema, rollup.folder), "segments")
    return exp.select(*map(column, schema.names)).from_(relation)


def _sort_order(rollup: Rollup) -> tuple[str, ...]:
    return (*rollup.dimensions, "time")


def _on_days(time: str, days: Sequence[str]) -> Between:
    """From the first of the days to the last, with those between."""
    return Between(time, *_bounds_us(days))


def _bounds_us(days: Sequence[str]) -> tuple[int, int]:
    first, last = (day_start_us(date.fromisoformat(day)) for day in (min(days), max(days)))
    return first, last + DAY_US


def _segment_file(
    place: TableStorage, task: BuildTask, batches: Iterable[pa.RecordBatch], day: str | None
) -> BuiltFile:
    kind = "base" if day is None else f"day-{day}"  # names of files that homes have; nothing reads meaning from them
    name = f"account={task.rows.account}/month={task.month}/{kind}-{uuid.uuid4()}.parquet"
    path = place.scratch(name)
    try:
        rows = _write_rows(task.rollup, batches, path)
        return BuiltFile(name, day, rows, place.put(name, path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_rows(rollup: Rollup, batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write a file and return its number of rows."""
    schema, rows = segment_schema(rollup), 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for batch in _whole_row_groups(to_segment_rows(pa.table(each), rollup) for each in batches):
            writer.write_table(batch, ROW_GROUP)
            rows += batch.num_rows
    return rows


def _whole_row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows in multiples of `ROW_GROUP`, and the rest at the end."""
    rest: pa.Table | None = None
    for table in tables:
        held = table if rest is None else pa.concat_tables([rest, table])
        whole = held.num_rows // ROW_GROUP * ROW_GROUP
        if whole:
            yield held.slice(0, whole)
        rest = held.slice(whole)
    if rest is not None and rest.num_rows:
        yield rest
