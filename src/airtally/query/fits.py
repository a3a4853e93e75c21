"""Which days of a rollup a question fits: none of their cells reaches across its ends or the edges of its buckets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from airtally.kit.time import DAY_US, day_start_us
from airtally.query.buckets import Bucket, Run
from airtally.rollups.cells import is_cut
from airtally.rollups.plan import Interval
from airtally.streams.rollup import Rollup

#: With more edges than this, no day is checked: the cells of a rollup would not fit between them.
_MOST_EDGES = 20_000
#: At so many moments of a day, beside each grain, there may be an edge that cuts no cell: midnights of a zone, changes of
#: its offset, and the ends of the interval, which may be edges too.
_MORE_CUTS = 8
#: Days whose fit a question remembers: a plan asks for each several times.
_MOST_DAYS = 4096


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
        most = DAY_US // rollup.grain_us + _MORE_CUTS

        @lru_cache(_MOST_DAYS)
        def fits_day(day: str, zone: str) -> bool:
            edges = list(self._edges_of(day_start_us(date.fromisoformat(day))))
            if sum(map(len, edges)) > most:
                return False
            cell_zone = ZoneInfo(zone)  # a midnight UTC cuts no cell
            return all(is_cut(each, rollup, cell_zone) for part in edges for each in part if each % DAY_US)

        return fits_day

    def _aligned(self, grain_us: int) -> bool:
        edges = [*self._ends, *(edge for run in self._runs for edge in (run.start_us, run.length_us))]
        return not any(edge % grain_us for edge in edges)

    @cached_property
    def _run_ends(self) -> list[int]:
        return [run.end_us for run in self._runs]

    def _edges_of(self, day_us: int) -> Iterator[Sequence[int]]:
        """The edges of the UTC day that begins then, as they stand in a run."""
        start_us, end_us = self._ends
        yield [each for each in self._ends if day_us <= each < day_us + DAY_US]
        first_us, until_us = max(day_us, start_us + 1), min(day_us + DAY_US, end_us)
        for number in range(bisect_right(self._run_ends, first_us), len(self._runs)):
            run = self._runs[number]
            if run.start_us >= until_us:
                return
            skipped = max(0, -((run.start_us - first_us) // run.length_us))
            yield range(run.start_us + skipped * run.length_us, min(run.end_us, until_us), run.length_us)
