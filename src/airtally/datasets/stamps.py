"""Slots on the UTC clock, the stamps of files and their names. All times are microseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.datasets.dataset import Dataset
from airtally.datasets.layout import LAYOUTS
from airtally.kit.time import SECOND_US, to_datetime

#: A commit rarely takes longer than 250 ms; the files of one that does get a new stamp.
COMMIT_US = SECOND_US // 4


@dataclass(frozen=True, slots=True)
class FileNames:
    """`id` never changes and names the stored file; `name` is the name that clients save it under."""

    id: str
    name: str


def slot_of(at_us: int, interval_us: int) -> int:
    """The last slot up to a moment."""
    return at_us // interval_us * interval_us


def first_stamp(now_us: int, last_us: int) -> int:
    """The first whole second by which a commit begun now should be over, and later than all stamps before."""
    return max(-(-(now_us + COMMIT_US) // SECOND_US) * SECOND_US, last_us + SECOND_US)


def file_names(dataset: Dataset, stamp_us: int, number: int) -> FileNames:
    """`data987-20261122T000000Z-000` and `subscription_event_log_20261122T000000Z_000.csv`: docs/vendors/slate.md#5."""
    stamp = f"{to_datetime(stamp_us):%Y%m%dT%H%M%SZ}"
    table = LAYOUTS[dataset.stream].table
    return FileNames(f"{dataset.id}-{stamp}-{number:03d}", f"{table}_{stamp}_{number:03d}.{dataset.format}")
