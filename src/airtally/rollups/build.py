"""Builds segments: days of rows become segments, the segments of a month one sorted file for each account or for many.

This is the expensive half of a rebuild and runs in the child process, so its arguments and results are small and can
be pickled.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlglot import exp

from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, day_start_us
from airtally.kit.zones import spans
from airtally.rollups.cells import start_of_cell
from airtally.rollups.figures import columns_read, figures_of_rows, grouped_by_cell
from airtally.rollups.segment_files import BuiltFile, SegmentPlace, write_figures, write_segments
from airtally.rollups.table import segment_schema, stored_schema
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.dedupe import events
from airtally.sql.filters import Between
from airtally.sql.statement import Files, Statement
from airtally.storage.lake.snapshot import AccountsSnapshot, DataFile, Snapshot
from airtally.storage.lake.table_storage import TableStorage, open_storage
from airtally.streams.declaration import ACCOUNT
from airtally.streams.rollup import Rollup

#: Days with at most so many rows together are aggregated in one statement.
_ROWS_AT_ONCE = 1_000_000
_DAY_NUMBER = "_day"


@dataclass(frozen=True, slots=True)
class KeptSegments:
    """Segments of a month that are not built anew: files, and of each account the days (ISO) that are taken of them.

    A file of a release before 0.3 is alone here, and its rows are of `only`, as it does not name their account.
    """

    files: tuple[DataFile, ...]
    days: Mapping[str, tuple[str, ...]]
    only: str | None = None


@dataclass(frozen=True, slots=True)
class BuildTask:
    """Days of one month to be built of `rows`, at the lake version of that snapshot, for accounts of one time zone.

    `days` has what is to be built by account. With `merge` the result are month files: of each account all these days,
    and what is `kept`. Without it each day becomes a day file. Small accounts share files. `zones` are those of the
    file's days, as it notes them.
    """

    rollup: Rollup
    zone: str
    table_url: str
    storage_options: dict[str, str]
    rows: AccountsSnapshot
    month: str
    days: Mapping[str, tuple[str, ...]]
    merge: bool
    kept: tuple[KeptSegments, ...]
    zones: str

    @property
    def every_day(self) -> list[str]:
        """The days of all accounts, in order."""
        return sorted({day for days in self.days.values() for day in days})

    def accounts_of(self, days: Iterable[str]) -> list[str]:
        """The accounts of which one of the days is to be built."""
        wanted = set(days)
        return [account for account, own in self.days.items() if not wanted.isdisjoint(own)]


def build_in_child(options: HeavyOptions, task: BuildTask) -> list[BuiltFile]:
    return build(engine_in_child(options), task, options.temp_folder)


def build(engine: Engine, task: BuildTask, scratch: Path) -> list[BuiltFile]:
    """Raises what the engine raises, and then leaves no file behind."""
    storage = open_storage(task.table_url, task.storage_options)
    return _build_month(engine, task, storage, scratch) if task.merge else _build_days(engine, task, storage)


def _build_days(engine: Engine, task: BuildTask, storage: TableStorage) -> list[BuiltFile]:
    built: list[BuiltFile] = []
    try:
        for day in task.every_day:
            place = SegmentPlace(storage, task.rollup, task.month, day)
            built += write_segments(place, _cell_figures(engine, task, [day]), task.accounts_of([day]))
    except BaseException:
        for each in built:
            storage.delete(each.name)
        raise
    return built


def _build_month(engine: Engine, task: BuildTask, storage: TableStorage, scratch: Path) -> list[BuiltFile]:
    scratch.mkdir(parents=True, exist_ok=True)
    built: list[Path] = []
    place = SegmentPlace(storage, task.rollup, task.month, None)
    try:
        for group in _day_groups(task):
            _build_group(engine, task, group, scratch, built)
        return write_segments(place, _merged_segments(engine, task, built), list(task.days))
    finally:
        for path in built:
            path.unlink(missing_ok=True)


def _build_group(engine: Engine, task: BuildTask, days: list[str], scratch: Path, built: list[Path]) -> None:
    """Build days into one file; where they need too much memory together, into one file for each half."""
    built.append(scratch / f"rollup-{uuid.uuid4()}.parquet")
    try:
        write_figures(task.rollup, _cell_figures(engine, task, days), built[-1])
    except LimitExceeded:
        if len(days) == 1:
            raise
        built.pop().unlink(missing_ok=True)
        for half in (days[: len(days) // 2], days[len(days) // 2 :]):
            _build_group(engine, task, half, scratch, built)


def _day_groups(task: BuildTask) -> Iterator[list[str]]:
    """Neighbouring days with at most `_ROWS_AT_ONCE` rows together; a larger day is a group of its own."""
    rows = dict.fromkeys(task.every_day, 0)
    for file in task.rows.compacted + task.rows.uncompacted:
        if file.day in rows:
            rows[file.day] += file.rows
    group: list[str] = []
    for day in task.every_day:
        if group and sum(rows[each] for each in (*group, day)) > _ROWS_AT_ONCE:
            yield group
            group = []
        group.append(day)
    if group:
        yield group


def _cell_figures(engine: Engine, task: BuildTask, days: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The figures of each cell, with the columns of a file of segments in their order.

    With `merge` an account's figures of a day that only others need are there too: as many as its day has.
    """
    rollup, stream = task.rollup, task.rows.stream
    binder = Binder(stream)
    chosen = _rows_of_accounts(task.rows.of_days(days), list(task.days) if task.merge else task.accounts_of(days))
    source = events(binder, chosen, [ACCOUNT.name, *columns_read(stream, rollup)], engine.capabilities)
    first_us, until_us = _bounds_us(days)
    cell = start_of_cell(stream, rollup, spans(first_us, until_us, ZoneInfo(task.zone)))
    measured = {measure.name: measure for measure in rollup.measures}
    figures = [column(ACCOUNT.name), *figures_of_rows(binder, stream, rollup.dimensions, cell, measured)]
    single = exp.select(*figures).from_(source.subquery("events"))
    single = single.where(binder.condition(Between(stream.time, first_us, until_us)))
    cells = grouped_by_cell(rollup, single, (ACCOUNT.name,)).order_by(*map(column, _sort_order(rollup)))
    yield from engine.stream(binder.statement(cells))


