"""Rows and fine segments were removed: each day comes from what is still kept and fits, or the question is refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from airtally.database.tables import accounts
from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, day_start_us, from_datetime, to_datetime
from airtally.query.buckets import Bucket
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.query.refusal import RowsGone
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS, APP_EVENTS, VIEWER_SAMPLES
from fixtures.accounts import NOW_US

KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
SUM = Metric("sum", Function.SUM, "viewers")
TODAY = NOW_US // DAY_US * DAY_US


def at(text: str, zone: ZoneInfo | None = None) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone or UTC))


def day_of(days_ago: int) -> list[dict[str, object]]:
    """Eight samples of ten viewers, every third hour."""
    base = {"app": "a", "video_url": "v", "server": "s", "viewers": 10}
    start = TODAY - days_ago * DAY_US
    return [base | {"time": start + hour * 3 * HOUR_US} for hour in range(8)]


def care(home) -> None:
    """Everything is flushed, made and let go that is due."""
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    home.maintenance().expire(home.services.storage.lake.table(VIEWER_SAMPLES))
    for rollup in VIEWER_SAMPLES.rollups:
        home.rebuilder().expiry.expire(rollup)


@pytest.fixture(scope="module")
def aged_home(tmp_path_factory):
    """120 days, the last of them today; one account's zone is UTC, the other's Asia/Kolkata."""
    from airtally.kit.clock import MovableClock
    from fixtures.rollups import RollupHome

    home = RollupHome(tmp_path_factory.mktemp("lived"), MovableClock(NOW_US - 120 * DAY_US))
    accounts = [home.services.access.accounts.create(slug, slug, timezone=zone) for slug, zone in ZONES.items()]
    for first in range(120, 0, -12):
        home.clock.advance(12 * 86_400)
        for account in accounts:
            home.send(VIEWER_SAMPLES, account, [row for ago in range(first, first - 12, -1) for row in day_of(ago)])
        care(home)
    yield home
    home.close()


ZONES = {"acme": "UTC", "delhi": "Asia/Kolkata"}


def asked(slug="acme", metrics=(SUM,), first=110, last=2, zone=None, bucket=Bucket.DAY, **more):
    """Whole days of the zone, `first` to `last` days ago."""
    zone = zone or ZoneInfo("UTC")
    ends = (to_datetime(TODAY - ago * DAY_US).replace(tzinfo=zone) for ago in (first, last))
    start, end = (from_datetime(each) for each in ends)
    return Question(VIEWER_SAMPLES, slug, metrics, start_us=start, end_us=end, zone=zone, bucket=bucket, **more)


def total(rows) -> int:
    return sum(row["sum"] for row in rows)


def refused(home, question) -> RowsGone:
    with pytest.raises(RowsGone) as caught:
        home.ask(question)
    assert caught.value.status == 422
    for other in caught.value.instead:
        home.ask(other)
    return caught.value


@pytest.mark.parametrize("slug", ZONES)
def test_days_of_utc_are_there_for_ever(aged_home, slug):
    days = aged_home.ask(asked(slug))
    assert (total(days), len(days), {day["sum"] for day in days}) == (8640, 108, {80})


def test_days_of_the_accounts_zone_are_there_for_ever(aged_home):
    days = aged_home.ask(asked("delhi", zone=KOLKATA))
    assert (total(days), len(days), {day["sum"] for day in days}) == (8640, 108, {80})
    weeks = aged_home.ask(asked("delhi", zone=KOLKATA, bucket=Bucket.WEEK))
    assert total(weeks) == 8640


def test_days_of_another_zone_are_refused_with_what_can_be_asked(aged_home):
    failure = refused(aged_home, asked(zone=KOLKATA))
    by_utc, later = failure.instead
    assert (str(by_utc.zone), by_utc.bucket) == ("UTC", Bucket.DAY)
    assert total(aged_home.ask(by_utc)) == 8720  # a day more, so that the whole interval lies in it
    assert later.zone == KOLKATA
    days = aged_home.ask(later)
    assert {day["sum"] for day in days[1:]} == {80}
    assert to_datetime(later.start_us).astimezone(KOLKATA).hour == 0
    assert "in UTC" in failure.hint


def test_a_start_within_a_day_is_refused_with_the_nearest_that_can_be_asked(aged_home):
    question = replace(asked(bucket=Bucket.NONE), start_us=TODAY - 110 * DAY_US + HOUR_US)
    failure = refused(aged_home, question)
    assert [total(aged_home.ask(each)) for each in failure.instead] == [8640, 8560]
    assert failure.instead[0].start_us == TODAY - 110 * DAY_US
    assert "2026" in failure.message


def test_only_the_days_that_are_cut_need_finer_segments(aged_home):
    """The interval's ends lie within the hours that are kept, its middle only in days; both add up."""
    start = TODAY - 30 * DAY_US + HOUR_US
    found = aged_home.ask(replace(asked(bucket=Bucket.NONE), start_us=start))
    assert total(found) == 28 * 80 - 10
    end = TODAY - 2 * DAY_US - MINUTE_US
    assert total(aged_home.ask(replace(asked(bucket=Bucket.NONE, first=100), end_us=end))) == 98 * 80


