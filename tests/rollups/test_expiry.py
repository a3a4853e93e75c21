"""Retention removes rows once the rollups built from them are current; then a day's segments are final."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from airtally.background import rebuilder_of
from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.query.refusal import RowsGone
from airtally.readiness import remarks
from airtally.rollups import build
from airtally.rollups.commit import replace_files
from airtally.rollups.rebuild import EAGER
from airtally.storage.lake.delta import CommitConflict
from airtally.streams import VIEWER_SAMPLES
from fixtures.accounts import NOW_US

OLD = day_start_us(date(2026, 10, 20))  # 13 days before the clock's start
MINUTE = VIEWER_SAMPLES.rollups[2]


def sample(at: int, viewers: int, server: str = "s") -> dict[str, object]:
    return {"app": "a", "video_url": "v", "server": server, "time": at, "viewers": viewers}


def by(bucket: Bucket, start: int = OLD, days: int = 1) -> Question:
    metrics = Metric("samples"), Metric("sum", Function.SUM, "viewers"), Metric("max", Function.MAX, "viewers")
    return Question(
        VIEWER_SAMPLES,
        "acme",
        metrics,
        (Dimension("app"),),
        start_us=start,
        end_us=start + days * DAY_US,
        bucket=bucket,
    )


@pytest.fixture
def home(new_home, clock):
    home = new_home()
    home.acme = home.account("acme")
    home.send(VIEWER_SAMPLES, home.acme, [sample(OLD + 60 * SECOND_US, 3), sample(OLD + 7200 * SECOND_US, 5)])
    home.flush()
    return home


def expire(home) -> int:
    return home.maintenance().expire(home.services.storage.lake.table(VIEWER_SAMPLES))


def raw_days(home) -> set[str | None]:
    return {file.data.day for file in home.services.storage.lake.table(VIEWER_SAMPLES).newest().files}


def test_rows_stay_until_their_rollups_are_current(home, clock):
    clock.advance(5 * 86_400)
    assert expire(home) == 0
    home.rebuild(VIEWER_SAMPLES)
    assert expire(home) == 2
    assert raw_days(home) == set()


def test_rows_stay_a_day_over_their_limit(home, clock):
    home.rebuild(VIEWER_SAMPLES)
    for days, gone in ((2, 0), (1, 0), (1, 2)):  # the clock stands on 2 November; the limit of 15 days is on the 4th
        clock.advance(days * 86_400)
        assert expire(home) == gone


def test_figures_outlive_the_rows(home, clock):
    before = home.ask(by(Bucket.HOUR)), home.ask(by(Bucket.DAY))
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(5 * 86_400)
    expire(home)
    home.restart()
    assert (home.ask(by(Bucket.HOUR)), home.ask(by(Bucket.DAY))) == before
    assert home.ask(by(Bucket.DAY))[0]["sum"] == 8
    assert home.ask_rows(by(Bucket.DAY)) == []


def test_a_row_acknowledged_at_the_limit_counts(home, clock):
    """It waits in the buffer while its day passes the limit."""
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(2 * 86_400 - 36_000)
    late = OLD + 23 * 3600 * SECOND_US
    home.send(VIEWER_SAMPLES, home.acme, [sample(late, 11)])
    clock.advance(86_400)
    assert expire(home) == 0
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(2 * 86_400)
    expire(home)
    assert raw_days(home) == set()
    assert home.ask(by(Bucket.DAY))[0]["max"] == 11


def test_what_comes_to_a_final_day_changes_nothing(home, clock):
    """The rows of another machine's buffer that was found days later."""
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(5 * 86_400)
    expire(home)
    before = home.ask(by(Bucket.DAY))
    assert before[0]["sum"] == 8
    rows = [sample(OLD + 60 * SECOND_US, 99)]
    late = pa.Table.from_pylist(rows, pa.schema([field for field in VIEWER_SAMPLES.row_schema if field.name != "time"]))
    times = pa.array([row["time"] for row in rows]).cast(pa.timestamp("us", "UTC"))
    late = late.append_column("time", times).select(VIEWER_SAMPLES.row_schema.names)
    assert home.services.storage.event_store.append_file_rows(VIEWER_SAMPLES, "acme", late, "found", 0)
    assert home.ask(by(Bucket.DAY)) == before
    assert home.rebuild(VIEWER_SAMPLES, EAGER) == 0
    assert home.ask(by(Bucket.DAY)) == before
    assert expire(home) == 1


def test_segments_leave_by_their_own_limit(home, clock):
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(60 * 86_400)
    expire(home)
    rebuilder = home.rebuilder()
    gone = {rollup.name: rebuilder.expiry.expire(rollup) for rollup in VIEWER_SAMPLES.rollups}
    assert gone == {"viewer_samples_day": 0, "viewer_samples_hour": 1, "viewer_samples_minute": 1}
    with pytest.raises(RowsGone, match="2026-10-20T00:00:00"):
        home.ask(by(Bucket.HOUR))
    assert home.ask(by(Bucket.DAY))[0]["samples"] == 2


