"""Which buckets a graph shows, and of which length: what is older is kept in less detail.

ScaleEngine contract, section 4. All is cut on UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

from airtally.kit.time import DAY_US, SECOND_US
from airtally.query.buckets import Bucket
from airtally.vendors.scaleengine.choices import CHOICES, HOUR_US

_LENGTH_US = {Bucket.MINUTE: 60 * SECOND_US, Bucket.HOUR: HOUR_US, Bucket.DAY: DAY_US}


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets: those that begin in [start_us, end_us)."""

    start_us: int
    end_us: int
    bucket: Bucket

    @property
    def empty(self) -> bool:
        """No bucket is in it, or none in which anything can have been counted."""
        return self.start_us >= self.end_us or self.end_us <= 0


def window_of(graph: int, start_us: int | None, *, now_us: int, minute_days: int | None) -> Window:
    """`start_us`: None shows the last buckets up to the running one. `minute_days`: None keeps minutes for ever."""
    length_us, bucket = CHOICES.graphs[graph].length_us, CHOICES.graphs[graph].bucket
    if start_us is None:
        start_us = _floor(now_us, bucket) - length_us + _LENGTH_US[bucket]
    bucket = max(bucket, _kept(now_us - start_us, minute_days), key=_LENGTH_US.__getitem__)
    first_us = _ceiling(start_us, bucket) if bucket is Bucket.MINUTE else _floor(start_us, bucket)
    running_us = _floor(now_us, bucket)
    return Window(first_us, min(_ceiling(start_us + length_us, bucket), running_us + _LENGTH_US[bucket]), bucket)


def _kept(age_us: int, minute_days: int | None) -> Bucket:
    if minute_days is None or age_us <= minute_days * DAY_US:
        return Bucket.MINUTE
    return Bucket.HOUR if age_us <= CHOICES.hour_days * DAY_US else Bucket.DAY


def _floor(at_us: int, bucket: Bucket) -> int:
    return at_us // _LENGTH_US[bucket] * _LENGTH_US[bucket]


def _ceiling(at_us: int, bucket: Bucket) -> int:
    return -_floor(-at_us, bucket)
