"""Pins what an export is read from, and renders its parts: small ones in this process, large ones in the child."""

from __future__ import annotations

import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.exports.lane_writer import LaneWriter
from airtally.exports.lanes import ExportLane, LanePoint, PartLimits, Pin, ReadUnit, RenderedPart, RenderJob
from airtally.exports.ledger import NotedPart
from airtally.exports.sessions import Advance, RenderSessions, advance_in_child, drop_in_child
from airtally.exports.sources import source_of
from airtally.exports.spec import ExportSpec
from airtally.exports.statement_render import StatementRendering
from airtally.exports.statements import counts_statement
from airtally.exports.units import lanes_of, one_unit, units_of_days
from airtally.exports.wanted import Wanted, WantedFigures, WantedRows, WantedStatement
from airtally.kit.runner import Runner
from airtally.kit.time import DAY_US, utc_day, whole_days
from airtally.query.answering import PreparedQuestion
from airtally.query.service import Queries
from airtally.query.sql_service import PreparedStatement, SqlQueries
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource

_CORES = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """`limits` of parts that the export does not choose itself; `lanes` of a large export.

    Days with few rows are read together, and the files of a day with many apart, up to about `unit_rows`, or the rows of
    a part if these are fewer: where these end, parts can end, and reading can begin again. Exports that read fewer than `in_process_rows` are rendered in the
    server's process, as starting a child would take longer; one call holds the child for `turn_seconds`.
    """

    heavy: HeavyOptions
    limits: PartLimits
    lanes: int = _CORES
    unit_rows: int = 250_000
    in_process_rows: int = 200_000
    turn_seconds: float = 1.0


class ExportRenderer:
    """Thread-safe: it holds only what it was made with."""

    def __init__(
        self, queries: Queries, sql: SqlQueries, source: SnapshotSource, heavy: Runner, options: RenderOptions
    ) -> None:
        self._queries, self._sql = queries, sql
        self._source = source
        self._heavy = heavy
        self._options = options

    @property
    def _engine(self) -> Engine:
        return self._queries.engine

    def count_rows(self, wanted: Wanted) -> int:
        """About how many rows an export reads: those of the files. Raises RowsGone for figures that are not there."""
        if isinstance(wanted, WantedStatement):
            return sys.maxsize  # nobody knows: it shall keep no small one waiting
        if not isinstance(wanted, WantedRows):
            return self._queries.prepare(wanted.question).most_read
        start_us, end_us = _interval(wanted)
        view = self._queries.snapshot(wanted.stream, wanted.account, start_us=start_us, end_us=end_us)
        return _rows_of(view) + sum(int(each.num_rows) for each in view.buffered)

    def pin(self, wanted: WantedRows, spec: ExportSpec) -> Pin:
        """Every row received by now is in it, and lies in the lake."""
        start_us, end_us = _interval(wanted)
        view = self._source.snapshot(wanted.stream, wanted.account, start_us=start_us, end_us=end_us, flushed=True)
        units = self._units(wanted, view, min(self._options.unit_rows, self._limits(spec).rows))
        rows = sum(each.rows for each in units)
        lanes = lanes_of(units, self._options.lanes if rows >= self._options.in_process_rows else 1)
        return Pin(view.version, view.table_url, view.data_through_us, view.compacted, view.uncompacted, lanes)

    def rows(
        self,
        wanted: WantedRows,
        spec: ExportSpec,
        pin: Pin,
        parts: Sequence[NotedPart],
        folder: Path,
        *,
        in_child: bool = False,
    ) -> Rendering:
        """Goes on behind the parts that are noted."""
        view = Snapshot(
            wanted.stream,
            wanted.account,
            pin.table_url,
            pin.version,
            pin.compacted,
            pin.uncompacted,
            data_through_us=pin.data_through_us,
        )
        lanes = [_lane(number, units, parts) for number, units in enumerate(pin.lanes)]
        return self._rendering(self._job(wanted, spec, view, lanes, folder), pin.rows, in_child=in_child)

    def figures(
        self,
        wanted: WantedFigures,
        spec: ExportSpec,
        prepared: PreparedQuestion,
        folder: Path,
        *,
        in_child: bool = False,
    ) -> Rendering:
        rows = prepared.most_read
        lane = ExportLane(0, (ReadUnit((), (), max(rows, 1)),))
        return self._rendering(self._job(wanted, spec, prepared.statement, [lane], folder), rows, in_child=in_child)

    def statement(
        self,
        wanted: WantedStatement,
        spec: ExportSpec,
        prepared: PreparedStatement,
        folder: Path,
        check: Callable[[], None],
    ) -> StatementRendering:
        """In a confined process of its own; `check` is called each second while it gives nothing."""
        job = self._job(wanted, spec, None, [], folder)
        return StatementRendering(self._sql, prepared, job, check, turn_seconds=self._options.turn_seconds)

    def _job(
        self,
        wanted: Wanted,
        spec: ExportSpec,
        reads: Snapshot | Statement | None,
        lanes: list[ExportLane],
        folder: Path,
    ) -> RenderJob:
        limits = self._limits(spec)
        return RenderJob(wanted, spec.format, spec.packing, limits, reads, tuple(lanes), str(folder), spec.ending)

    def _limits(self, spec: ExportSpec) -> PartLimits:
        most = self._options.limits
        return PartLimits(spec.part_rows or most.rows, spec.part_bytes or most.bytes)

    def _rendering(self, job: RenderJob, rows: int, *, in_child: bool) -> Rendering:
        able = self._engine.capabilities.file_lists
        heavy = self._heavy if self._is_heavy(rows) or (in_child and able) else None
        return Rendering(job, self._engine, heavy, self._options)

    def _is_heavy(self, rows: int) -> bool:
        return rows >= self._options.in_process_rows and self._engine.capabilities.file_lists

    def _units(self, wanted: WantedRows, view: Snapshot, most: int) -> list[ReadUnit]:
        if not wanted.is_events or not self._engine.capabilities.file_lists:
            return [one_unit(view, _rows_of(view))]
        return units_of_days(view, self._rows_of_days(wanted, view), most)

    def _rows_of_days(self, wanted: WantedRows, view: Snapshot) -> Mapping[str, int]:
        """How many of the account's rows each day has: told by files that are the account's alone, counted in others."""
        found: Counter[str] = Counter()
        for file in view.compacted + view.uncompacted:
            found[str(file.day)] += file.rows * (file.account == wanted.account)
        shared = view.of_files(lambda file: file.account != wanted.account)
        if not shared.compacted + shared.uncompacted:
            return found
        counts = self._count(counts_statement(wanted, shared), _rows_of(shared))
        for day, rows in zip(counts["day"].to_pylist(), counts["rows"].to_pylist(), strict=True):
            found[utc_day(day * DAY_US).isoformat()] += rows
        return found

    def _count(self, statement: Statement, rows: int) -> pa.Table:
        if self._is_heavy(rows):
            return self._heavy.run(_query_in_child, self._options.heavy, statement)
        return self._engine.query(statement)


