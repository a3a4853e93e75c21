"""Days that have no current segment: the engine makes cells of their rows, which are added to the maps.

The cells are kept until a row of the stream comes in, so that questions of one moment share them.
"""

from __future__ import annotations

from collections.abc import Hashable

from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.cache import Cache
from airtally.query.buckets import Run, bucket_of
from airtally.query.mapped.part import MapPart
from airtally.query.question import END_US, Question
from airtally.query.rolled import rollups_for
from airtally.rollups.figures import columns_read, figures_of_rows, grouped_by_cell
from airtally.rollups.maps.columns import SegmentColumns
from airtally.rollups.maps.narrow import NotMappable, narrow_cells
from airtally.rollups.plan import RollupCandidate, RollupPlan
from airtally.sql.compiler import Binder, micros
from airtally.sql.dedupe import days_of, events
from airtally.sql.filters import EVERYTHING, AnyOf, Between, Filter, columns_of, shape_of
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.rollup import Measure, Rollup

_KEPT_BYTES = 32 << 20
#: Of so many rows the cells of all of them are made, which other questions use too; of more, those of the filter alone.
_FEW_ROWS = 50_000


class StaleCells:
    """Thread-safe by the lock of its cache: two threads may make the same cells at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Cache[Hashable, tuple[SegmentColumns | None]] = Cache(_KEPT_BYTES, size_of=_size_of)

    def forget(self) -> None:
        """Drop what is kept, as after rows were erased."""
        self._kept.clear()

    def parts(self, question: Question, rollup_plan: RollupPlan) -> list[MapPart] | None:
        """The stale days as at most one map. None: the question cuts cells, or a figure is too wide.

        Raises what the engine raises.
        """
        if not rollup_plan.has_rows:
            return []
        candidate = next((each for each in rollups_for(question) if each.fits is None), None)
        if candidate is None:
            return None
        try:
            cells = self._cells(question, rollup_plan, candidate)
        except NotMappable:
            return None
        counted = next((each for each in candidate.rollup.measures if each == Measure(each.name)), None)
        return [] if cells is None else [MapPart(cells, (), candidate.measures, counted)]

    def _cells(self, question: Question, rollup_plan: RollupPlan, candidate: RollupCandidate) -> SegmentColumns | None:
        """None where no row is of these days."""
        rows, rollup = rollup_plan.rows, candidate.rollup
        where = EVERYTHING if _rows_in(rows) <= _FEW_ROWS else question.where
        key = question.stream.name, rows.account, rollup.folder, rollup_plan.stale, where, rows.state
        kept = None if rows.state is None else self._kept.get(key)
        if kept is None:
            found = self._engine.query(self._statement(rollup_plan, rollup, where))
            kept = (narrow_cells(found, rollup, rows.account) if found.num_rows else None,)
            if rows.state is not None:
                self._kept.put(key, kept)
        return kept[0]

    def _statement(self, rollup_plan: RollupPlan, rollup: Rollup, where: Filter) -> Statement:
        rows, stale = rollup_plan.rows, rollup_plan.stale
        stream = rows.stream
        binder = Binder(stream)
        names = list(dict.fromkeys([*columns_read(stream, rollup), *columns_of(where)]))
        days = days_of(stream, stale[0].start_us, stale[-1].end_us)
        source = events(binder, rows, names, self._engine.capabilities, days=days)
        cell = bucket_of(micros(stream.time), [Run(0, END_US, rollup.grain_us)])
        figures = figures_of_rows(
            binder, stream, rollup.dimensions, cell, {each.name: each for each in rollup.measures}
        )
        within = AnyOf(tuple(Between(stream.time, each.start_us, each.end_us) for each in stale))
        single = exp.select(*figures).from_(source.subquery("events"))
        single = single.where(binder.condition(within), binder.condition(where))
        shape = "stale cells", stream.name, rollup.folder, len(stale), shape_of(where), tuple(binder.relations)
        return binder.statement(grouped_by_cell(rollup, single), key=shape)


def _rows_in(rows: Snapshot) -> int:
    files = sum(file.rows for file in rows.compacted + rows.uncompacted)
    return files + sum(int(table.num_rows) for table in rows.buffered)


def _size_of(kept: tuple[SegmentColumns | None]) -> float:
    return 1024 + (0 if kept[0] is None else kept[0].nbytes)
