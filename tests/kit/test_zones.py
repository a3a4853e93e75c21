from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, from_datetime
from airtally.kit.zones import Span, local_days, named_zone, offset_us, spans

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "/etc/passwd", "../UTC", "localtime", "utc ", "x" * 10_000, "\0"])
def test_what_is_no_zone_is_refused_without_a_path_of_the_server(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone") as refused:
        named_zone(name)
    assert "zoneinfo" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_zones_are_found_by_their_name() -> None:
    assert offset_us(at("2026-07-01"), named_zone("Asia/Kathmandu")) == 5 * HOUR_US + 45 * MINUTE_US
    assert offset_us(at("2026-07-01"), named_zone("America/New_York")) == -4 * HOUR_US


def test_instants_at_the_ends_of_pythons_years_have_an_offset() -> None:
    for us in (-(1 << 62), 1 << 62):
        assert abs(offset_us(us, NEW_YORK)) < DAY_US


def test_spans_end_where_the_clock_changes_and_leave_nothing_out() -> None:
    start, end = at("2026-01-01"), at("2027-01-01")
    winter, summer = -5 * HOUR_US, -4 * HOUR_US
    spring, autumn = at("2026-03-08T07:00"), at("2026-11-01T06:00")
    assert spans(start, end, NEW_YORK) == [
        Span(start, spring, winter),
        Span(spring, autumn, summer),
        Span(autumn, end, winter),
    ]
    assert spans(start, end, ZoneInfo("UTC")) == [Span(start, end, 0)]
    assert spans(start, start, NEW_YORK) == spans(start, start, ZoneInfo("UTC")) == []


@pytest.mark.parametrize(
    "name", ["America/New_York", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Asia/Kathmandu"]
)
def test_local_days_are_those_of_every_minute(name: str) -> None:
    zone = ZoneInfo(name)
    for begin in (at("2011-12-28T10:00"), at("2026-03-07"), at("2026-10-28"), at("2026-04-22")):
        end = begin + 4 * DAY_US
        by_minute: list[tuple[date, int]] = []
        for us in range(begin, end, MINUTE_US):
            day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(zone).date()
            if not by_minute or by_minute[-1][0] != day:
                by_minute.append((day, us))
        found = list(local_days(begin, end, zone))
        assert [(day, start) for day, start, _ in found] == by_minute
        assert [start for _, start, _ in found[1:]] == [until for _, _, until in found[:-1]]
        assert found[-1][2] == end


def test_a_date_that_is_lived_twice_in_part_comes_twice() -> None:
    """In St John's the clock went back at 0:01, to 23:01 of the day before."""
    days = [day for day, _, _ in local_days(at("2006-10-28T00:00"), at("2006-10-31"), ZoneInfo("America/St_Johns"))]
    assert days.count(date(2006, 10, 28)) == 2
