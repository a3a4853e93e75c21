"""The filter of a report as an interval."""

from __future__ import annotations

from datetime import date

import msgspec

from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.reports.requests import PlayFilter

START = day_start_us(date(2026, 10, 1))
DAY = PlayFilter("2026-10-01", "00:00:00", "2026-10-01", "23:59:59")


def test_both_ends_are_included_by_whole_seconds() -> None:
    assert (DAY.start_us, DAY.end_us) == (START, START + DAY_US)
    second = PlayFilter("2026-10-01", "08:00:10", "2026-10-01", "08:00:10")
    assert second.end_us - second.start_us == SECOND_US


def test_a_wall_clock_has_every_hour_once_wherever_the_server_is() -> None:
    """Of the night in which the clocks of São Paulo once went on, and of that in which New York's go back."""
    for day in ("2018-11-04", "2026-11-01"):
        assert PlayFilter(day, "00:00:00", day, "23:59:59").end_us == day_start_us(date.fromisoformat(day)) + DAY_US


def test_the_newest_plays_come_first_unless_the_oldest_are_asked_for() -> None:
    assert DAY.descending
    assert msgspec.structs.replace(DAY, sort=-1).descending
    assert not msgspec.structs.replace(DAY, sort=1).descending


def test_a_filter_is_stored_and_echoed_in_the_words_of_the_wire() -> None:
    text = msgspec.json.encode(msgspec.structs.replace(DAY, media_id=(48,)))
    assert text == (
        b'{"startDate":"2026-10-01","startTime":"00:00:00","endDate":"2026-10-01","endTime":"23:59:59",'
        b'"mediaId":[48],"playerId":[],"sort":-1}'
    )
    assert msgspec.json.decode(text, type=PlayFilter).media_id == (48,)
