"""From which parts or rows each UTC day of an interval is answered.

A day comes from the first rollup, the coarsest, whose cells the question does not cut and whose part of the day is
current: of its newest version, else of an earlier one. Else it comes from rows; where these have left, from nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from airtally.kit.time import DAY_US, day_start_us
from airtally.rollups.table import NO_PARTS, MonthParts, RollupView
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.rollup import Measure, Rollup


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_us, end_us). `open_start`: from whenever there is something."""

    start_us: int
    end_us: int
    open_start: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rollup that has what a question names: `measures` in the order of its metrics.

    `fits` tells of a UTC day (ISO) whether the question cuts none of its cells, which lie in a zone; None where it
    cuts none of any day.
    """

    rollup: Rollup
    measures: tuple[Measure, ...]
    fits: Callable[[str, str], bool] | None


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """Parts of one rollup. Of the `bases` the days in `hidden` do not count; `days` count whole."""

    wanted: Wanted
    bases: tuple[DataFile, ...]
    hidden: tuple[Interval, ...]
    days: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True)
class RollupPlan:
    """An interval of an account's events as parts and rows, each event in one of them.

    `rows` holds the rows of the days in `stale`, which no part is current for. Of `missing` nothing can be told.
    """

    sources: tuple[SegmentSource, ...]
    rows: Snapshot
    stale: tuple[Interval, ...]
    missing: tuple[Interval, ...] = ()

    @property
    def has_rows(self) -> bool:
        return bool(self.stale) and bool(self.rows.compacted or self.rows.uncompacted or self.rows.buffered)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole UTC days [start, end)."""

    start: date
    end: date
    open_start: bool = False


@dataclass(frozen=True)
class Look:
    """What was known of an account's days when the question was asked. Days are ISO texts.

    `rows_from`: no row has left of this day and those after it. `kept_from` is the same of parts. `changed` days have
    rows in the lake, `buffered` ones outside it; `stale` gives the days that a table's parts are not current of.
    Tables go by the folder of their rollup.
    """

    views: Mapping[str, RollupView | None]
    rows_from: str
    kept_from: Mapping[str, str]
    changed: Mapping[str, int]
    buffered: set[str]
    stale: Callable[[RollupView | None], set[str]]


class _Table:
    """What a rollup's table holds of an account."""

    def __init__(self, folder: str, look: Look, account: str) -> None:
        view = look.views[folder]
        self.months = {} if view is None else view.months(account)
        self.final_before = "" if view is None else view.final_before
        self._kept_from, self._rows_from = look.kept_from[folder], look.rows_from

    def knows(self, day: str) -> bool:
        """Whether what it says of a day, also that nothing happened, can be relied on.

        Days before the rows that are left changed unseen, unless the rows had to wait for this very table.
        """
        return day >= self._kept_from and (day >= self._rows_from or day < self.final_before)

    def knows_since(self, day: str) -> bool:
        """Whether it can be relied on for that day and all after it."""
        return day >= self._kept_from and day >= self._rows_from

    def month(self, day: str) -> MonthParts:
        return self.months.get(day[:7], NO_PARTS)


