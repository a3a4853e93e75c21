"""All rollups of a lake: their tables, and which segments and rows answer a question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from airtally.database.store import MetadataStore
from airtally.kit.cache import Cache
from airtally.kit.time import day_start_us, utc_day
from airtally.rollups.changes import ChangedDays
from airtally.rollups.plan import DayRange, Interval, PlanInputs, RollupCandidate, RollupPlan, plan_days
from airtally.rollups.table import FINAL, NO_SEGMENTS, RollupTable, RollupTableVersion, iso_day
from airtally.storage.lake import Lake, LakeTable
from airtally.storage.lake.snapshot import DataFile, Snapshot, SnapshotSource
from airtally.storage.lake.table import EXPIRED
from airtally.storage.lake.table_storage import ROLLUPS, open_storage
from airtally.storage.lake.table_version import TableVersion
from airtally.streams import STREAMS
from airtally.streams.declaration import DAY, Stream
from airtally.streams.rollup import Rollup

#: How often segments and rows are read anew because segments changed in between.
_TRIES = 5
#: Sets of stale days that are kept.
_MOST_STALE = 10_000


def _all_versions(stream: Stream) -> Iterator[Rollup]:
    return (each for rollup in stream.rollups for each in rollup.versions)


def table_of(lake: Lake, rollup: Rollup) -> RollupTable:
    place = open_storage(f"{lake.url}/{ROLLUPS}/{rollup.folder}", lake.options)
    return RollupTable(rollup, place, clock=lake.clock, faults=lake.faults, marks=lake.marks)


def tables_of(lake: Lake) -> list[RollupTable]:
    """The tables of all versions of all rollups, whether they exist or not."""
    return [table_of(lake, each) for stream in STREAMS.values() for each in _all_versions(stream)]


def stream_of(rollup: Rollup) -> Stream:
    """The stream that declares the rollup, in whatever version."""
    return next(each for each in STREAMS.values() if rollup.name in {own.name for own in each.rollups})


class Rollups:
    """The rollups' tables, beside those of the streams in the lake, one for each version of a rollup.

    `retention` has the days that segments are kept by the name of the rollup, None for ever; `zones` gives the accounts'
    time zones by slug, `deleted` the slugs of deleted accounts, for which nothing is built.
    Thread-safe: a lock guards the two dictionaries, which hold at most one entry for each declared rollup version and
    stream; the tables and changed days in them are thread-safe by locks of their own.

    `removed` is told of segment files that a commit has removed.
    """

    def __init__(
        self,
        lake: Lake,
        source: SnapshotSource,
        store: MetadataStore,
        *,
        retention: Mapping[str, int | None],
        zones: Callable[[], Mapping[str, str]] = dict,
        deleted: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self.lake = lake
        self._retention = retention
        self.zones = zones
        self.removed: Callable[[Sequence[DataFile]], None] = lambda _: None
        self.deleted = deleted
        self._source = source
        self._store = store
        self._lock = threading.Lock()
        self._tables: dict[str, RollupTable] = {}
        self._changed_days: dict[str, ChangedDays] = {}
        self._stale: Cache[tuple[str, object, object], frozenset[str]] = Cache(_MOST_STALE)

    def table(self, rollup: Rollup) -> RollupTable:
        with self._lock:
            if rollup.folder not in self._tables:
                self._tables[rollup.folder] = table_of(self.lake, rollup)
            return self._tables[rollup.folder]

    def tables(self) -> list[RollupTable]:
        """The tables of all versions of all rollups, whether they exist or not."""
        return [self.table(each) for stream in STREAMS.values() for each in _all_versions(stream)]

    def open_segments(self, rollup: Rollup) -> RollupTableVersion:
        """The newest version of a rollup's table, which is made if it does not exist."""
        table = self.table(rollup)
        table.open()
        view = table.newest()
        assert view is not None  # noqa: S101 (opening makes it)
        return view

    def changed_days(self, table: LakeTable) -> ChangedDays:
        with self._lock:
            if table.name not in self._changed_days:
                self._changed_days[table.name] = ChangedDays(self._store, table, self.deleted)
            return self._changed_days[table.name]

    def rollup_plan(
        self, candidates: Sequence[RollupCandidate], stream: Stream, account: str, interval: Interval
    ) -> RollupPlan:
        """Everything acknowledged so far, in whole UTC days around the interval.

        The segments are read before the rows, so that no segment is newer than the rows beside it. Both are read again
        if segments changed meanwhile, since rows may have been removed once those were built.
        """
        tables = self._table_versions(stream)
        start, end = utc_day(interval.start_us), utc_day(interval.end_us - 1) + timedelta(days=1)
        for _ in range(_TRIES):
            before = tables
            rows = self._source.snapshot(stream, account, start_us=day_start_us(start), end_us=day_start_us(end))
            tables = self._table_versions(stream)
            if all(tables[each] is before[each] for each in tables):
                break
        inputs = self._plan_inputs(stream, before, rows)
        return plan_days(candidates, inputs, rows, DayRange(start, end, interval.open_start))

    def stale_days(
        self,
        account: str,
        segments: RollupTableVersion | None,
        changed: Mapping[str, int],
        lake_version: int,
        zone: str | None = None,
    ) -> Iterator[str]:
        """The stale days: their last change is newer than their segment, and they may still be rebuilt.

        A segment of a lake version that does not exist is stale too: the lake was restored to an earlier state. With
        `zone` so are segments whose cells are cut in another time zone.
        """
        months = {} if segments is None else segments.months(account)
        final_before = "" if segments is None else segments.final_before
        for day, version in changed.items():
            if day < final_before:
                continue
            month = months.get(day[:7], NO_SEGMENTS)
            if not version <= month.source_version(day) <= lake_version or (
                zone is not None and month.zone(day) != zone
            ):
                yield day

    def rows_from(self, stream: Stream) -> str:
        """The first day (ISO) whose rows retention has not removed; "" if it never removed any."""
        return _rows_from(stream, self.lake.table(stream).newest(), self._table_versions(stream))

    def kept_from(self, rollup: Rollup) -> str:
        """The first day (ISO) whose segments are kept, and so are worth building."""
        return self._kept_from(rollup, self.table(rollup).newest(), lambda: self.rows_from(stream_of(rollup)))

    def cell_zone(self, rollup: Rollup, account: str) -> str | None:
        """The time zone that a rollup's cells of an account are cut in; None where it does not matter."""
        return self.zones().get(account, "UTC") if rollup.local else None

    def first_stale(
        self,
        segments: RollupTableVersion,
        view: TableVersion,
        changed: Mapping[str, Mapping[str, int]],
        days: tuple[str, str],
    ) -> str | None:
        """The first stale day of any account from the first of `days` up to, but without, the second; None: there is none."""
        every = changed.items()
        stale = (day for account, own in every for day in self.stale_days(account, segments, own, view.version))
        return min((day for day in stale if days[0] <= day < days[1]), default=None)

    def limit(self, rollup: Rollup) -> str:
        """The first day (ISO) whose segments retention keeps; "" if it keeps all."""
        days = self._retention[rollup.name]
        return "" if days is None else (utc_day(self.lake.clock.now_us()) - timedelta(days=days + 1)).isoformat()

    def _table_versions(self, stream: Stream) -> dict[str, RollupTableVersion | None]:
        return {each.folder: self.table(each).newest() for each in _all_versions(stream)}

    def _plan_inputs(
        self, stream: Stream, tables: Mapping[str, RollupTableVersion | None], rows: Snapshot
    ) -> PlanInputs:
        view = self.lake.table(stream).newest()
        changed = {} if view is None else self.changed_days(self.lake.table(stream)).of_account(rows.account, view)
        rows_from = _rows_from(stream, view, tables)
        buffered = {day.isoformat() for table in rows.buffered for day in table[DAY.name].unique().to_pylist()}
        return PlanInputs(
            tables=tables,
            rows_from=rows_from,
            kept_from={
                each.folder: self._kept_from(each, tables[each.folder], lambda: rows_from)
                for each in _all_versions(stream)
            },
            changed=changed,
            buffered=buffered,
            stale=lambda segments: self._stale_set(rows.account, segments, view, changed),
        )

    def _stale_set(
        self,
        account: str,
        segments: RollupTableVersion | None,
        view: TableVersion | None,
        changed: Mapping[str, int],
    ) -> frozenset[str]:
        """The stale days, kept until segments or rows change: a question would look at each day that ever had rows."""
        if segments is None or view is None:
            return frozenset(changed)
        key = account, segments.mark, view.mark
        found = self._stale.get(key)
        if found is None:
            found = frozenset(self.stale_days(account, segments, changed, view.version))
            self._stale.put(key, found)
        return found

    def _kept_from(self, rollup: Rollup, view: RollupTableVersion | None, rows_from: Callable[[], str]) -> str:
        """Noted with the first segments. Only a table of 0.1.0 has segments without that note."""
        noted = None if view is None else view.kept_from
        if noted is not None:
            return noted
        limit = self.limit(rollup)
        return limit if view is not None and view.has_segments else max(limit, rows_from())


def _rows_from(stream: Stream, view: TableVersion | None, tables: Mapping[str, RollupTableVersion | None]) -> str:
    """As the stream's own table notes it; in a home of 0.1.0 the rollups' tables do."""
    if view is None or not stream.rollups:
        return ""
    finals = [segments.committed(FINAL) for segments in tables.values() if segments is not None]
    return iso_day(max(view.committed(EXPIRED), min((each for each in finals if each > 0), default=0), 0))
