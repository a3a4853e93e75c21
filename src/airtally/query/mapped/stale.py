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
from airtally.sql.dedupe import bound_events, days_of
from airtally.sql.filters import EVERYTHING, AnyOf, Between, Filter, columns_of
from airtally.sql.kept_trees import KeptTrees, shape_of
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.rollup import Measure, Rollup

_KEPT_BYTES = 32 << 20
#: Of at most so many rows the cells of all are made, which every question uses; of more, those of the filter alone.
_FEW_ROWS = 50_000
_TREES = KeptTrees()


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
        """None where no row is of these days. The second question of a moment has the cells of all rows made."""
        rows, rollup = rollup_plan.rows, candidate.rollup
        mark = question.stream.name, rows.account, rollup.folder, rollup_plan.stale, rows.state
        for where in (EVERYTHING, question.where):
            kept = None if rows.state is None else self._kept.get((mark, where))
            if kept is not None:
                return kept[0]
        second = rows.state is not None and self._kept.get(mark) is not None
        where = EVERYTHING if second and _rows_in(rows) <= _FEW_ROWS else question.where
        found = self._engine.query(self._statement(rollup_plan, rollup, where))
        cells = narrow_cells(found, rollup, rows.account) if found.num_rows else None
        if rows.state is not None:
            self._kept.put((mark, where), (cells,))
            self._kept.put(mark, (None,))
        return cells

    def _statement(self, rollup_plan: RollupPlan, rollup: Rollup, where: Filter) -> Statement:
        """A tree is built once for all of its shape."""
        rows, stale = rollup_plan.rows, rollup_plan.stale
        stream = rows.stream
        binder = Binder(stream)
        days = days_of(stream, stale[0].start_us, stale[-1].end_us)
        source = bound_events(binder, rows, self._engine.capabilities, days=days)
        within = binder.condition(AnyOf(tuple(Between(stream.time, each.start_us, each.end_us) for each in stale)))
        met = binder.condition(where)

        def build() -> exp.Query:
            names = list(dict.fromkeys([*columns_read(stream, rollup), *columns_of(where)]))
            cell = bucket_of(micros(stream.time), [Run(0, END_US, rollup.grain_us)])
            measures = {each.name: each for each in rollup.measures}
            figures = figures_of_rows(binder, stream, rollup.dimensions, cell, measures)
            single = exp.select(*figures).from_(source.select(names).subquery("events"))
            return grouped_by_cell(rollup, single.where(within, met))

        of_where = shape_of(stream, where)
        shape = "stale cells", stream.name, rollup.folder, len(stale), of_where, source.shape
        return _TREES.statement(binder, None if of_where is None else shape, build)


def _rows_in(rows: Snapshot) -> int:
    files = sum(file.rows for file in rows.compacted + rows.uncompacted)
    return files + sum(int(table.num_rows) for table in rows.buffered)


def _size_of(kept: tuple[SegmentColumns | None]) -> float:
    return 1024 + (0 if kept[0] is None else kept[0].nbytes)
