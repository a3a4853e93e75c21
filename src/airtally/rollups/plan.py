"""Plans an answer: which UTC days of an interval come from which segments, and which from rows.

A day is answered from the first rollup, the coarsest, whose cells the question does not cut and whose segment of the day
is current: of the rollup's newest version, else of an earlier one. Otherwise it is answered from rows, and where rows
have been removed the figures of that day are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from airtally.kit.time import DAY_US, day_start_us
from airtally.rollups.table import NO_SEGMENTS, MonthSegments, RollupTableVersion
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.rollup import Measure, Rollup


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_us, end_us). `open_start`: from the first row there is."""

    start_us: int
    end_us: int
    open_start: bool = False


@dataclass(frozen=True, slots=True)
class RollupCandidate:
    """A rollup that has what a question names, with `measures` in the order of its metrics.

    `fits` says of a UTC day (ISO), whose cells lie in a time zone, whether the question cuts none of them; None if it
    cuts no cell of any day.
    """

    rollup: Rollup
    measures: tuple[Measure, ...]
    fits: Callable[[str, str], bool] | None


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """Segments of one rollup and account: `month_files` without the days in `hidden`, and `day_files` whole.

    A file that names no account has rows of several, of which only those of `account` may be read.
    """

    candidate: RollupCandidate
    month_files: tuple[DataFile, ...]
    hidden: tuple[Interval, ...]
    day_files: tuple[DataFile, ...]
    account: str

    def reads(self) -> Iterator[SegmentRead]:
        """What to read of the files, in up to four reads."""
        for files, hidden in ((self.month_files, self.hidden), (self.day_files, ())):
            own = tuple(file for file in files if file.account is not None)
            shared = tuple(file for file in files if file.account is None)
            if own:
                yield SegmentRead(own, hidden, None)
            if shared:
                yield SegmentRead(shared, hidden, self.account)


@dataclass(frozen=True, slots=True)
class SegmentRead:
    """Files to read without the intervals in `hidden`; of shared files the rows of `account` alone."""

    files: tuple[DataFile, ...]
    hidden: tuple[Interval, ...]
    account: str | None


@dataclass(frozen=True, slots=True)
class RollupPlan:
    """An interval of an account's events as segments and rows, so that each event is in exactly one of them.

    `rows` holds the rows of the `stale` intervals, which have no current segment. Of the `missing` intervals neither
    rows nor segments are left.
    """

    sources: tuple[SegmentSource, ...]
    rows: Snapshot
    stale: tuple[Interval, ...]
    missing: tuple[Interval, ...] = ()

    @property
    def has_rows(self) -> bool:
        return bool(self.stale) and bool(self.rows.compacted or self.rows.uncompacted or self.rows.buffered)


@dataclass(frozen=True, slots=True)
class DayRange:
    """Whole UTC days [start, end)."""

    start: date
    end: date
    open_start: bool = False


@dataclass(frozen=True)
class PlanInputs:
    """What is known of an account's days when a question is planned. Days are ISO texts.

    All rows of the days from `rows_from` on are still there; `kept_from` says the same of segments. The `changed` days
    have rows in the lake, the `buffered` ones rows in the buffer. `stale` gives the days whose segments in a table are
    not current. Tables are named by the folder of their rollup.
    """

    tables: Mapping[str, RollupTableVersion | None]
    rows_from: str
    kept_from: Mapping[str, str]
    changed: Mapping[str, int]
    buffered: set[str]
    stale: Callable[[RollupTableVersion | None], frozenset[str]]


class _AccountSegments:
    """What one rollup's table holds of an account."""

    def __init__(self, folder: str, inputs: PlanInputs, account: str) -> None:
        table = inputs.tables[folder]
        self.account = account
        self.months = {} if table is None else table.months(account)
        self.final_before = "" if table is None else table.final_before
        self._kept_from, self._rows_from = inputs.kept_from[folder], inputs.rows_from

    def knows(self, day: str) -> bool:
        """Whether the table can be relied on for a day, also where it says that the day had no rows.

        A change of a day whose rows were removed since is not seen, unless their removal waited for this very table.
        """
        return day >= self._kept_from and (day >= self._rows_from or day < self.final_before)

    def knows_since(self, day: str) -> bool:
        """Whether it can be relied on for a day and all days after it."""
        return day >= self._kept_from and day >= self._rows_from

    def month(self, day: str) -> MonthSegments:
        return self.months.get(day[:7], NO_SEGMENTS)


