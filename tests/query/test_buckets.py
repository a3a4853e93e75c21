"""Buckets of time: days of 23 and 25 hours, hours lived twice, zones of half and quarter hours."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.kit.time import from_datetime, to_datetime
from airtally.kit.zones import spans
from airtally.query.buckets import Bucket, Run, boundaries, runs

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


DAYS = (Bucket.DAY, Bucket.WEEK, Bucket.MONTH)
#: Clocks set back over midnight, days skipped and lived twice, offsets of seconds, midnights that are not.
ODD = (
    ("America/St_Johns", "2010-11-07 02:31"),
    ("America/St_Johns", "2000-10-29 02:31"),
    ("America/Scoresbysund", "2023-10-29 01:00"),
    ("America/Santiago", "2024-04-07 03:00"),
    ("America/Havana", "2024-11-03 05:00"),
    ("Asia/Gaza", "2010-08-10 21:00"),
    ("Australia/Lord_Howe", "2026-04-04 15:00"),
    ("Pacific/Apia", "2011-12-30 10:00"),
    ("Pacific/Kwajalein", "1993-08-21 12:00"),
    ("Pacific/Kiritimati", "1994-12-31 10:00"),
    ("Asia/Kathmandu", "1985-12-31 18:30"),
    ("Africa/Casablanca", "2018-03-25 02:00"),
    ("America/Sao_Paulo", "2018-11-04 03:00"),
    ("Africa/Monrovia", "1972-01-07 00:44:30"),
    ("Asia/Beirut", "2023-03-25 22:00"),
)


def start_of_bucket(moment: int, found: list[Run]) -> int:
    """As `bucket_of` says it to the engine."""
    run = next(run for run in found if run.start_us <= moment < run.end_us)
    first = run.start_us if run.bucket_us is None else run.bucket_us
    return first + (moment - run.start_us) // run.length_us * run.length_us


@cache
def changes(zone: str) -> list[int]:
    found = spans(at("1970-01-01"), at("2038-01-01"), ZoneInfo(zone))
    return [span.start_us for span in found]


def check_days(bucket: Bucket, zone: ZoneInfo, start: int, end: int) -> None:
    """Every instant is in the bucket of its local date, which begins at the first instant of its first date."""
    found = runs(bucket, start, end, zone)
    assert all(before.end_us == after.start_us for before, after in pairwise(found))
    assert found[0].start_us <= start < found[0].end_us
    assert found[-1].start_us < end <= found[-1].end_us
    step = max(1, (end - start) // 199)
    edges = [each + by for each in boundaries(bucket, start, end, zone) for by in (-1, 0)]
    moments = [each for each in (*range(start, end, step), *edges, end - 1) if start <= each < end]
    begins = {start_of_bucket(each, found): label(bucket, each, zone) for each in moments}
    assert len(begins) == len({*begins.values()})
    for moment in moments:
        begin = start_of_bucket(moment, found)
        assert label(bucket, begin, zone) == label(bucket, moment, zone) == begins[begin]
        assert label(bucket, begin - 1, zone) != begins[begin]


@pytest.mark.parametrize("bucket", DAYS)
@pytest.mark.parametrize(("zone", "change"), ODD)
def test_odd_changes_of_the_clock_put_every_instant_on_its_local_date(zone: str, change: str, bucket: Bucket) -> None:
    middle = at(change)
    assert middle in changes(zone)
    for before, after in ((48, 48), (1, 1), (26, 3), (0, 30), (3, 0)):
        check_days(bucket, ZoneInfo(zone), middle - before * HOUR, middle + after * HOUR + 1)


@settings(deadline=None, max_examples=150)
@given(zone=st.sampled_from(sorted(available_timezones())), data=st.data(), bucket=st.sampled_from(DAYS))
def test_days_weeks_and_months_are_those_of_the_local_dates_in_every_zone(
    zone: str, data: st.DataObject, bucket: Bucket
) -> None:
    middle = data.draw(st.sampled_from(changes(zone)))
    start = middle + data.draw(st.integers(-80 * 3600, 8 * 3600)) * 1_000_000
    end = start + data.draw(st.integers(1, 40 * 86_400)) * 1_000_000
    check_days(bucket, ZoneInfo(zone), start, end)


def test_an_evening_of_st_johns_that_is_lived_twice_is_one_day() -> None:
    """At 00:01 on 7 November 2010 the clock was set back to 23:01 on the 6th."""
    zone = ZoneInfo("America/St_Johns")
    found = runs(Bucket.DAY, at("2010-11-06", zone), at("2010-11-08", zone), zone)
    lived = [local(start_of_bucket(at("2010-11-07 02:31") + minute * 60_000_000, found), zone) for minute in range(59)]
    assert lived == ["2010-11-06 00:00"] * 59
    assert local(start_of_bucket(at("2010-11-07 02:30"), found), zone) == "2010-11-07 00:00"
    assert local(start_of_bucket(at("2010-11-07 03:30"), found), zone) == "2010-11-07 00:00"
    assert len({start_of_bucket(run.start_us, found) for run in found}) == 2
