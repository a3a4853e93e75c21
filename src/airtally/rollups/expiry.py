"""Removes segments: those past their retention, those a newer version of their rollup replaced, and all on request.

It also says from which day on the rows of a stream are still needed for segments.
"""

from __future__ import annotations

from datetime import date

import structlog

from airtally.rollups.commit import replace_files
from airtally.rollups.plan import month_end
from airtally.rollups.rollups import Rollups, stream_of
from airtally.rollups.table import FINAL, KEPT, day_number
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.delta import CommitConflict
from airtally.streams.rollup import Rollup

_log = structlog.get_logger()


class SegmentExpiry:
    """Thread-safe: it has no state of its own, and a commit by another thread or process makes one of its own fail.

    `read_log` and `finish` are `storage.lake.maintenance.Derived`, for the expiry of rows.
    """

    def __init__(self, rollups: Rollups) -> None:
        self._rollups = rollups

    def expire(self, rollup: Rollup) -> int:
        """Remove the months that are past the rollup's retention; returns the number of files.

        A month goes as a whole, after its last day: without its day file an older segment in the month file would show.
        """
        limit, table = self._rollups.limit(rollup), self._rollups.table(rollup)
        view = table.newest()
        if view is None:
            return 0
        over = {month for month in {file.month for file in view.files} if month_end(month) < limit}
        gone = [file for file in view.files if file.month in over]
        if gone:
            first = max(self._rollups.kept_from(rollup), f"{limit[:7]}-01")
            replace_files(self._rollups, table, view, gone, [], **{KEPT: day_number(first)})
            _log.info("rollup segments expired", rollup=rollup.name, files=len(gone))
        elif view.has_segments and view.kept_from is None:
            replace_files(self._rollups, table, view, [], [])  # a table of 0.1.0: this notes what is kept of it
        return len(gone)

    def drop_replaced(self, table: LakeTable, rollup: Rollup) -> None:
        """Remove the months of earlier versions whose days the newest version has, but for days without rows left."""
        view, segments, first = table.newest(), self._rollups.table(rollup).newest(), self._rollups.kept_from(rollup)
        if view is None or segments is None or not any(self._has_months(each, first) for each in rollup.versions[1:]):
            return
        stale: set[tuple[str, str]] = set()
        for account, changed in self._rollups.changed_days(table).by_account(view).items():
            days = self._rollups.stale_days(account, segments, changed, view.version)
            stale.update((account, day[:7]) for day in days)
        for each in rollup.versions[1:]:
            old_table = self._rollups.table(each)
            old = old_table.newest()
            gone = [] if old is None else [file for file in old.files if f"{file.month}-01" >= first]
            gone = [file for file in gone if stale.isdisjoint((slug, file.month) for slug in file.claims.rows)]
            if old is not None and gone:
                replace_files(self._rollups, old_table, old, gone, [])
                _log.info("earlier rollup segments replaced", rollup=rollup.name, version=each.version, files=len(gone))

    def _has_months(self, rollup: Rollup, first: str) -> bool:
        view = self._rollups.table(rollup).newest()
        return view is not None and any(f"{file.month}-01" >= first for file in view.files)

    def drop_all(self, rollup: Rollup) -> None:
        """Remove the segments of all months that still have all their rows, so that they are built anew."""
        table = self._rollups.table(rollup)
        view = table.newest()
        if view is not None:
            first = max(view.final_before, self._rollups.rows_from(stream_of(rollup)))
            replace_files(self._rollups, table, view, [file for file in view.files if f"{file.month}-01" >= first], [])

    def read_log(self, table: LakeTable) -> None:
        """See `storage.lake.maintenance.Derived`."""
        view = table.newest() if table.stream.rollups else None
        if view is not None:
            self._rollups.changed_days(table).keep(view)

    def finish(self, table: LakeTable, view: TableVersion, before: date) -> date | None:
        """See `storage.lake.maintenance.Derived`. Each rollup's table notes the day, so all processes know it is final.

        A day that cannot be built for an account keeps the rows of that day and of later days, and no others.
        """
        seen = [(rollup, self._rollups.open_segments(rollup)) for rollup in table.stream.rollups]
        changes = self._rollups.changed_days(table)
        changed, last = changes.by_account(view), before.isoformat()
        for rollup, segments in seen:
            days = self._rollups.kept_from(rollup), last
            last = self._rollups.first_stale(segments, view, changed, days) or last
        before = date.fromisoformat(last)
        try:
            for rollup, segments in seen:
                if segments.committed(FINAL) < before.toordinal():
                    final = {FINAL: before.toordinal()}
                    replace_files(self._rollups, self._rollups.table(rollup), segments, [], [], **final)
        except CommitConflict:
            return None  # segments changed meanwhile, so what was looked at is not what would become final
        changes.forget(last)
        return before
