"""All rollups of a lake: what of an interval their parts can answer, and what is left to the rows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from airtally.kit.time import DAY_US, day_start_us, utc_day
from airtally.lake import Lake, LakeTable
from airtally.lake.place import open_place
from airtally.lake.snapshot import DataFile, Snapshot, SnapshotSource
from airtally.lake.view import LakeView
from airtally.metadata.store import MetadataStore
from airtally.rollups.changes import Changes
from airtally.rollups.table import NO_PARTS, MonthParts, RollupTable, RollupView
from airtally.streams.declaration import DAY, Stream
from airtally.streams.rollup import Rollup

FOLDER = "_rollups"
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_us, end_us)."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Cover:
    """An interval of an account's events as parts and rows, each event in one of them.

    Of the `bases` the days in `hidden` do not count; `days` count whole. `rows` holds the rows of the days
    in `stale`, which no part is current for.
    """

    bases: tuple[DataFile, ...]
    hidden: tuple[Interval, ...]
    days: tuple[DataFile, ...]
    rows: Snapshot
    stale: tuple[Interval, ...]

    @property
    def has_rows(self) -> bool:
        return bool(self.stale) and bool(self.rows.clean or self.rows.fresh or self.rows.buffered)


class Rollups:
    """Thread-safe. The tables lie beside the streams' in the lake."""

    def __init__(self, lake: Lake, source: SnapshotSource, store: MetadataStore) -> None:
        self.lake = lake
        self._source = source
        self._store = store
        self._lock = threading.Lock()
        self._tables: dict[str, RollupTable] = {}
        self._changes: dict[str, Changes] = {}

    def table(self, rollup: Rollup) -> RollupTable:
        with self._lock:
            if rollup.name not in self._tables:
                place = open_place(f"{self.lake.url}/{FOLDER}/{rollup.name}", self.lake.options)
                self._tables[rollup.name] = RollupTable(rollup, place, clock=self.lake.clock, faults=self.lake.faults)
            return self._tables[rollup.name]

    def changes(self, table: LakeTable) -> Changes:
        with self._lock:
            if table.name not in self._changes:
                self._changes[table.name] = Changes(self._store, table)
            return self._changes[table.name]

    def cover(self, rollup: Rollup, stream: Stream, account: str, interval: Interval) -> Cover:
        """Everything acknowledged so far, in whole UTC days around the interval.

        The parts are looked at before the rows, so that none is newer than they are; again where parts
        moved on meanwhile, since rows may have left for them.
        """
        table = self.table(rollup)
        view = table.view()
        for _ in range(_LOOKS):
            before = view
            start, end = _days_around(interval)
            rows = self._source.snapshot(stream, account, start_us=day_start_us(start), end_us=day_start_us(end))
            view = table.view()
            if view is before:
                break
        return self._cover(before, rows, start, end)

    def stale_days(
        self, account: str, parts: RollupView | None, changed: Mapping[str, int], lake_version: int
    ) -> Iterator[str]:
        """The days whose part is older than their last change, and may be made anew.

        So is a part of a version that the lake has not: the lake was put back to an earlier state.
        """
        months = {} if parts is None else parts.months(account)
        final_before = "" if parts is None else parts.final_before
        for day, version in changed.items():
            if day >= final_before and not version <= months.get(day[:7], NO_PARTS).source(day) <= lake_version:
                yield day

    def _cover(self, parts: RollupView | None, rows: Snapshot, start: date, end: date) -> Cover:
        first, last = start.isoformat(), (end - timedelta(days=1)).isoformat()
        stale = {day for day in self._stale(parts, rows) if first <= day <= last}
        months = [] if parts is None else [*_months(parts.months(rows.account), first, last)]
        days = {day: file for month in months for day, file in month.days.items() if first <= day <= last}
        return Cover(
            bases=tuple(month.base.data for month in months if month.base is not None and month.base.data.rows),
            hidden=tuple(_intervals(stale | days.keys())),
            days=tuple(file.data for day, file in days.items() if day not in stale and file.data.rows),
            rows=rows.of_days(stale),
            stale=tuple(_intervals(stale)),
        )

    def _stale(self, parts: RollupView | None, rows: Snapshot) -> set[str]:
        view = self.lake.table(rows.stream).view()
        stale: set[str] = set()
        if view is not None:
            changed = self.changes(self.lake.table(rows.stream)).of(rows.account, view)
            stale.update(self.stale_days(rows.account, parts, changed, view.version))
        final_before = "" if parts is None else parts.final_before
        return stale | {day for day in _buffered_days(rows) if day >= final_before}

    def is_current(
        self, parts: RollupView, view: LakeView, changed: Mapping[str, Mapping[str, int]], days: tuple[str, str]
    ) -> bool:
        """Whether no part needs to be made of the days from the first up to, but without, the second."""
        every = changed.items()
        stale = (day for account, own in every for day in self.stale_days(account, parts, own, view.version))
        return not any(days[0] <= day < days[1] for day in stale)


def _days_around(interval: Interval) -> tuple[date, date]:
    """The first UTC day, and the one after the last."""
    return utc_day(interval.start_us), utc_day(interval.end_us - 1) + timedelta(days=1)


def _months(months: Mapping[str, MonthParts], first: str, last: str) -> Iterable[MonthParts]:
    return (parts for month, parts in months.items() if first[:7] <= month <= last[:7])


def _buffered_days(rows: Snapshot) -> set[str]:
    return {day.isoformat() for table in rows.buffered for day in table[DAY.name].unique().to_pylist()}


def _intervals(days: Iterable[str]) -> Iterator[Interval]:
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
