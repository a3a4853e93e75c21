"""The heavy half of a rebuild: days of rows become parts, parts of a month one base. Runs in a child.

What goes in and comes out is small and can be pickled.
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
from airtally.rollups.figures import combined, figures_of_rows
from airtally.rollups.table import part_schema
from airtally.rollups.wide import stored
from airtally.sql.compiler import Binder
from airtally.sql.dedupe import events
from airtally.sql.filters import Between
from airtally.sql.scope import column
from airtally.sql.statement import Files, Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.storage.lake.table_storage import TableStorage, open_storage
from airtally.streams.rollup import Rollup

#: Of 4 million rows in a month, groups of half this size, and of twice, are read more slowly.
ROW_GROUP = 61_440
#: Rows of so many days are made into figures at once.
_ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class PartsJob:
    """An account's days of one month to be made of `rows`, of the lake version that the snapshot has.

    With `merge` they become one base with the files in `kept`, whose days in `days` do not count; without it
    each becomes a file of its own. `zone` is the account's.
    """

    rollup: Rollup
    zone: str
    table_url: str
    storage_options: dict[str, str]
    rows: Snapshot
    month: str
    days: tuple[str, ...]
    merge: bool
    kept: tuple[DataFile, ...]
    kept_days: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """A finished file that no commit names yet; `day` is None of a base."""

    name: str
    day: str | None
    rows: int
    size: int


def build_in_child(options: HeavyOptions, job: PartsJob) -> list[Built]:
    return build(engine_in_child(options), job, options.temp_folder)


def build(engine: Engine, job: PartsJob, scratch: Path) -> list[Built]:
    """Raises what the engine raises; then nothing is left."""
    place = open_storage(job.table_url, job.storage_options)
    if not job.merge:
        return [_written(place, job, _figures(engine, job, [day]), day) for day in job.days]
    scratch.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    try:
        for group in _groups(job):
            _make_group(engine, job, group, scratch, made)
        return [_written(place, job, _merged(engine, job, made), None)]
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _make_group(engine: Engine, job: PartsJob, days: list[str], scratch: Path, made: list[Path]) -> None:
    """Days that need more memory together than there is are made by halves."""
    made.append(scratch / f"rollup-{uuid.uuid4()}.parquet")
    try:
        _write(job.rollup, _figures(engine, job, days), made[-1])
    except LimitExceeded:
        if len(days) == 1:
            raise
        made.pop().unlink(missing_ok=True)
        for half in (days[: len(days) // 2], days[len(days) // 2 :]):
            _make_group(engine, job, half, scratch, made)


def _groups(job: PartsJob) -> Iterator[list[str]]:
    rows = dict.fromkeys(job.days, 0)
    for file in job.rows.compacted + job.rows.uncompacted:
        if file.day in rows:
            rows[file.day] += file.rows
    group: list[str] = []
    for day in job.days:
        if group and sum(rows[each] for each in (*group, day)) > _ROWS_AT_ONCE:
            yield group
            group = []
        group.append(day)
    if group:
        yield group


def _figures(engine: Engine, job: PartsJob, days: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Each interval's figures, in the order of a part's columns."""
    rollup, stream = job.rollup, job.rows.stream
    binder = Binder(stream)
    chosen = job.rows.of_days(days)
    measures = [measure.column for measure in rollup.measures] + [(m.only or (None,))[0] for m in rollup.measures]
    names = dict.fromkeys((stream.time, *rollup.dimensions, *(name for name in measures if name)))
    source = events(binder, chosen, list(names), engine.capabilities)
    first_us, until_us = _ends(days)
    zone_spans = spans(first_us, until_us, ZoneInfo(job.zone))
    cell = start_of_cell(stream, rollup, zone_spans)
    measured = {measure.name: measure for measure in rollup.measures}
    figures = figures_of_rows(binder, stream, rollup.dimensions, cell, measured)
    single = exp.select(*figures).from_(source.subquery("events"))
    single = single.where(binder.condition(_within(stream.time, days)))
    yield from engine.stream(binder.statement(_summed(rollup, single)))


def _merged(engine: Engine, job: PartsJob, made: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    rollup = job.rollup
    binder = Binder(job.rows.stream)
    files = tuple(DataFile(str(path), 0, 0, None, ids_all_null=True) for path in made)
    branches = [_base(binder, rollup, job)] if job.kept else []
    branches += [_all_of(binder, rollup, each) for each in (job.kept_days, files) if each]
    source = branches[0] if len(branches) == 1 else exp.union(*branches, distinct=False)
    tree = exp.select("*").from_(source.subquery("parts")).order_by(*map(column, _order(rollup)))
    yield from engine.stream(Statement(tree, binder.relations, binder.parameters))


def _base(binder: Binder, rollup: Rollup, job: PartsJob) -> exp.Select:
    hidden = (exp.not_(binder.condition(_within("time", [day]))) for day in _not_in_base(job))
    return _all_of(binder, rollup, job.kept).where(*hidden)


def _not_in_base(job: PartsJob) -> Iterator[str]:
    yield from job.days
    yield from (file.day for file in job.kept_days if file.day is not None)


def _all_of(binder: Binder, rollup: Rollup, files: tuple[DataFile, ...]) -> exp.Select:
    schema = part_schema(rollup)
    return exp.select(*map(column, schema.names)).from_(binder.relation(Files(files, schema, rollup.folder), "parts"))


def _summed(rollup: Rollup, single: exp.Query) -> exp.Select:
    keys = [column(name) for name in (*rollup.dimensions, "time")]
    figures = [combined(measure.function, measure.name).as_(measure.name, quoted=True) for measure in rollup.measures]
    tree = exp.select(*(key.copy() for key in keys), *figures).from_(single.subquery("single"))
    return tree.group_by(*(key.copy() for key in keys)).order_by(*map(column, _order(rollup)))


def _order(rollup: Rollup) -> tuple[str, ...]:
    return (*rollup.dimensions, "time")


def _within(time: str, days: Sequence[str]) -> Between:
    return Between(time, *_ends(days))


def _ends(days: Sequence[str]) -> tuple[int, int]:
    first, last = (day_start_us(date.fromisoformat(day)) for day in (min(days), max(days)))
    return first, last + DAY_US


def _written(place: TableStorage, job: PartsJob, batches: Iterable[pa.RecordBatch], day: str | None) -> Built:
    kind = "base" if day is None else f"day-{day}"
    name = f"account={job.rows.account}/month={job.month}/{kind}-{uuid.uuid4()}.parquet"
    path = place.scratch(name)
    try:
        rows = _write(job.rollup, batches, path)
        return Built(name, day, rows, place.put(name, path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(rollup: Rollup, batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Returns how many rows there are."""
    schema, rows = part_schema(rollup), 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for batch in _grouped(stored(pa.table(each), rollup) for each in batches):
            writer.write_table(batch, ROW_GROUP)
            rows += batch.num_rows
    return rows


def _grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """In whole row groups, as far as there are rows."""
    rest: pa.Table | None = None
    for table in tables:
        held = table if rest is None else pa.concat_tables([rest, table])
        whole = held.num_rows // ROW_GROUP * ROW_GROUP
        if whole:
            yield held.slice(0, whole)
        rest = held.slice(whole)
    if rest is not None and rest.num_rows:
        yield rest
