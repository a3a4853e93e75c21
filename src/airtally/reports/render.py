"""Renders the days of a report from the lake to compressed lines on disk; large ones in the child process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.engine.child import HeavyOptions
from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.kit.errors import LimitExceeded
from airtally.kit.runner import Runner
from airtally.kit.time import DAY_US
from airtally.query.lines import Extract, of_day
from airtally.query.render import render
from airtally.reports.parts import DayFile
from airtally.reports.rendering import CORES, DayWork, RenderedDay, line_memory, render_day, render_in_child
from airtally.reports.report import Report
from airtally.reports.report_type import ReportType
from airtally.sql.filters import AllOf
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource

#: Reports with fewer lines are rendered in the server's process: starting a child would take longer.
SMALL_ROWS = 200_000

#: In the server's process at most so many rows are looked through for the lines of a report.
_MOST_SEARCHED_ROWS = 5_000_000

#: Rows of the days that one call renders in the child process, where days can be shared among the cores.
GROUP_ROWS = 1_200_000


@dataclass(frozen=True, slots=True)
class Day:
    """One day to render; `rows` counts those in its files, before the filter."""

    day: date
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The days of a report that have rows, in the order of its file, and the view they are read from.

    `most_lines` is a bound of its lines, where that is known to be less than its rows.
    """

    extract: Extract
    snapshot: Snapshot
    days: tuple[Day, ...]
    most_lines: int | None = None

    @property
    def rows(self) -> int:
        return sum(day.rows for day in self.days)


class ReportRenderer:
    """Renders with `engine`, and large reports with `heavy` where the engine runs in this process."""

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
        plan = Plan(extract, snapshot, tuple(_days(extract, snapshot)))
        return replace(plan, most_lines=self._most_lines(plan))

    def groups(self, plan: Plan, days: Sequence[Day]) -> Iterator[list[Day]]:
        """Days to render in one call: several where that is quicker, few enough to report progress."""
        if not self._is_heavy(plan):
            yield from ([day] for day in days)
            return
        group: list[Day] = []
        for day in days:
            group.append(day)
            if _is_full(group):
                yield group
                group = []
        if group:
            yield group

    def render(self, plan: Plan, days: Sequence[Day], paths: Sequence[Path]) -> list[DayFile]:
        """Write each day's compressed lines to its path. Raises what the engine raises, and StorageFull."""
        wanted = tuple((day.day, path) for day, path in zip(days, paths, strict=True))
        made = self._in_child(plan, wanted) if self._is_heavy(plan) else self._here(plan, wanted)
        for each in made:
            if each.ordered_by is not None:
                metrics.REPORT_DAYS.labels(each.ordered_by).inc()
        through = plan.snapshot.data_through_us
        return [
            DayFile(day, path.name, each.rows, through, each.packed)
            for (day, path), each in zip(wanted, made, strict=True)
        ]

    def _here(self, plan: Plan, wanted: Sequence[tuple[date, Path]]) -> list[RenderedDay]:
        memory = line_memory(self._options)
        return [
            render_day(self._engine, plan.extract, plan.snapshot, DayWork(day, path, memory)) for day, path in wanted
        ]

    def _in_child(self, plan: Plan, wanted: Sequence[tuple[date, Path]]) -> list[RenderedDay]:
        snapshots = tuple(of_day(plan.snapshot, day) for day, _ in wanted)
        return self._heavy.run(render_in_child, self._options, plan.extract, snapshots, tuple(wanted))

    def _is_heavy(self, plan: Plan) -> bool:
        lines = plan.rows if plan.most_lines is None else plan.most_lines
        return lines >= SMALL_ROWS and self._engine.capabilities.file_lists

    def _most_lines(self, plan: Plan) -> int | None:
        """How many rows match, corrections and all, where that is soon known and may be few. None where it is not."""
        if not SMALL_ROWS <= plan.rows <= _MOST_SEARCHED_ROWS or not self._may_be_few(plan):
            return None
        question = replace(plan.extract.total, as_received=True)
        try:
            counted = self._engine.query(render(question, plan.snapshot, self._engine.capabilities))
        except LimitExceeded:
            return None
        return int(counted["lines"][0].as_py())

    def _may_be_few(self, plan: Plan) -> bool:
        """Whether there may be fewer lines than rows, and few rows of which it must be found out which one counts."""
        view = plan.snapshot
        files = view.compacted + view.uncompacted
        chosen = plan.extract.where != AllOf(()) or any(file.account != view.account for file in files)
        new = sum(file.rows for file in view.uncompacted if not file.ids_all_null)
        return chosen and new < SMALL_ROWS and self._engine.capabilities.file_lists


def _days(extract: Extract, snapshot: Snapshot) -> Iterator[Day]:
    """The days to render: those with files in their partition, and those with buffered rows."""
    in_files: Counter[str | None] = Counter()
    for file in snapshot.compacted + snapshot.uncompacted:
        in_files[file.day] += file.rows
    buffered = sum(table.num_rows for table in snapshot.buffered)
    for day in extract.days():
        rows = in_files[day.isoformat()] + buffered
        if rows:
            yield Day(day, rows)


def _is_full(group: Sequence[Day]) -> bool:
    """A large day has all cores to itself; of others each core gets as many, since one without a day would wait."""
    rows = sum(each.rows for each in group)
    return rows >= GROUP_ROWS and (len(group) == 1 or len(group) % CORES == 0 or rows >= 2 * GROUP_ROWS)