@pytest.mark.parametrize(
    "more",
    [
        {"metrics": (Metric("servers", Function.DISTINCT, "server"),)},
        {"dimensions": (Dimension("viewers"),)},
        {"where": Equals("viewers", 10)},
        {"bucket": Bucket.HOUR},
        {"bucket": Bucket.QUARTER},
    ],
)
def test_what_no_kept_rollup_has_is_refused(aged_home, more):
    failure = refused(aged_home, asked(**more))
    assert failure.instead
    recent = asked(**more, first=5)
    assert aged_home.ask(recent)
    assert {row.get("sum") for row in aged_home.ask(recent)} <= {10, 80, 160, 240, 2320, None}


def test_without_ends_a_question_is_of_all_that_there_ever_was(aged_home):
    assert total(aged_home.ask(Question(VIEWER_SAMPLES, "acme", (SUM,)))) == 9600
    refused(aged_home, Question(VIEWER_SAMPLES, "acme", (SUM,), where=Equals("viewers", 10)))
    question = Question(VIEWER_SAMPLES, "acme", (SUM,), where=Equals("viewers", 10), start_us=TODAY - 10 * DAY_US)
    assert total(aged_home.ask(question)) == 800


def test_an_account_without_rows_then_is_answered(aged_home):
    """That nothing happened is known, whatever was asked of it."""
    aged_home.services.access.accounts.create("new", "new")
    assert aged_home.ask(asked("new", bucket=Bucket.HOUR)) == []
    assert aged_home.ask(asked("new", zone=KOLKATA)) == []


def test_days_of_23_and_25_hours_are_kept(new_home, clock):
    """Europe/Berlin set its clock back on 25 October 2026."""
    home = new_home()
    berlin = home.services.access.accounts.create("berlin", "berlin", timezone="Europe/Berlin")
    hours = range(at("2026-10-24", BERLIN), at("2026-10-27", BERLIN), HOUR_US)
    base = {"app": "a", "video_url": "v", "server": "s", "viewers": 1}
    home.send(VIEWER_SAMPLES, berlin, [base | {"time": each} for each in hours])
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(60 * 86_400)
    care(home)
    question = Question(
        *(VIEWER_SAMPLES, "berlin", (SUM,)), start_us=hours.start, end_us=hours.stop, zone=BERLIN, bucket=Bucket.DAY
    )
    assert [day["sum"] for day in home.ask(question)] == [24, 25, 24]
    refused(home, replace(question, zone=ZoneInfo("America/New_York")))


def test_a_zone_that_changes_cuts_anew_what_rows_are_left_of(new_home, clock):
    """Days whose rows have left keep the cells of the zone they were made in; both zones are answered where exact."""
    home = new_home()
    acme = home.account("acme")
    clock.advance(-30 * 86_400)
    for first in (30, 18, 6):
        clock.advance(min(12, first) * 86_400)
        home.send(VIEWER_SAMPLES, acme, [row for ago in range(first, max(0, first - 12), -1) for row in day_of(ago)])
        care(home)
    with home.services.store.begin() as connection:
        connection.execute(update(accounts).values(timezone="Asia/Kolkata"))
    assert home.rebuild(VIEWER_SAMPLES) > 0
    assert home.rebuild(VIEWER_SAMPLES) == 0
    clock.advance(90 * 86_400)
    care(home)
    assert total(home.ask(asked(first=30, last=0))) == 30 * 80
    days = home.ask(asked(first=13, last=1, zone=KOLKATA))
    assert [day["sum"] for day in days] == [80] * 12
    failure = refused(home, asked(first=28, last=1, zone=KOLKATA))
    assert failure.instead[-1].zone == KOLKATA
    assert {day["sum"] for day in home.ask(failure.instead[-1])} == {80}