class Rendering:
    """An export being rendered. The end of the `with` block drops what is not finished."""

    def __init__(self, job: RenderJob, engine: Engine, heavy: Runner | None, options: RenderOptions) -> None:
        self._job, self._engine, self._heavy, self._options = job, engine, heavy, options
        self._name = secrets.token_hex(8)
        self._begun = False
        self._own = RenderSessions()

    @property
    def rows(self) -> int:
        """What it reads in all, in the measure of `Advance.done_rows`."""
        return sum(each.rows for each in self._job.lanes)

    def advance(self) -> Advance:
        """Go on for a while. Raises what the engine raises, StorageFull and Unavailable."""
        seconds = self._options.turn_seconds
        job = None if self._begun else self._job
        self._begun = True
        if self._heavy is None:
            return self._own.advance(self._name, lambda: self._engine, job, seconds)
        return self._heavy.run(advance_in_child, self._options.heavy, self._name, job, seconds)

    def empty_part(self) -> RenderedPart:
        """The one part of an export without rows."""
        lane = ExportLane(0, ())
        return LaneWriter(self._job, lane, source_of(self._job, self._engine)).empty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own.drop(self._name)
        if self._heavy is not None and self._begun and kind is not None:
            self._heavy.run(drop_in_child, self._name)


def _query_in_child(options: HeavyOptions, statement: Statement) -> pa.Table:
    return engine_in_child(options).query(statement)


def _interval(wanted: WantedRows) -> tuple[int | None, int | None]:
    """Of whole UTC days, since an event and its corrections may lie anywhere in one; of records there is none."""
    return whole_days(wanted.start_us, wanted.end_us) if wanted.is_events else (None, None)


def _rows_of(view: Snapshot) -> int:
    return sum(file.rows for file in view.compacted + view.uncompacted)


def _lane(number: int, units: tuple[ReadUnit, ...], parts: Sequence[NotedPart]) -> ExportLane:
    """Behind the last of its parts, which says where that is."""
    mine = [each for each in parts if each.lane == number]
    start = mine[-1].then if mine else None
    return ExportLane(number, units, start or LanePoint(), len(mine))