class _Choice(_Table):
    """The days that are answered from a table."""

    def __init__(self, wanted: Wanted, look: Look, account: str) -> None:
        super().__init__(wanted.rollup.folder, look, account)
        self.wanted = wanted
        self._stale = look.stale(look.views[wanted.rollup.folder])
        self._stale |= {day for day in look.buffered if day >= self.final_before}
        self.chosen: set[str] = set()

    def take(self, days: list[str]) -> list[str]:
        """Of days in order, choose those that it can answer; returns the others."""
        fits, stale = self.wanted.fits, self._stale
        mine = [day for day in days if day < self._rows_from] if self.wanted.rollup.mended else days
        if fits is None and mine and self.knows_since(mine[0]):
            self.chosen = set(mine) - stale
        else:
            self.chosen = {day for day in mine if day not in stale and self.knows(day) and self._fits(day)}
        return [day for day in days if day not in self.chosen]

    def _fits(self, day: str) -> bool:
        return self.wanted.fits is None or self.wanted.fits(day, self._zone(day))

    def _zone(self, day: str) -> str:
        return self.month(day).zone(day) if self.wanted.rollup.local else "UTC"

    def source(self, days: Sequence[str]) -> SegmentSource | None:
        overlaid = {day for month in self.months.values() for day in month.days}
        from_base = self.chosen - overlaid
        bases = {}
        for month in {day[:7] for day in from_base}:
            base = self.month(month).base
            if base is not None and base.data.rows:
                bases[month] = base.data
        single = [file for month in self.months.values() for day, file in month.days.items() if day in self.chosen]
        whole = len(from_base) == len(days)
        hidden = () if whole else (day for day in days if day[:7] in bases and day not in from_base)
        files = tuple(file.data for file in single if file.data.rows)
        if not bases and not files:
            return None
        return SegmentSource(
            self.wanted, tuple(bases[month] for month in sorted(bases)), tuple(intervals(hidden)), files
        )


def planned(wanted: Sequence[Wanted], look: Look, rows: Snapshot, interval: Days) -> RollupPlan:
    """`wanted`: what is to be taken first comes first."""
    parts = [_Choice(each, look, rows.account) for each in wanted]
    every = _Known(look, rows.account)
    days = left = list(every.of(interval))
    for each in parts:
        left = each.take(left) if left else left
    stale = [day for day in left if day >= look.rows_from]
    missing = [day for day in left if day < look.rows_from and not every.is_empty(day)]
    sources = (each.source(days) for each in parts if each.chosen)
    return RollupPlan(
        sources=tuple(each for each in sources if each is not None),
        rows=rows.of_days(set(stale)),
        stale=tuple(intervals(stale)),
        missing=tuple(intervals(missing)),
    )


class _Known:
    """What all tables of a stream say together of the days on which an account had no row."""

    def __init__(self, look: Look, account: str) -> None:
        self._tables = [_Table(folder, look, account) for folder in look.views]
        views = (view for view in look.views.values() if view is not None)
        self._months = {month for view in views for month in view.months(account)}
        self._look = look

    @cached_property
    def _ends(self) -> tuple[str, str] | None:
        """The first and the last day on which there may have been a row that is known of."""
        firsts = [f"{month}-01" for month in self._months]
        lasts = [month_end(month) for month in self._months]
        seen = [*self._look.changed, *self._look.buffered]
        return None if not seen and not firsts else (min(firsts + seen), max(lasts + seen))

    def of(self, interval: Days) -> Iterator[str]:
        """The days of an interval that need a look: not those on which nothing is known to have been."""
        first, last = interval.start.isoformat(), (interval.end - timedelta(days=1)).isoformat()
        if self._may_skip(first) or interval.open_start:
            if self._ends is None:
                return
            first = max(first, self._ends[0])
        if self._ends is None or last > max(self._ends[1], self._look.rows_from):
            last = min(last, max("" if self._ends is None else self._ends[1], self._look.rows_from))
        if not first <= last:
            return
        at, end = date.fromisoformat(first), date.fromisoformat(last)
        while at <= end:
            yield at.isoformat()
            at += timedelta(days=1)

    def _may_skip(self, first: str) -> bool:
        return not self._look.rows_from or any(each.knows(first) for each in self._tables)

    def is_empty(self, day: str) -> bool:
        return any(each.knows(day) and each.month(day).is_empty(day) for each in self._tables)


def month_end(month: str) -> str:
    """The last day of a month (ISO)."""
    after = date.fromisoformat(f"{month}-28") + timedelta(days=4)
    return (after - timedelta(days=after.day)).isoformat()


def intervals(days: Iterable[str]) -> Iterator[Interval]:
    """Neighbouring days as one."""
    begin = end = None
    for start in sorted(day_start_us(date.fromisoformat(day)) for day in days):
        if end is not None and start != end:
            yield Interval(begin or 0, end)
            begin = None
        begin = start if begin is None else begin
        end = start + DAY_US
    if end is not None:
        yield Interval(begin or 0, end)
