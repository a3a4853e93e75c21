"""Buckets of time: days of 23 and 25 hours, hours lived twice, zones of half and quarter hours."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.kit.time import from_datetime, to_datetime
from airtally.query.buckets import Bucket, boundaries, runs

HOUR = 3_600_000_000
NEW_YORK = ZoneInfo("America/New_York")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = [ZoneInfo("UTC"), NEW_YORK, KATHMANDU, LORD_HOWE, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Pacific/Apia")]


def at(text: str, zone: ZoneInfo | None = None) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone or UTC))


def local(at_us: int, zone: ZoneInfo) -> str:
    return to_datetime(at_us).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def hours(bucket: Bucket, start: str, end: str, zone: ZoneInfo) -> list[float]:
    found = boundaries(bucket, at(start, zone), at(end, zone), zone)
    return [(after - before) / HOUR for before, after in pairwise(found)]


def test_days_of_new_york_have_23_and_25_hours() -> None:
    assert hours(Bucket.DAY, "2026-03-07", "2026-03-10", NEW_YORK) == [24, 23, 24]
    assert hours(Bucket.DAY, "2026-10-31", "2026-11-03", NEW_YORK) == [24, 25, 24]
    assert hours(Bucket.HOUR, "2026-11-01", "2026-11-02", NEW_YORK) == [1] * 25
    assert len(runs(Bucket.HOUR, at("2026-11-01", NEW_YORK), at("2026-11-02", NEW_YORK), NEW_YORK)) == 1


def test_hours_of_kathmandu_begin_at_a_quarter_past() -> None:
    start = at("2026-10-01", KATHMANDU)
    assert start == at("2026-09-30 18:15")
    assert boundaries(Bucket.HOUR, start + 1, start + HOUR + 1, KATHMANDU) == [start, start + HOUR, start + 2 * HOUR]


def test_a_clock_set_back_by_half_an_hour_cuts_an_hour_short() -> None:
    found = hours(Bucket.HOUR, "2026-04-05 00:00", "2026-04-05 04:00", LORD_HOWE)
    assert found == [1, 1, 0.5, 1, 1]


def test_a_day_that_a_zone_skipped_has_no_bucket() -> None:
    apia = ZoneInfo("Pacific/Apia")
    found = boundaries(Bucket.DAY, at("2011-12-29", apia), at("2012-01-01", apia), apia)
    assert [local(each, apia)[:10] for each in found] == ["2011-12-29", "2011-12-31", "2012-01-01"]


def test_a_midnight_that_does_not_exist_is_the_moment_the_clock_jumps() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    found = boundaries(Bucket.DAY, at("2018-11-03", zone), at("2018-11-05", zone), zone)
    assert [local(each, zone) for each in found] == ["2018-11-03 00:00", "2018-11-04 01:00", "2018-11-05 00:00"]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    weeks = boundaries(Bucket.WEEK, at("2026-10-01", NEW_YORK), at("2026-10-20", NEW_YORK), NEW_YORK)
    assert [local(each, NEW_YORK)[:10] for each in weeks] == [
        "2026-09-28",
        "2026-10-05",
        "2026-10-12",
        "2026-10-19",
        "2026-10-26",
    ]
    months = boundaries(Bucket.MONTH, at("2026-01-31", NEW_YORK), at("2026-03-01", NEW_YORK), NEW_YORK)
    assert [local(each, NEW_YORK)[:10] for each in months] == ["2026-01-01", "2026-02-01", "2026-03-01"]


def test_nothing_lies_in_an_empty_interval() -> None:
    assert boundaries(Bucket.DAY, 5, 5, NEW_YORK) == []
    assert boundaries(Bucket.NONE, 5, 9, NEW_YORK) == [5, 9]


@settings(deadline=None, max_examples=200)
@given(
    bucket=st.sampled_from([Bucket.MINUTE, Bucket.QUARTER, Bucket.HOUR, Bucket.DAY, Bucket.WEEK, Bucket.MONTH]),
    zone=st.sampled_from(ZONES),
    start=st.integers(at("2010-01-01"), at("2028-01-01")),
    minutes=st.integers(1, 3 * 24 * 60),
)
def test_buckets_cover_the_interval_and_agree_with_the_clock(
    bucket: Bucket, zone: ZoneInfo, start: int, minutes: int
) -> None:
    end = start + minutes * 60_000_000
    found = boundaries(bucket, start, end, zone)
    assert found == sorted(set(found))
    assert found[0] <= start < found[1]
    assert found[-2] < end <= found[-1]
    for moment in (start, (start + end) // 2, end - 1):
        first = found[bisect_right(found, moment) - 1]
        assert label(bucket, first, zone) == label(bucket, moment, zone)
        assert label(bucket, first - 1, zone) != label(bucket, first, zone)


def label(bucket: Bucket, at_us: int, zone: ZoneInfo) -> tuple[object, ...]:
    moment = to_datetime(at_us).astimezone(zone)
    offset = moment.utcoffset()
    match bucket:
        case Bucket.MINUTE:
            return moment.date(), moment.hour, moment.minute, offset
        case Bucket.QUARTER:
            return moment.date(), moment.hour, moment.minute // 15, offset
        case Bucket.HOUR:
            return moment.date(), moment.hour, offset
        case Bucket.DAY:
            return (moment.date(),)
        case Bucket.WEEK:
            return (moment.date() - timedelta(days=moment.weekday()),)
        case _:
            return moment.year, moment.month
