"""What one map contributes to an answer: the rows that a question wants, summed by its groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from airtally.query.mapped.grid import OUTSIDE, BucketGrid
from airtally.query.mapped.rows import rows_wanted
from airtally.query.mapped.sums import Groups, grouped
from airtally.query.question import Question
from airtally.rollups.maps.columns import Numbers, SegmentColumns
from airtally.rollups.plan import Interval
from airtally.streams.rollup import Function, Measure

_SUMS = {Function.COUNT, Function.SUM}


class SumsTooWide(Exception):
    """Sums may leave 64 bits."""


@dataclass(frozen=True, slots=True)
class MapPart:
    """A map that a question reads, without what lies in a `hidden` interval; `measures` are those of its metrics.

    Its rows stand for as many rows of the stream as the measure `counted` says, None where its own rows are what was read.
    """

    columns: SegmentColumns
    hidden: tuple[Interval, ...]
    measures: tuple[Measure, ...]
    counted: Measure | None = None


@dataclass(frozen=True, slots=True)
class PartSums:
    """`groups` have the codes of the dimensions, then the bucket's number, as keys; `texts` are those of the codes.

    `rows` is how many rows were read for them, `furthest` for each figure how far from 0 any sum of its rows can be.
    """

    groups: Groups
    texts: tuple[pa.Array, ...]
    rows: int
    furthest: tuple[int, ...]


def sums_of(part: MapPart, question: Question, grid: BucketGrid, dimensions: Sequence[str]) -> PartSums:
    """Raises TooManyKeys, and SumsTooWide where a sum may leave 64 bits."""
    columns = part.columns
    rows = rows_wanted(question, columns)
    buckets = grid.of_cells(columns.time, part.hidden)[rows.of(columns.time.codes)]
    wanted = (buckets != OUTSIDE) & rows.met()
    chosen = None if wanted.all() else np.flatnonzero(wanted)

    def taken(column: Numbers) -> Numbers:
        found = rows.of(column)
        return found if chosen is None else found[chosen]

    count = len(buckets) if chosen is None else len(chosen)
    measures = [columns.measures[each.name] for each in part.measures]
    functions = [each.function for each in part.measures]
    furthest = tuple(
        each.furthest * count if function in _SUMS else 0 for each, function in zip(measures, functions, strict=True)
    )
    check_width(furthest)
    texts = [columns.dimensions[name] for name in dimensions]
    keys = [*(taken(each.codes) for each in texts), buckets if chosen is None else buckets[chosen]]
    sizes = [*(len(each.values) for each in texts), len(grid.starts)]
    groups = grouped(keys, sizes, [taken(each.figures) for each in measures], functions)
    if part.counted is not None:
        count = int(taken(columns.measures[part.counted.name].figures).sum(dtype=np.int64))
    return PartSums(groups, tuple(each.values for each in texts), count, furthest)


def check_width(furthest: Sequence[int]) -> None:
    """Raises SumsTooWide where a sum may be further from 0 than 64 bits reach."""
    if any(each >= 1 << 63 for each in furthest):
        raise SumsTooWide