class _SegmentChoice(_AccountSegments):
    """The days that are answered from one table."""

    def __init__(self, candidate: RollupCandidate, inputs: PlanInputs, account: str) -> None:
        super().__init__(candidate.rollup.folder, inputs, account)
        self.candidate = candidate
        self._stale = inputs.stale(inputs.tables[candidate.rollup.folder])
        if inputs.buffered:
            self._stale |= {day for day in inputs.buffered if day >= self.final_before}
        self.chosen: set[str] = set()

    def take(self, days: list[str]) -> list[str]:
        """Choose the days that the table can answer, and return the others. `days` are in order."""
        fits, stale = self.candidate.fits, self._stale
        mine = [day for day in days if day < self._rows_from] if self.candidate.rollup.mended else days
        if fits is None and mine and self.knows_since(mine[0]):
            self.chosen = set(mine) - stale
        else:
            self.chosen = {day for day in mine if day not in stale and self.knows(day) and self._fits(day)}
        return [day for day in days if day not in self.chosen]

    def _fits(self, day: str) -> bool:
        return self.candidate.fits is None or self.candidate.fits(day, self._zone(day))

    def _zone(self, day: str) -> str:
        return self.month(day).zone(day) if self.candidate.rollup.local else "UTC"

    def source(self, days: Sequence[str]) -> SegmentSource | None:
        """The files that hold the chosen days, of all the days of the interval."""
        with_day_file = {day for month in self.months.values() for day in month.day_files}
        from_month_file = self.chosen - with_day_file
        month_files = {}
        for month in {day[:7] for day in from_month_file}:
            file = self.month(month).month_file
            if file is not None and self.month(month).rows_in(file):
                month_files[month] = file.data_of(self.account)
        single = [file for month in self.months.values() for day, file in month.day_files.items() if day in self.chosen]
        whole = len(from_month_file) == len(days)
        hidden = () if whole else (day for day in days if day[:7] in month_files and day not in from_month_file)
        day_files = tuple(file.data_of(self.account) for file in single if file.claims.rows[self.account])
        if not month_files and not day_files:
            return None
        in_order = tuple(month_files[month] for month in sorted(month_files))
        return SegmentSource(self.candidate, in_order, tuple(intervals(hidden)), day_files, self.account)


def plan_days(candidates: Sequence[RollupCandidate], inputs: PlanInputs, rows: Snapshot, days: DayRange) -> RollupPlan:
    """`candidates` in order of preference."""
    choices = [_SegmentChoice(each, inputs, rows.account) for each in candidates]
    every = _KnownDays(inputs, rows.account)
    wanted = left = list(every.of(days))
    for each in choices:
        left = each.take(left) if left else left
    stale = [day for day in left if day >= inputs.rows_from]
    missing = [day for day in left if day < inputs.rows_from and not every.is_empty(day)]
    sources = (each.source(wanted) for each in choices if each.chosen)
    return RollupPlan(
        sources=tuple(each for each in sources if each is not None),
        rows=rows.of_days(set(stale)),
        stale=tuple(intervals(stale)),
        missing=tuple(intervals(missing)),
    )


class _KnownDays:
    """The days on which an account had no rows, as all tables of a stream tell together."""

    def __init__(self, inputs: PlanInputs, account: str) -> None:
        self._tables = [_AccountSegments(folder, inputs, account) for folder in inputs.tables]
        tables = (table for table in inputs.tables.values() if table is not None)
        self._months = {month for table in tables for month in table.months(account)}
        self._inputs = inputs

    @cached_property
    def _ends(self) -> tuple[str, str] | None:
        """The first and the last day that may have had rows; None if no day is known to have had any."""
        firsts = [f"{month}-01" for month in self._months]
        lasts = [month_end(month) for month in self._months]
        seen = [*self._inputs.changed, *self._inputs.buffered]
        return None if not seen and not firsts else (min(firsts + seen), max(lasts + seen))

    def of(self, days: DayRange) -> Iterator[str]:
        """The days of a range without those at its ends that are known to have had no rows."""
        first, last = days.start.isoformat(), (days.end - timedelta(days=1)).isoformat()
        if self._may_skip(first) or days.open_start:
            if self._ends is None:
                return
            first = max(first, self._ends[0])
        if self._ends is None or last > max(self._ends[1], self._inputs.rows_from):
            last = min(last, max("" if self._ends is None else self._ends[1], self._inputs.rows_from))
        if not first <= last:
            return
        at, end = date.fromisoformat(first), date.fromisoformat(last)
        while at <= end:
            yield at.isoformat()
            at += timedelta(days=1)

    def _may_skip(self, first: str) -> bool:
        return not self._inputs.rows_from or any(each.knows(first) for each in self._tables)

    def is_empty(self, day: str) -> bool:
        return any(each.knows(day) and each.month(day).is_empty(day) for each in self._tables)


def month_end(month: str) -> str:
    """The last day (ISO) of a month."""
    after = date.fromisoformat(f"{month}-28") + timedelta(days=4)
    return (after - timedelta(days=after.day)).isoformat()


def intervals(days: Iterable[str]) -> Iterator[Interval]:
    """Days (ISO) as intervals in order, neighbouring days joined."""
    begin = end = None
    for start in sorted(day_start_us(date.fromisoformat(day)) for day in days):
        if end is not None and start != end:
            yield Interval(begin or 0, end)
            begin = None
        begin = start if begin is None else begin
        end = start + DAY_US
    if end is not None:
        yield Interval(begin or 0, end)
