"""The buckets of a question by number, for many instants at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airtally.query.buckets import Bucket, Run
from airtally.query.question import Question
from airtally.query.rolled import interval_of
from airtally.rollups.maps.columns import Numbers, TimeColumn
from airtally.rollups.plan import Interval

#: The number of what is in no bucket of the question.
OUTSIDE = -1
#: So many cells of a file at most are looked up; a file of a month of minutes has 44,640.
MOST_CELLS = 1 << 20


class BucketGrid:
    """`starts` has the start of each bucket by its number (microseconds UTC); without buckets it has one number, 0."""

    def __init__(self, question: Question) -> None:
        self._interval = interval_of(question)
        runs = [] if question.bucket is Bucket.NONE else question.runs()
        self._single = runs[0] if len(runs) == 1 and runs[0].bucket_us is None else None
        self._pieces, self._numbers, self.starts = _pieces(runs)

    def of_cells(self, time: TimeColumn, hidden: Sequence[Interval]) -> Numbers:
        """The bucket of each cell that a file may have, by its code, outside those in a `hidden` interval."""
        numbers: Numbers = np.full(time.last + 1, OUTSIDE, np.int32)
        first = max(0, -((time.first_us - self._interval.start_us) // time.unit_us))
        until = min(time.last + 1, -((time.first_us - self._interval.end_us) // time.unit_us))
        if first >= until:
            return numbers
        numbers[first:until] = self._of_instants(np.arange(first, until) * time.unit_us + time.first_us)
        for each in hidden:
            begin, end = (-((time.first_us - at_us) // time.unit_us) for at_us in (each.start_us, each.end_us))
            numbers[max(0, begin) : max(0, end)] = OUTSIDE
        return numbers

    def _of_instants(self, at_us: Numbers) -> Numbers:
        numbers: Numbers
        if self._single is not None:
            numbers = (at_us - self._single.start_us) // self._single.length_us
        elif len(self._pieces):
            numbers = self._numbers[np.searchsorted(self._pieces, at_us, "right") - 1]
        else:
            numbers = np.zeros(len(at_us), np.int64)
        return numbers


def _pieces(runs: Sequence[Run]) -> tuple[Numbers, Numbers, Numbers]:
    """The start of each piece of a bucket in order of time, the number of its bucket, and the start of each bucket."""
    if not runs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64)
    begins = [np.arange(run.start_us, run.end_us, run.length_us) for run in runs]
    pieces = np.concatenate(begins)
    if all(run.bucket_us is None for run in runs):
        return pieces, np.arange(len(pieces)), pieces
    for run, starts in zip(runs, begins, strict=True):
        starts[0] = run.start_us if run.bucket_us is None else run.bucket_us
    starts, numbers = np.unique(np.concatenate(begins), return_inverse=True)
    return pieces, numbers, starts