def _rows_of_accounts(rows: Snapshot, accounts: list[str]) -> Snapshot:
    """The rows of some accounts alone; of a single one as a query reads them, which skips what is of others."""
    if len(accounts) > 1:
        assert isinstance(rows, AccountsSnapshot)  # noqa: S101 (a part of a task's)
        return replace(rows, accounts=tuple(accounts))
    return Snapshot(rows.stream, accounts[0], rows.table_url, rows.version, rows.compacted, rows.uncompacted)


def _merged_segments(engine: Engine, task: BuildTask, built: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    """The new segments and those that stay, in the order of a file."""
    rollup = task.rollup
    binder = Binder(task.rows.stream)
    files = tuple(DataFile(str(path), 0, 0, None, ids_all_null=True) for path in built)
    branches = [_kept_segments(binder, rollup, each) for each in task.kept]
    if files:
        relation = binder.relation(Files(files, stored_schema(rollup), rollup.folder), "segments")
        branches.append(exp.select(*map(column, stored_schema(rollup).names)).from_(relation))
    if not branches:
        return
    source = branches[0] if len(branches) == 1 else exp.union(*branches, distinct=False)
    tree = exp.select("*").from_(source.subquery("segments")).order_by(*map(column, _sort_order(rollup)))
    yield from engine.stream(Statement(tree, binder.relations, binder.parameters))


def _kept_segments(binder: Binder, rollup: Rollup, kept: KeptSegments) -> exp.Select:
    """The rows of the accounts' days that are taken of the files."""
    names = stored_schema(rollup).names
    if kept.only is None:
        relation = binder.relation(Files(kept.files, stored_schema(rollup), rollup.folder), "segments")
        account: exp.Expr = column(ACCOUNT.name)
    else:
        relation = binder.relation(Files(kept.files, segment_schema(rollup), rollup.folder), "segments")
        account = exp.cast(binder.value(kept.only), "text").as_(ACCOUNT.name, quoted=True)
    day = exp.IntDiv(this=micros("time"), expression=exp.Literal.number(DAY_US)).as_(_DAY_NUMBER, quoted=True)
    found = exp.select(account, *map(column, names[1:]), day).from_(relation).subquery("found")
    taken = binder.relation(_taken(kept), "taken")
    same = exp.and_(*(column(each, "found").eq(column(each, taken.name)) for each in (ACCOUNT.name, _DAY_NUMBER)))
    return exp.select(*(column(each, "found") for each in names)).from_(found).join(taken, on=same, join_type="semi")


def _taken(kept: KeptSegments) -> pa.Table:
    """A row for each account and day (as a number from 1970 on)."""
    pairs = [(account, _day_us(day) // DAY_US) for account, days in kept.days.items() for day in days]
    accounts, numbers = zip(*pairs, strict=True)
    return pa.table({ACCOUNT.name: pa.array(accounts, pa.string()), _DAY_NUMBER: pa.array(numbers, pa.int64())})


def _sort_order(rollup: Rollup) -> tuple[str, ...]:
    return (ACCOUNT.name, *rollup.dimensions, "time")


def _bounds_us(days: Sequence[str]) -> tuple[int, int]:
    """From the first of the days to the last, with those between."""
    return _day_us(min(days)), _day_us(max(days)) + DAY_US


def _day_us(day: str) -> int:
    return day_start_us(date.fromisoformat(day))
