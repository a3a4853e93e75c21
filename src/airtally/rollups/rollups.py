"""All rollups of a lake: what of an interval their parts can answer, what is left to the rows, and what is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from airtally.database.store import MetadataStore
from airtally.kit.time import day_start_us, utc_day
from airtally.rollups.changes import Changes
from airtally.rollups.plan import Days, Interval, Look, RollupPlan, Wanted, planned
from airtally.rollups.table import FINAL, NO_PARTS, RollupTable, RollupView, iso_day
from airtally.storage.lake import Lake, LakeTable
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource
from airtally.storage.lake.table import EXPIRED
from airtally.storage.lake.table_storage import ROLLUPS, open_storage
from airtally.storage.lake.table_version import TableVersion
from airtally.streams import STREAMS
from airtally.streams.declaration import DAY, Stream
from airtally.streams.rollup import Rollup

_LOOKS = 5


def _all(stream: Stream) -> Iterator[Rollup]:
    return (each for rollup in stream.rollups for each in rollup.versions)


def _for_ever(_: Rollup) -> int | None:
    return None


def table_of(lake: Lake, rollup: Rollup) -> RollupTable:
    place = open_storage(f"{lake.url}/{ROLLUPS}/{rollup.folder}", lake.options)
    return RollupTable(rollup, place, clock=lake.clock, faults=lake.faults)


def tables_of(lake: Lake) -> list[RollupTable]:
    """Those of all rollups, made or not."""
    return [table_of(lake, each) for stream in STREAMS.values() for each in _all(stream)]


class Rollups:
    """Thread-safe. The tables lie beside the streams' in the lake, one for each version of a rollup.

    `retention` gives the days that a rollup's parts are kept, None for ever; `zones` the accounts' zones by slug.
    """

    def __init__(
        self,
        lake: Lake,
        source: SnapshotSource,
        store: MetadataStore,
        *,
        retention: Callable[[Rollup], int | None] = _for_ever,
        zones: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.lake = lake
        self.retention = retention
        self.zones = zones
        self._source = source
        self._store = store
        self._lock = threading.Lock()
        self._tables: dict[str, RollupTable] = {}
        self._changes: dict[str, Changes] = {}

    def table(self, rollup: Rollup) -> RollupTable:
        with self._lock:
            if rollup.folder not in self._tables:
                self._tables[rollup.folder] = table_of(self.lake, rollup)
            return self._tables[rollup.folder]

    def tables(self) -> list[RollupTable]:
        """Those of all rollups, made or not."""
        return [self.table(each) for stream in STREAMS.values() for each in _all(stream)]

    def changes(self, table: LakeTable) -> Changes:
        with self._lock:
            if table.name not in self._changes:
                self._changes[table.name] = Changes(self._store, table)
            return self._changes[table.name]

    def rollup_plan(self, wanted: Sequence[Wanted], stream: Stream, account: str, interval: Interval) -> RollupPlan:
        """Everything acknowledged so far, in whole UTC days around the interval.

        The parts are looked at before the rows, so that none is newer than they are; again where parts
        moved on meanwhile, since rows may have left for them.
        """
        views = self._views(stream)
        start, end = utc_day(interval.start_us), utc_day(interval.end_us - 1) + timedelta(days=1)
        for _ in range(_LOOKS):
            before = views
            rows = self._source.snapshot(stream, account, start_us=day_start_us(start), end_us=day_start_us(end))
            views = self._views(stream)
            if all(views[each] is before[each] for each in views):
                break
        look = self._look(stream, before, rows)
        return planned(wanted, look, rows, Days(start, end, interval.open_start))

    def stale_days(
        self,
        account: str,
        parts: RollupView | None,
        changed: Mapping[str, int],
        lake_version: int,
        zone: str | None = None,
    ) -> Iterator[str]:
        """The days whose part is older than their last change, and may be made anew.

        So is a part of a version that the lake has not: the lake was put back to an earlier state. With `zone` also
        those that are cut in another.
        """
        months = {} if parts is None else parts.months(account)
        final_before = "" if parts is None else parts.final_before
        for day, version in changed.items():
            if day < final_before:
                continue
            month = months.get(day[:7], NO_PARTS)
            if not version <= month.source(day) <= lake_version or (zone is not None and month.zone(day) != zone):
                yield day

    def rows_from(self, stream: Stream) -> str:
        """The first day (ISO) that no row has left of by retention; "" where none ever did."""
        return self._rows_from(stream, self.lake.table(stream).view(), self._views(stream))

    def kept_from(self, rollup: Rollup, stream: Stream) -> str:
        """The first day (ISO) that the rollup's parts are kept of, or are to be."""
        view = self.table(rollup).view()
        return self._kept_from(rollup, view, lambda: self.rows_from(stream))

    def first_stale(
        self, parts: RollupView, view: TableVersion, changed: Mapping[str, Mapping[str, int]], days: tuple[str, str]
    ) -> str | None:
        """The first day from the first up to, but without, the second of which a part needs to be made; None: none."""
        every = changed.items()
        stale = (day for account, own in every for day in self.stale_days(account, parts, own, view.version))
        return min((day for day in stale if days[0] <= day < days[1]), default=None)

    def limit(self, rollup: Rollup) -> str:
        """The first day (ISO) that retention keeps parts of; "" where it keeps all."""
        days = self.retention(rollup)
        return "" if days is None else (utc_day(self.lake.clock.now_us()) - timedelta(days=days + 1)).isoformat()

    def _views(self, stream: Stream) -> dict[str, RollupView | None]:
        return {each.folder: self.table(each).view() for each in _all(stream)}

    def _look(self, stream: Stream, views: Mapping[str, RollupView | None], rows: Snapshot) -> Look:
        view = self.lake.table(stream).view()
        changed = {} if view is None else self.changes(self.lake.table(stream)).of(rows.account, view)
        version = -1 if view is None else view.version
        rows_from = self._rows_from(stream, view, views)
        buffered = {day.isoformat() for table in rows.buffered for day in table[DAY.name].unique().to_pylist()}
        return Look(
            views=views,
            rows_from=rows_from,
            kept_from={
                each.folder: self._kept_from(each, views[each.folder], lambda: rows_from) for each in _all(stream)
            },
            changed=changed,
            buffered=buffered,
            stale=lambda parts: set(self.stale_days(rows.account, parts, changed, version)),
        )

    def _rows_from(self, stream: Stream, view: TableVersion | None, views: Mapping[str, RollupView | None]) -> str:
        """Told by the stream's own table; of a home of 0.1.0 by its rollups."""
        if view is None or not stream.rollups:
            return ""
        finals = [parts.committed(FINAL) for parts in views.values() if parts is not None]
        return iso_day(max(view.committed(EXPIRED), min((each for each in finals if each > 0), default=0), 0))

    def _kept_from(self, rollup: Rollup, view: RollupView | None, rows_from: Callable[[], str]) -> str:
        """Noted with the first parts; a table with parts and no such note is one of 0.1.0."""
        noted = None if view is None else view.kept_from
        if noted is not None:
            return noted
        limit = self.limit(rollup)
        return limit if view is not None and view.has_parts else max(limit, rows_from())
