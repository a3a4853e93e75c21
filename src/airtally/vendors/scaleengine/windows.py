"""Which buckets a graph shows, and of which length: what is older is kept in less detail.

docs/vendors/scaleengine.md#4. All is cut on UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airtally.kit.time import DAY_US, HOUR_US, SECOND_US
from airtally.query.buckets import Bucket
from airtally.vendors.scaleengine.choices import CHOICES

_LENGTH_US = {Bucket.MINUTE: 60 * SECOND_US, Bucket.HOUR: HOUR_US, Bucket.DAY: DAY_US}


@dataclass(frozen=True, slots=True)
class SampleWindow:
    """Whole buckets: those that begin in [start_us, end_us)."""

    start_us: int
    end_us: int
    bucket: Bucket

    @property
    def empty(self) -> bool:
        """No bucket is in it, or none in which anything can have been counted."""
        return self.start_us >= self.end_us or self.end_us <= 0


@dataclass(frozen=True, slots=True)
class SampleRetention:
    """How many days back minutes and hours are kept; None: for ever."""

    minute_days: int | None
    hour_days: int | None

    def finest(self, age_us: int) -> Bucket:
        """The finest detail there is of a moment so long ago."""
        for bucket, days in ((Bucket.MINUTE, self.minute_days), (Bucket.HOUR, self.hour_days)):
            if days is None or age_us <= days * DAY_US:
                return bucket
        return Bucket.DAY


def longest(days: Iterable[int | None]) -> int | None:
    """Of several times of keeping; None: for ever."""
    found = list(days)
    return None if None in found else max(each for each in found if each is not None)


def window_of(graph: int, start_us: int | None, *, now_us: int, kept: SampleRetention) -> SampleWindow:
    """`start_us`: None shows the last buckets up to the running one."""
    length_us, bucket = CHOICES.graphs[graph].length_us, CHOICES.graphs[graph].bucket
    if start_us is None:
        start_us = _floor(now_us, bucket) - length_us + _LENGTH_US[bucket]
    bucket = max(bucket, kept.finest(now_us - start_us), key=_LENGTH_US.__getitem__)
    first_us = _ceiling(start_us, bucket) if bucket is Bucket.MINUTE else _floor(start_us, bucket)
    running_us = _floor(now_us, bucket)
    return SampleWindow(first_us, min(_ceiling(start_us + length_us, bucket), running_us + _LENGTH_US[bucket]), bucket)


def _floor(at_us: int, bucket: Bucket) -> int:
    return at_us // _LENGTH_US[bucket] * _LENGTH_US[bucket]


def _ceiling(at_us: int, bucket: Bucket) -> int:
    return -_floor(-at_us, bucket)
