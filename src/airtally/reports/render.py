"""A day of a report, from the lake to packed lines on disk; large reports in the child process for heavy work."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.files.gzip import Packed, pack
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_file
from airtally.kit.runner import Runner
from airtally.kit.time import DAY_US
from airtally.query.lines import Extract, lines_of_day, of_day
from airtally.reports.parts import DayFile
from airtally.reports.report import Report
from airtally.reports.report_type import ReportType
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource

#: A report of fewer rows is read in the server's own process: starting a child would take longer.
SMALL_ROWS = 200_000

#: Rows of the days that one call renders in the child.
GROUP_ROWS = 1_200_000

_CORES = min(os.cpu_count() or 1, 4)


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


class ReportRenderer:
    """Reads through `engine`; what is large, and only where the engine is in the process, through `heavy`."""

    def __init__(
        self, report_type: ReportType, source: SnapshotSource, engine: Engine, heavy: Runner, options: HeavyOptions
    ) -> None:
        self._report_type = report_type
        self._source = source
        self._engine = engine
        self._heavy = heavy
        self._options = options

    def plan(self, account: Account, report: Report) -> Plan:
        """Pins the view: every row received by now is in it, and lies in the lake."""
        extract = self._report_type.extract(account, report.filter)
        start_us, end_us = extract.start_us // DAY_US * DAY_US, -(-extract.end_us // DAY_US) * DAY_US
        snapshot = self._source.snapshot(extract.stream, account.slug, start_us=start_us, end_us=end_us, flushed=True)
        return Plan(extract, snapshot, tuple(_days(extract, snapshot)))

    def groups(self, plan: Plan, days: Sequence[Day]) -> Iterator[list[Day]]:
        """Days to be rendered by one call: several where that is quicker, few enough to tell of progress."""
        if not self._is_heavy(plan):
            yield from ([day] for day in days)
            return
        group: list[Day] = []
        for day in days:
            group.append(day)
            if sum(each.rows for each in group) >= GROUP_ROWS:
                yield group
                group = []
        if group:
            yield group

    def render(self, plan: Plan, days: Sequence[Day], paths: Sequence[Path]) -> list[DayFile]:
        """Writes each day's packed lines to its path. Raises what the engine raises, and StorageFull."""
        wanted = tuple((day.day, path) for day, path in zip(days, paths, strict=True))
        if self._is_heavy(plan):
            snapshots = tuple(of_day(plan.snapshot, day.day) for day in days)
            made = self._heavy.run(_render_in_child, self._options, plan.extract, snapshots, wanted)
        else:
            made = [render_day(self._engine, plan.extract, plan.snapshot, day, path) for day, path in wanted]
        through = plan.snapshot.data_through_us
        return [
            DayFile(day, path.name, rows, through, packed)
            for (day, path), (rows, packed) in zip(wanted, made, strict=True)
        ]

    def _is_heavy(self, plan: Plan) -> bool:
        return plan.rows >= SMALL_ROWS and self._engine.capabilities.file_lists


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
            sync_file(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return rows, packed


def _render_in_child(
    options: HeavyOptions, extract: Extract, snapshots: Sequence[Snapshot], wanted: Sequence[tuple[date, Path]]
) -> list[tuple[int, Packed]]:
    """As many days at once as there are cores, each on one: cheaper than many cores on one day."""
    engine = engine_in_child(options)
    with ThreadPoolExecutor(min(_CORES, len(wanted))) as pool:
        made = [
            pool.submit(render_day, engine, extract, snapshot, day, path)
            for snapshot, (day, path) in zip(snapshots, wanted, strict=True)
        ]
        return [each.result() for each in made]


def _days(extract: Extract, snapshot: Snapshot) -> Iterator[Day]:
    """Days of whose partition there is no file are left out, unless rows are still buffered."""
    in_files: Counter[str | None] = Counter()
    for file in snapshot.compacted + snapshot.uncompacted:
        in_files[file.day] += file.rows
    buffered = sum(table.num_rows for table in snapshot.buffered)
    for day in extract.days():
        rows = in_files[day.isoformat()] + buffered
        if rows:
            yield Day(day, rows)
