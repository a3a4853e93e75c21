"""Compaction: files of one pinned version become fewer, sorted ones without duplicates, or nothing changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from airtally.kit import metrics
from airtally.kit.runner import Runner
from airtally.kit.time import utc_day
from airtally.kit.troubles import Troubles
from airtally.storage.lake.data_files import added, removed
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.rewrite import Rewrite, Rewritten, rewrite, touched
from airtally.storage.lake.table import LakeTable
from airtally.storage.lake.table_version import LiveFile, TableVersion
from airtally.streams.declaration import Partition

_MEMORY = 512 << 20
_LARGE_ROWS = 2_000_000
_MOST_ROWS = 6_000_000
_TRIES = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """An open day (today and yesterday, UTC) is compacted when it has too many uncompacted files, a closed one
    when it has any and has been quiet. Compacted files are merged when a day has more than `compacted_files`, and
    with `convert` rewritten where they have an earlier schema.
    """

    uncompacted_files: int = 16
    compacted_files: int = 8
    quiet_seconds: float = 600.0
    convert: bool = False


#: Everything that is not one compacted file a day with today's columns: `airtally lake compact`.
EAGER = CompactionPolicy(uncompacted_files=0, compacted_files=1, quiet_seconds=0.0, convert=True)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """The files of one partition that ought to become fewer."""

    day: str | None
    uncompacted: tuple[LiveFile, ...]
    compacted: tuple[LiveFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.data.rows for file in (*self.uncompacted, *self.compacted))


def plan(table_version: TableVersion, now_us: int, policy: CompactionPolicy) -> list[DayPlan]:
    """The days of a version that the policy wants rewritten, those with most files first."""
    days: dict[str | None, list[LiveFile]] = defaultdict(list)
    for file in table_version.files:
        days[file.data.day].append(file)
    wanted = [_day_plan(day, files) for day, files in days.items() if _worth(table_version, day, files, now_us, policy)]
    return sorted(wanted, key=lambda each: -len(each.uncompacted) - len(each.compacted))


def _day_plan(day: str | None, files: Iterable[LiveFile]) -> DayPlan:
    files = list(files)
    return DayPlan(day, tuple(f for f in files if not f.compacted), tuple(f for f in files if f.compacted))


def _worth(
    table_version: TableVersion, day: str | None, files: list[LiveFile], now_us: int, policy: CompactionPolicy
) -> bool:
    uncompacted = [file for file in files if not file.compacted]
    merged = small(file for file in files if file.compacted)
    if len(uncompacted) > policy.uncompacted_files or len(merged) > policy.compacted_files:
        return True
    if policy.convert and any(map(_is_outdated, files)):
        return True
    if not uncompacted or day is None or table_version.stream.partition is Partition.NONE:
        return False
    if day >= (utc_day(now_us) - timedelta(days=1)).isoformat():
        return False
    return max(file.modified_at_ms for file in uncompacted) * 1000 <= now_us - policy.quiet_seconds * 1_000_000


def _is_outdated(file: LiveFile) -> bool:
    return file.data.columns is not None


def small(files: Iterable[LiveFile]) -> list[LiveFile]:
    """Those that are merged with others; large compacted files are only rewritten where an event in them comes again."""
    return [file for file in files if file.data.rows < _LARGE_ROWS]


def _first_within_bounds(files: Iterable[LiveFile], rows: int = 0) -> tuple[LiveFile, ...]:
    """The first files that with `rows` others have at most 6 million rows, which memory allows; at least one."""
    found: list[LiveFile] = []
    for file in files:
        rows += file.data.rows
        if found and rows > _MOST_ROWS:
            break
        found.append(file)
    return tuple(found)


def _bounded(day: DayPlan) -> DayPlan:
    """The oldest uncompacted files; the others wait for the next rewrite."""
    oldest = sorted(day.uncompacted, key=lambda each: each.modified_at_ms)
    return DayPlan(day.day, _first_within_bounds(oldest), day.compacted)


def _outdated(day: DayPlan) -> tuple[LiveFile, ...]:
    """Compacted files of an earlier schema to rewrite together with the uncompacted files, the smallest first."""
    rows = sum(file.data.rows for file in day.uncompacted)
    return _first_within_bounds(sorted(filter(_is_outdated, day.compacted), key=_row_count), rows)


def _leaves_outdated(day: DayPlan, chosen: DayPlan, policy: CompactionPolicy) -> bool:
    """Whether a rewrite that was to convert a day's files left some for the next one."""
    return policy.convert and any(_is_outdated(file) and file not in chosen.compacted for file in day.compacted)


def _row_count(file: LiveFile) -> int:
    return file.data.rows


