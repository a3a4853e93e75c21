"""Which days of a rollup a question fits: none of their cells reaches across its ends or the edges of its buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from airtally.kit.time import DAY_US, utc_day
from airtally.query.buckets import Bucket, Run
from airtally.rollups.cells import is_cut
from airtally.rollups.plan import Interval
from airtally.streams.rollup import Rollup

#: With more edges than this, no day is checked: the cells of a rollup would not fit between them.
_MOST_EDGES = 20_000


class Edges:
    """The ends of an interval and the edges of its buckets. Used by one question, in one thread."""

    def __init__(self, interval: Interval, bucket: object, runs: list[Run]) -> None:
        self._ends = interval.start_us, interval.end_us
        self._runs = [] if bucket is Bucket.NONE else runs

    def fits(self, rollup: Rollup) -> Callable[[str, str], bool] | None:
        """A function of a UTC day (ISO) and the zone of its cells: whether none of them is cut. None: none of any day is."""
        if self._aligned(rollup.grain_us):
            return None
        if sum((run.end_us - run.start_us) // run.length_us for run in self._runs) > _MOST_EDGES:
            return lambda *_: False
        edges = self._by_day
        return cache(lambda day, zone: all(is_cut(each, rollup, ZoneInfo(zone)) for each in edges.get(day, ())))

    def _aligned(self, grain_us: int) -> bool:
        edges = [*self._ends, *(edge for run in self._runs for edge in (run.start_us, run.length_us))]
        return not any(edge % grain_us for edge in edges)

    @cached_property
    def _by_day(self) -> dict[str, list[int]]:
        """The edges by UTC day, without midnights UTC, which cut no cell."""
        found = defaultdict(list)
        for edge in self._edges():
            if edge % DAY_US:
                found[utc_day(edge).isoformat()].append(edge)
        return found

    def _edges(self) -> Iterator[int]:
        start_us, end_us = self._ends
        yield from self._ends
        for run in self._runs:
            yield from (edge for edge in range(run.start_us, run.end_us, run.length_us) if start_us < edge < end_us)