def test_a_month_made_while_its_rows_were_to_leave_is_not_made_of_none(home, clock):
    """The rebuild read the segments before the day became final: its commit is refused."""
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(5 * 86_400)
    rebuilder, table = home.rebuilder(), home.services.storage.lake.table(VIEWER_SAMPLES)
    segments = home.services.storage.rollups.table(MINUTE)
    stale_view = segments.newest()
    expire(home)
    with pytest.raises(CommitConflict):
        replace_files(
            home.services.storage.rollups, segments, stale_view, list(stale_view.months("acme")["2026-10"].files), []
        )
    assert rebuilder.rebuild(table, MINUTE, EAGER) == 0
    assert home.ask(by(Bucket.MINUTE))[0]["samples"] == 1


def test_rows_older_than_the_limit_are_refused(home):
    with pytest.raises(AssertionError, match="older than retention"):
        home.send(VIEWER_SAMPLES, home.acme, [sample(NOW_US - 16 * DAY_US, 1)])


def test_rows_that_outlive_their_segments_answer_for_themselves(new_home, clock):
    """And are let go in their time, though nothing is made of them any more."""
    home = new_home(retain_days={"viewer_samples": 30, "viewer_samples_minute": 5})
    acme = home.account("acme")
    home.send(VIEWER_SAMPLES, acme, [sample(OLD + 60 * SECOND_US, 3)])
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    assert home.services.storage.rollups.table(MINUTE).newest() is None
    assert home.rebuild(VIEWER_SAMPLES) == 0
    assert home.ask(by(Bucket.MINUTE))[0]["sum"] == 3
    clock.advance(25 * 86_400)
    assert expire(home) == 1
    with pytest.raises(RowsGone):
        home.ask(by(Bucket.MINUTE))
    assert home.ask(by(Bucket.HOUR))[0]["sum"] == 3


def test_making_all_anew_keeps_what_rows_have_left(home, clock):
    late = OLD + 10 * DAY_US
    home.send(VIEWER_SAMPLES, home.acme, [sample(late, 4)])
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    clock.advance(5 * 86_400)
    assert expire(home) == 2
    before = home.ask(by(Bucket.DAY, days=12))
    assert [each["sum"] for each in before] == [8, 4]
    for rollup in VIEWER_SAMPLES.rollups:
        home.rebuilder().expiry.drop_all(rollup)
    home.rebuild(VIEWER_SAMPLES)
    assert home.ask(by(Bucket.DAY, days=12)) == before


def test_months_end_does_not_stop_the_leaving_of_rows(home, clock):
    home.send(VIEWER_SAMPLES, home.acme, [sample(OLD + 12 * DAY_US, 4)])  # the first of November
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    for _ in range(20):
        clock.advance(86_400)
        expire(home)
        for rollup in VIEWER_SAMPLES.rollups:
            home.rebuilder().expiry.expire(rollup)
    assert raw_days(home) == set()
    assert home.rebuild(VIEWER_SAMPLES) == 0
    assert [each["sum"] for each in home.ask(by(Bucket.DAY, days=14))] == [8, 4]


def test_rows_wait_for_a_buffer_that_holds_older_ones(home, clock):
    """Of a process that was killed, and is found again days later."""
    home.rebuild(VIEWER_SAMPLES)
    home.send(VIEWER_SAMPLES, home.acme, [sample(OLD + 3 * 3600 * SECOND_US, 100)])
    clock.advance(5 * 86_400)
    assert expire(home) == 0  # what was buffered is flushed first, and its day is not current
    home.rebuild(VIEWER_SAMPLES)
    assert expire(home) == 3
    assert home.ask(by(Bucket.DAY))[0]["sum"] == 108


def test_an_account_whose_figures_cannot_be_made_keeps_its_day_and_later_ones_alone(home, clock, monkeypatch):
    """Days before go for all; the step of the loop does not fail, and the trouble is told in words."""
    rival = home.account("rival")
    home.send(VIEWER_SAMPLES, rival, [sample(OLD + DAY_US, 7)])
    home.flush()
    built = build.build

    def broken(engine, task, scratch):
        if "rival" in task.days:
            raise OSError("a figure too large")
        return built(engine, task, scratch)

    monkeypatch.setattr(build, "build", broken)
    clock.advance(5 * 86_400)
    rebuilder_of(home.services).step()
    assert expire(home) == 2
    assert raw_days(home) == {"2026-10-21"}
    assert home.ask(by(Bucket.DAY))[0]["sum"] == 8
    assert any("rival" in words and "too large" in words for words in remarks(home.services))
    monkeypatch.undo()
    home.rebuild(VIEWER_SAMPLES)
    assert expire(home) == 1
