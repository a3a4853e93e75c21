"""A day of a report, from the lake to packed lines on disk; large reports in the child process for heavy work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.engine.duckdb import DuckDB
from airtally.engine.heavy import Runner
from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US
from airtally.lake.snapshot import Snapshot, SnapshotSource
from airtally.query.lines import Extract, lines_of_day, of_day
from airtally.reports.detailed import plays_of
from airtally.reports.files import storage_failures
from airtally.reports.gzip import Packed, pack
from airtally.reports.parts import Part, sync
from airtally.reports.report import Report

#: A report of fewer rows is read in the server's own process: starting a child would take longer.
SMALL_ROWS = 200_000

#: A day of 10 million rows is sorted within 730 MB of the process with this, and hardly slower than with more.
MOST_MEMORY = 320 << 20


@dataclass(frozen=True, slots=True)
class Day:
    """One day to render; `rows` are those of its files, before the filter."""

    day: date
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The days of a report that have rows, in the order of its file, and the view they are read from."""

    extract: Extract
    snapshot: Snapshot
    days: tuple[Day, ...]

    @property
    def rows(self) -> int:
        return sum(day.rows for day in self.days)


@dataclass(frozen=True, slots=True)
class HeavyOptions:
    """For the engine of the child process: `memory` in bytes, no time limit."""

    memory: int
    temp_folder: Path


class Renderer:
    """Reads through `engine`; what is large, and only where the engine is in the process, through `heavy`."""

    def __init__(self, source: SnapshotSource, engine: Engine, heavy: Runner, options: HeavyOptions) -> None:
        self._source = source
        self._engine = engine
        self._heavy = heavy
        self._options = options

    def plan(self, account: Account, report: Report) -> Plan:
        """Pins the view: every row received by now is in it, and lies in the lake."""
        extract = plays_of(account, report.filter)
        start_us, end_us = extract.start_us // DAY_US * DAY_US, -(-extract.end_us // DAY_US) * DAY_US
        snapshot = self._source.snapshot(extract.stream, account.slug, start_us=start_us, end_us=end_us, flushed=True)
        return Plan(extract, snapshot, tuple(_days(extract, snapshot)))

    def render(self, plan: Plan, day: Day, path: Path) -> Part:
        """Writes the day's packed lines to `path`. Raises what the engine raises, and StorageFull."""
        if plan.rows < SMALL_ROWS or not self._engine.capabilities.file_lists:
            rows, packed = render_day(self._engine, plan.extract, plan.snapshot, day.day, path)
        else:
            snapshot = of_day(plan.snapshot, day.day)
            rows, packed = self._heavy.run(_render_in_child, self._options, plan.extract, snapshot, day.day, path)
        return Part(day.day, path.name, rows, plan.snapshot.data_through_us, packed)


def render_day(engine: Engine, extract: Extract, snapshot: Snapshot, day: date, path: Path) -> tuple[int, Packed]:
    """How many lines there are, and what they came to."""
    rows = 0

    def chunks() -> Iterator[memoryview]:
        nonlocal rows
        for some in lines_of_day(engine, extract, snapshot, day):
            rows += some.rows
            yield some.data

    try:
        with storage_failures(path.name), path.open("wb") as file:
            packed = pack(chunks(), file)
            sync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return rows, packed


def _render_in_child(
    options: HeavyOptions, extract: Extract, snapshot: Snapshot, day: date, path: Path
) -> tuple[int, Packed]:
    return render_day(_engine(options), extract, snapshot, day, path)


@lru_cache(maxsize=1)
def _engine(options: HeavyOptions) -> DuckDB:
    """The child's own, kept from day to day."""
    memory = min(options.memory, MOST_MEMORY)
    return DuckDB(memory=memory, seconds=None, temp_folder=options.temp_folder)


def _days(extract: Extract, snapshot: Snapshot) -> Iterator[Day]:
    """Days of whose partition there is no file are left out, unless rows are still buffered."""
    in_files: Counter[str | None] = Counter()
    for file in snapshot.clean + snapshot.fresh:
        in_files[file.day] += file.rows
    buffered = sum(table.num_rows for table in snapshot.buffered)
    for day in extract.days():
        rows = in_files[day.isoformat()] + buffered
        if rows:
            yield Day(day, rows)
