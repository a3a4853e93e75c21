"""Turns on the UTC clock, the stamps of files and the names made of them. All times in microseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.datasets.entries import Dataset
from airtally.datasets.layout import LAYOUTS
from airtally.kit.time import SECOND_US, to_datetime

#: A commit is hoped to take no longer; one that does is stamped again.
COMMIT_US = SECOND_US // 4


@dataclass(frozen=True, slots=True)
class Named:
    """`id` stays for ever and names the stored file; `name` is what clients save it under."""

    id: str
    name: str


def turn_of(at_us: int, interval_us: int) -> int:
    """The last turn up to a moment."""
    return at_us // interval_us * interval_us


def first_stamp(now_us: int, last_us: int) -> int:
    """The first whole second that a commit begun now is over by, and no publication before had."""
    return max(-(-(now_us + COMMIT_US) // SECOND_US) * SECOND_US, last_us + SECOND_US)


def named(dataset: Dataset, stamp_us: int, part: int) -> Named:
    """`data987-20261122T000000Z-000` and `subscription_event_log_20261122T000000Z_000.csv`: docs/vendors/slate.md#5."""
    stamp = f"{to_datetime(stamp_us):%Y%m%dT%H%M%SZ}"
    table = LAYOUTS[dataset.stream].table
    return Named(f"{dataset.id}-{stamp}-{part:03d}", f"{table}_{stamp}_{part:03d}.{dataset.format}")