@pytest.mark.parametrize("stream", [AD_EVENTS, APP_EVENTS])
def test_every_stream_with_rollups_refuses_what_it_only_has_in_part(new_home, clock, stream):
    home = new_home(retain_days={"ad_events": 5, "app_events": 5, "ad_events_quarter": 400})
    start = day_start_us(date(2026, 10, 30))
    row = {"ad_group_id": "g", "kind": "paid_click"} if stream is AD_EVENTS else {"application": "A", "event": "e"}
    home.send(stream, home.account("acme"), [row | {"time": start + HOUR_US, "count": 7}])
    home.flush()
    home.rebuild(stream)
    clock.advance(20 * 86_400)
    assert home.maintenance().expire(home.services.storage.lake.table(stream)) == 1
    metric = Metric(
        "n", Function.SUM, "count", Equals("kind", "paid_click") if stream is AD_EVENTS else Equals("event", "e")
    )
    of_rollup = (
        Metric("n", Function.SUM, "count", metric.where) if stream is AD_EVENTS else Metric("n", Function.SUM, "count")
    )
    ends = {"start_us": start, "end_us": start + DAY_US}
    assert home.ask(Question(stream, "acme", (of_rollup,), bucket=Bucket.QUARTER, **ends))[0]["n"] == 7
    for question in (
        Question(stream, "acme", (of_rollup,), bucket=Bucket.MINUTE, **ends),
        Question(stream, "acme", (Metric("n", Function.MAX, "count"),), **ends),
        Question(stream, "acme", (of_rollup,), where=Equals("id", "x"), **ends),
        Question(stream, "acme", (Metric("n", Function.DISTINCT, "id"),), **ends),
        Question(stream, "acme", (of_rollup,), start_us=start + 1, end_us=start + DAY_US),
    ):
        refused(home, question)


SAMPLES = [TODAY - ago * DAY_US + hour * 3 * HOUR_US for ago in range(1, 121) for hour in range(8)]


def naive(question) -> dict[object, int]:
    """Viewers by local date, or by the hour and its offset."""
    found: dict[object, int] = defaultdict(int)
    for moment in SAMPLES:
        if question.start_us <= moment < question.end_us:
            found[key(question, moment)] += 10
    return dict(found)


def key(question, moment: int) -> object:
    if question.bucket is Bucket.NONE:
        return None
    local = to_datetime(moment).astimezone(question.zone)
    match question.bucket:
        case Bucket.HOUR:
            return local.replace(minute=0), local.utcoffset()
        case Bucket.DAY:
            return local.date()
        case Bucket.WEEK:
            return local.date() - timedelta(days=local.weekday())
        case _:
            return local.date().replace(day=1)


def answered(home, question) -> dict[object, int]:
    rows = home.ask(question)
    return {key(question, row.get("bucket", 0)): row["sum"] for row in rows if row["sum"]}


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    slug=st.sampled_from(sorted(ZONES)),
    bucket=st.sampled_from([Bucket.NONE, Bucket.HOUR, Bucket.DAY, Bucket.WEEK, Bucket.MONTH]),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"]),
    start=st.integers(0, 121 * 24),
    length=st.integers(1, 121 * 24),
    part=st.sampled_from([1, 24]),
    shift=st.sampled_from([0, 0, 0, 30 * MINUTE_US, 1, -330 * MINUTE_US]),
)
def test_every_answer_is_whole_or_refused(aged_home, slug, bucket, zone, start, length, part, shift) -> None:
    """Whatever the interval, bucket and zone; and so are the questions that a refusal offers."""
    begin = TODAY - 121 * DAY_US + start // part * part * HOUR_US + shift
    question = Question(
        *(VIEWER_SAMPLES, slug, (SUM,)),
        start_us=begin,
        end_us=begin + max(part, length // part * part) * HOUR_US,
        zone=ZoneInfo(zone),
        bucket=bucket,
    )
    instead: tuple[Question, ...] = ()
    try:
        assert answered(aged_home, question) == naive(question)
    except RowsGone as gone:
        instead = gone.instead
    for other in instead:
        assert answered(aged_home, other) == naive(other)