class Compactor:
    """Compacts the days of one table. Two at once leave a correct table: one of them loses and plans again."""

    def __init__(
        self,
        table: LakeTable,
        runner: Runner,
        *,
        memory: int = _MEMORY,
        scratch: str | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        self._table = table
        self._runner = runner
        self._memory = memory
        self._scratch = scratch
        self._troubles = troubles

    def run(self, policy: CompactionPolicy, *, at_most: int | None = None) -> int:
        """Rewrite days until the policy asks for no more; returns the number of rewrites, `at_most` so many.

        With `troubles` a day that cannot be rewritten is put off and the others go on; without, its error is raised.
        """
        if self._table.exists():
            self._table.open()  # what is written has the declared columns
        done: set[str | None] = set()
        rewritten = lost = 0
        while at_most is None or rewritten < at_most:
            table_version = self._table.newest()
            days = [] if table_version is None else plan(table_version, self._table.clock.now_us(), policy)
            days = [day for day in days if day.day not in done and not self._is_put_off(day)]
            if table_version is None or not days:
                break
            try:
                chosen = self._rewrite(table_version, days[0], policy)
            except CommitConflict:
                lost += 1
                if lost >= _TRIES:
                    break
                continue
            except Exception as error:  # noqa: BLE001 (one day's trouble is not another's)
                self._put_off(days[0], error)
                done.add(days[0].day)
                continue
            rewritten += 1
            if len(chosen.uncompacted) == len(days[0].uncompacted) and not _leaves_outdated(days[0], chosen, policy):
                done.add(days[0].day)
        return rewritten

    def _is_put_off(self, day: DayPlan) -> bool:
        return self._troubles is not None and self._troubles.waits(self._key(day))

    def _put_off(self, day: DayPlan, error: Exception) -> None:
        if self._troubles is None:
            raise error
        name = self._table.name
        self._troubles.failed(self._key(day), f"compaction of {name}, day {day.day}", error)
        _log.error("a day cannot be compacted", stream=name, day=day.day, exc_info=error)

    def _key(self, day: DayPlan) -> tuple[str, ...]:
        return "compaction", self._table.name, str(day.day)

    def _rewrite(self, table_version: TableVersion, day: DayPlan, policy: CompactionPolicy) -> DayPlan:
        """Rewrite a day on a handle of its own, pinned to the version that was planned from; returns what was chosen."""
        self._table.faults.reach("lake.compact")
        handle = self._table.open_version(table_version.version)
        chosen = self._choose(table_version, day, policy)
        result: Rewritten = self._runner.run(rewrite, self._job(table_version, chosen))
        now_ms = self._table.clock.now_us() // 1000
        actions: list[Any] = [added(each, now_ms, data_change=False) for each in result.written if each.rows]
        actions += [removed(file, now_ms, data_change=False) for file in (*chosen.uncompacted, *chosen.compacted)]
        try:
            self._table.replace(handle, table_version, actions)
        except CommitConflict:
            for each in result.written:
                self._table.storage.delete(each.name)
            raise
        if self._troubles is not None:
            self._troubles.well(self._key(day))
        metrics.COMPACTED_ROWS.labels(self._table.stream.name).inc(result.rows)
        metrics.REPEATS_REMOVED.labels(self._table.stream.name).inc(result.duplicates)
        _log.info(
            "compacted",
            stream=self._table.stream.name,
            day=day.day,
            files=len(chosen.uncompacted) + len(chosen.compacted),
            rows=result.rows,
            duplicates=result.duplicates,
        )
        return chosen

    def _choose(self, table_version: TableVersion, day: DayPlan, policy: CompactionPolicy) -> DayPlan:
        """The oldest uncompacted files, the compacted ones that hold events of theirs, and compacted ones no larger.

        So a row is rewritten a logarithmic number of times, however often its day is compacted.
        """
        day = _bounded(day)
        needed = self._with_same_events(table_version, day)
        if policy.convert:
            needed |= {file.name for file in _outdated(day)}
        chosen = [file for file in day.compacted if file.name in needed]
        rest = sorted((file for file in small(day.compacted) if file.name not in needed), key=_row_count)
        taken = sum(file.data.rows for file in (*day.uncompacted, *chosen))
        for index, file in enumerate(rest):
            if file.data.rows > taken and len(rest) - index <= policy.compacted_files - 1:
                break
            chosen.append(file)
            taken += file.data.rows
        return DayPlan(day.day, day.uncompacted, tuple(chosen))

    def _with_same_events(self, table_version: TableVersion, day: DayPlan) -> set[str]:
        uncompacted = tuple(file for file in day.uncompacted if not file.data.ids_all_null)
        compacted = tuple(file for file in day.compacted if not file.data.ids_all_null)
        if not uncompacted or not compacted:
            return set()
        return set(self._runner.run(touched, self._job(table_version, DayPlan(day.day, uncompacted, compacted))))

    def _job(self, table_version: TableVersion, day: DayPlan) -> Rewrite:
        older = {
            file.name: each for file in (*day.uncompacted, *day.compacted) if (each := file.data.columns) is not None
        }
        return Rewrite(
            stream=self._table.stream.name,
            table_url=self._table.url,
            storage_options=self._table.storage.options,
            day=day.day,
            uncompacted=tuple(file.name for file in day.uncompacted),
            compacted=tuple(file.name for file in day.compacted),
            rows=day.rows,
            memory=self._memory,
            scratch=self._scratch,
            schema=table_version.schemas.newest,
            older=older,
        )
