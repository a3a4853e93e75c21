"""Slots of the schedule, stamps of files, and their names."""

from __future__ import annotations

import pytest

from airtally.datasets.dataset import Dataset
from airtally.datasets.stamps import COMMIT_US, file_names, first_stamp, slot_of
from fixtures.datasets import BEFORE_NOON_US

SECOND_US = 1_000_000
FOUR_HOURS_US = 4 * 3600 * SECOND_US
NOON_US = BEFORE_NOON_US + SECOND_US


@pytest.mark.parametrize(
    ("at", "slot"),
    [(NOON_US, NOON_US), (NOON_US + 1, NOON_US), (NOON_US - 1, NOON_US - FOUR_HOURS_US), (0, 0)],
)
def test_a_slot_is_a_multiple_of_the_interval(at: int, slot: int) -> None:
    assert slot_of(at, FOUR_HOURS_US) == slot


@pytest.mark.parametrize(
    ("now", "last", "stamp"),
    [
        (NOON_US - COMMIT_US, 0, NOON_US),
        (NOON_US - COMMIT_US + 1, 0, NOON_US + SECOND_US),
        (NOON_US - SECOND_US, NOON_US, NOON_US + SECOND_US),
        (NOON_US - 3600 * SECOND_US, NOON_US, NOON_US + SECOND_US),  # the clock was set back
    ],
)
def test_a_stamp_leaves_room_for_the_commit_and_is_later_than_the_last(now: int, last: int, stamp: int) -> None:
    assert first_stamp(now, last) == stamp


def test_names_tell_dataset_stamp_and_number() -> None:
    dataset = Dataset(1, "data986", "playback", "csv.gz", "abc123")
    names = file_names(dataset, NOON_US, 12)
    assert names.id == "data986-20261102T120000Z-012"
    assert names.name == "playback_event_log_20261102T120000Z_012.csv.gz"
