"""Answers from maps: which questions can be answered so, and the table that the engine would have given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.query.buckets import Bucket
from airtally.query.mapped.conditions import can_decide
from airtally.query.mapped.grid import MOST_CELLS, BucketGrid
from airtally.query.mapped.pages import PageByEngine, page_of
from airtally.query.mapped.part import MapPart, PartSums, SumsTooWide, check_width, sums_of
from airtally.query.mapped.stale import StaleCells
from airtally.query.mapped.sums import Groups, TooManyKeys, grouped
from airtally.query.question import BUCKET, Function, Question
from airtally.rollups.maps.columns import Numbers
from airtally.rollups.maps.maps import SegmentMaps
from airtally.rollups.plan import RollupPlan

#: Of the files that a question reads, so many rows at most; beyond that the engine is faster, and has limits.
_MOST_ROWS = 20_000_000
_NEVER_NULL = {Function.COUNT, Function.SUM}


class MappedAnswers:
    """Answers questions from maps where all segments of their plan have one. Thread-safe: so are the parts it holds."""

    def __init__(self, maps: SegmentMaps, engine: Engine) -> None:
        self._maps = maps
        self._stale = StaleCells(engine)

    def forget(self) -> None:
        """Drop what is kept of rows, as after some were erased."""
        self._stale.forget()

    def answer(self, question: Question, rollup_plan: RollupPlan) -> pa.Table | None:
        """The answer, in no order, sums as int64. None: the engine answers. Raises what the engine raises."""
        if not self._maps.enabled or not _can_answer(question, rollup_plan):
            return None
        mapped = list(self._parts(question, rollup_plan))
        parts = [part for part in mapped if part is not None]
        stale = self._stale.parts(question, rollup_plan) if len(parts) == len(mapped) else None
        if stale is None:
            return None
        try:
            table = _answer_of(question, [*parts, *stale])
        except (TooManyKeys, SumsTooWide, PageByEngine):
            return None
        metrics.MAPPED_ANSWERS.labels(question.stream.name).inc()
        return table

    def _parts(self, question: Question, rollup_plan: RollupPlan) -> Iterator[MapPart | None]:
        """All of them, so that the maps that are missing are made together."""
        for source in rollup_plan.sources:
            for read in source.reads():
                for file in read.files:
                    columns = self._maps.columns(source.candidate.rollup, file, question.account)
                    usable = columns is not None and columns.time.last < MOST_CELLS
                    yield MapPart(columns, read.hidden, source.candidate.measures) if columns and usable else None


def _can_answer(question: Question, rollup_plan: RollupPlan) -> bool:
    files = [file for source in rollup_plan.sources for read in source.reads() for file in read.files]
    return bool(files) and can_decide(question.where) and sum(file.rows for file in files) <= _MOST_ROWS


def _answer_of(question: Question, parts: Sequence[MapPart]) -> pa.Table:
    names = list(dict.fromkeys(str(each.column) for each in question.dimensions))
    grid = BucketGrid(question)
    sums = [sums_of(part, question, grid, names) for part in parts]
    groups, texts = _joined(sums, [each.function for each in question.metrics])
    nothing = not len(groups) and not names and question.bucket is Bucket.NONE
    table = _no_rows(question) if nothing else _table_of(question, groups, dict(zip(names, texts, strict=True)), grid)
    if question.page is None:
        return table
    return page_of(table, question.page, None if nothing else sum(each.rows for each in sums), question.most_rows)


def _table_of(question: Question, groups: Groups, texts: Mapping[str, pa.Array], grid: BucketGrid) -> pa.Table:
    columns = {}
    if question.bucket is not Bucket.NONE:
        columns[BUCKET] = pa.array(grid.starts[groups.keys[-1]])
    codes = dict(zip(texts, groups.keys, strict=False))
    for dimension in question.dimensions:
        name = str(dimension.column)
        columns[dimension.label] = texts[name].take(pa.array(codes[name]))
    figures = zip(question.metrics, groups.figures, strict=True)
    return pa.table(columns | {metric.name: pa.array(each) for metric, each in figures})


def _no_rows(question: Question) -> pa.Table:
    """The one row of an answer without groups, where there are no rows."""
    figures = {each.name: 0 if each.function in _NEVER_NULL else None for each in question.metrics}
    return pa.table({name: pa.array([figure], pa.int64()) for name, figure in figures.items()})


def _joined(sums: Sequence[PartSums], functions: Sequence[Function]) -> tuple[Groups, tuple[pa.Array, ...]]:
    """The groups of several maps as one, whose codes are of the texts of all of them. Raises as `sums_of` does."""
    if len(sums) == 1:
        return sums[0].groups, sums[0].texts
    check_width([sum(each) for each in zip(*(part.furthest for part in sums), strict=True)])
    texts, codes = [], []
    for place in range(len(sums[0].texts)):
        merged, own = _common_codes([part.texts[place] for part in sums], [part.groups.keys[place] for part in sums])
        texts.append(merged)
        codes.append(own)
    keys = [*codes, np.concatenate([part.groups.keys[-1] for part in sums])]
    sizes = [*map(len, texts), sums[0].groups.sizes[-1]]
    figures = [np.concatenate(each) for each in zip(*(part.groups.figures for part in sums), strict=True)]
    if _share_no_bucket([part.groups.keys[-1] for part in sums]):
        return Groups(tuple(keys), tuple(sizes), tuple(figures)), tuple(texts)
    return grouped(keys, sizes, figures, functions), tuple(texts)


def _share_no_bucket(buckets: Sequence[Numbers]) -> bool:
    """Whether the buckets of each map lie before or after those of every other, as those of months mostly do."""
    bounds = sorted((int(each.min()), int(each.max())) for each in buckets if len(each))
    return all(before[1] < after[0] for before, after in pairwise(bounds))


def _common_codes(texts: Sequence[pa.Array], codes: Sequence[Numbers]) -> tuple[pa.Array, Numbers]:
    """The texts that are used, and all codes as theirs. Most maps of a rollup have the same texts."""
    if all(each.equals(texts[0]) for each in texts[1:]):
        return texts[0], np.concatenate(codes)
    places: dict[str | None, int] = {}
    found = []
    for own, used in zip(texts, codes, strict=True):
        distinct, inverse = np.unique(used, return_inverse=True)
        names = own.take(pa.array(distinct)).to_pylist()
        found.append(np.array([places.setdefault(name, len(places)) for name in names], np.int64)[inverse])
    return pa.array(list(places), pa.string()), np.concatenate(found)
