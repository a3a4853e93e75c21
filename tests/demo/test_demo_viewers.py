from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airtally.demo.tables import plain
from airtally.demo.viewers import DemoViewers
from airtally.streams import STREAMS

SMALL = DemoViewers(days=4, end_day=date(2026, 10, 31), videos=6)


def rows(made: DemoViewers = SMALL) -> pa.Table:
    return pa.concat_tables(plain(STREAMS["viewer_samples"], each) for each in made.tables())


@pytest.fixture(scope="module")
def samples() -> pa.Table:
    return rows()


@pytest.fixture(scope="module")
def counted(samples: pa.Table) -> dict[tuple[Any, ...], int]:
    """The last count of each server for each video and minute."""
    return {(r["video_url"], r["server"], r["time"]): r["viewers"] for r in samples.to_pylist()}


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def together(counted: dict[tuple[Any, ...], int], hour: datetime) -> int:
    return sum(n for (_, _, time), n in counted.items() if hour <= time < hour + timedelta(hours=1))


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(samples: pa.Table) -> None:
    assert rows().equals(samples)
    assert not rows(DemoViewers(seed=2, days=4, videos=6)).equals(samples)


def test_every_server_counts_every_video_every_minute_but_for_the_outage(counted: dict[tuple[Any, ...], int]) -> None:
    assert len(counted) == 4 * 24 * 60 * 6 * 4 - 90 * 6


def test_evenings_are_busy_and_nights_quiet_by_the_clock_of_the_audience(counted: dict[tuple[Any, ...], int]) -> None:
    quiet = SMALL.end_day
    assert together(counted, at(quiet, 23)) > 8 * together(counted, at(quiet, 7))  # 20:00 and 04:00 there
    assert 0 in counted.values()


def test_a_launch_peaks_within_the_hour_on_the_first_video(counted: dict[tuple[Any, ...], int]) -> None:
    url = SMALL.all_videos[0].url
    usual = sum(counted[url, server, at(SMALL.launch_day, 19, 55)] for server in SMALL.servers)
    peak = sum(counted[url, server, at(SMALL.launch_day, 20, 8)] for server in SMALL.servers)
    assert peak > 8 * usual


def test_one_server_is_down_and_the_others_take_its_viewers(counted: dict[tuple[Any, ...], int]) -> None:
    url, servers = SMALL.all_videos[0].url, defaultdict(list)
    for (video, server, time), viewers in counted.items():
        if video == url and time == at(SMALL.outage_day, 20):
            servers[server].append(viewers)
    assert set(servers) == {"edge-1", "edge-3", "edge-4"}
    before = counted[url, "edge-1", at(SMALL.outage_day, 19, 30)]
    assert counted[url, "edge-1", at(SMALL.outage_day, 19, 50)] > 1.15 * before
    assert counted[url, "edge-2", at(SMALL.outage_day, 21, 10)] == 0


def test_some_samples_come_late_and_some_again_with_more(samples: pa.Table) -> None:
    first: dict[tuple[Any, ...], int] = {}
    again = 0
    for row in samples.to_pylist():
        key = (row["video_url"], row["server"], row["time"])
        again += key in first
        assert row["viewers"] > first.get(key, -1)
        first[key] = row["viewers"]
    assert 0.0005 < again / samples.num_rows < 0.002
    minutes = pc.cast(samples["time"], pa.int64()).to_pylist()
    late = sum(later < earlier - 30 * 60_000_000 for earlier, later in pairwise(minutes))
    assert late >= SMALL.days


def test_what_is_still_to_come_has_not_arrived() -> None:
    now = at(date(2026, 10, 31), 12, 30)
    cut = rows(DemoViewers(days=1, videos=3, now_us=int(now.timestamp() * 1_000_000)))
    assert pc.max(cut["time"]).as_py() == now


def test_a_wrong_number_of_an_application_is_corrected_by_a_later_version() -> None:
    live, wrong, right = SMALL.app_rows(10**15)
    assert (live["app"], live["app_id"]) == ("acme-live", 77)
    assert (wrong["app_id"], right["app_id"]) == (100_076, 76)
    assert wrong["last_update_time_utc"] < right["last_update_time_utc"]
    assert {video.app for video in SMALL.all_videos} == {"acme-live", "acme-vod"}
    assert len({video.url for video in DemoViewers(videos=100).all_videos}) == 100
