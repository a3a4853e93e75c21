"""Windows, files and links, over files that were really published: docs/vendors/slate.md#5, #6, #7.

One dataset with 120 files, one every four hours from 2026-11-02T12:00Z to 2026-11-22T08:00Z, and one of
2024-11-01; the clock stands at 2026-11-22T10:00Z unless a test moves it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from airtally.datasets.layout import LAYOUTS
from airtally.kit.clock import MovableClock
from airtally.streams import STREAMS
from fixtures.datasets import current, rows_of
from fixtures.once import made_once
from fixtures.slate import BUSINESS, D, Partner, tail
from fixtures.slate_history import DATASETS, FIRST_US, HOUR_US, KEYS, TURNS, History, make_history, open_history

TEN = "startDateTime=2026-11-22T00:00:00Z&endDateTime=2026-11-22T10:00:00Z"
THREE = ["2026-11-22T00:00:00.000Z", "2026-11-22T04:00:00.000Z", "2026-11-22T08:00:00.000Z"]
FIRST_RUN = (
    f"{D}?startDateTime=2023-01-01T00:00:01%2B00:00&endDateTime=2026-11-22T10:00:00.123456%2B00:00&offset=0&limit=50"
)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    made = made_once(tmp_path_factory, "slate-history", make_history)
    with open_history(made, tmp_path_factory.mktemp("history") / "home") as history:
        yield history


@pytest.fixture(scope="module")
def published(history: History) -> Partner:
    return history.partner


def stamps(partner: Partner, path: str) -> list[str]:
    page = partner.listing(path)
    assert page["next"] is None
    assert page["total"] == len(page["data"])
    return [each["modifiedDate"] for each in page["data"]]


def test_row_22_a_window(published: Partner) -> None:
    assert stamps(published, f"{D}?{TEN}") == THREE


@pytest.mark.parametrize("start", ["2026-11-22T00:00:00.500000%2B00:00"])
def test_row_23_fractions_are_cut(published: Partner, start: str) -> None:
    assert stamps(published, f"{D}?startDateTime={start}&endDateTime=2026-11-22T10:00:00Z") == THREE


def test_row_24_a_raw_plus(published: Partner) -> None:
    window = "startDateTime=2026-11-22T00:00:00+00:00&endDateTime=2026-11-22T10:00:00+00:00"
    assert stamps(published, f"{D}?{window}") == THREE


def test_row_25_another_offset(published: Partner) -> None:
    start = "2026-11-22T02:00:00%2B02:00"
    assert stamps(published, f"{D}?startDateTime={start}&endDateTime=2026-11-22T10:00:00Z") == THREE


def test_row_26_no_parameters(published: Partner) -> None:
    page = published.listing(D)
    assert (page["total"], len(page["data"])) == (120, 10)
    query = tail(page["next"])
    assert "startDateTime=" in query
    assert "endDateTime=2026-11-22T10%3A00%3A00Z" in query
    assert query.endswith("offset=1&limit=10")


def test_row_27_the_scripts_first_run(published: Partner) -> None:
    page = published.listing(FIRST_RUN)
    assert (page["total"], len(page["data"])) == (120, 50)
    assert page["data"][0]["modifiedDate"] == "2026-11-02T12:00:00.000Z"
    assert page["next"] is not None


@pytest.mark.parametrize("limit", [1000, 5000])
def test_row_28_large_pages(published: Partner, limit: int) -> None:
    page = published.listing(FIRST_RUN.replace("limit=50", f"limit={limit}"))
    assert (len(page["data"]), page["next"]) == (120, None)
    every_four_hours = [FIRST_US + number * 4 * HOUR_US for number in range(TURNS)]
    from airtally.kit.time import to_datetime

    expected = [f"{to_datetime(us):%Y-%m-%dT%H:%M:%S}.000Z" for us in every_four_hours]
    assert [each["modifiedDate"] for each in page["data"]] == expected


def test_row_29_wholly_older_than_two_years(published: Partner) -> None:
    window = "startDateTime=2023-01-01T00:00:00Z&endDateTime=2024-11-21T00:00:00Z"
    assert published.listing(f"{D}?{window}") == {"total": 0, "next": None, "data": []}


def test_row_30_start_after_end(published: Partner) -> None:
    window = "startDateTime=2026-11-22T08:00:01Z&endDateTime=2026-11-22T08:00:00Z"
    assert published.listing(f"{D}?{window}")["total"] == 0


def test_row_31_yesterday(published: Partner) -> None:
    assert published.get(f"{D}?startDateTime=yesterday").status_code == 400


def test_row_32_stepping_by_a_second(published: Partner) -> None:
    first = stamps(published, f"{D}?startDateTime=2026-11-22T04:00:00Z&endDateTime=2026-11-22T08:00:00.900Z")
    second = stamps(published, f"{D}?startDateTime=2026-11-22T08:00:01.900Z&endDateTime=2026-11-22T10:00:00Z")
    assert (first, second) == (THREE[1:], [])


def test_row_33_a_start_at_the_last_file(published: Partner) -> None:
    assert stamps(published, f"{D}?startDateTime=2026-11-22T08:00:00Z") == THREE[2:]


def test_row_34_only_the_total(published: Partner) -> None:
    page = published.listing(f"{FIRST_RUN}".replace("limit=50", "limit=1"))
    assert (page["total"], len(page["data"])) == (120, 1)


def test_row_36_a_download(published: Partner) -> None:
    for item in published.listing(f"{D}?{TEN}")["data"]:
        bare, with_token = httpx.get(item["downloadUrl"]), published.http.get(item["downloadUrl"])
        assert (bare.status_code, with_token.status_code) == (200, 200)
        assert bare.content == with_token.content
        header, *_ = bare.text.split("\n")
        assert header == ",".join(column.name for column in LAYOUTS["subscriptions"].columns)
        assert len(rows_of(bare.content)) == item["numRows"]
        assert re.fullmatch(r"subscription_event_log_20261122T0[048]0000Z_000\.csv", item["name"])


@pytest.fixture(scope="module")
def downloads(published: Partner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of all datasets, fetched once, by following `next` and without a token."""
    folder = tmp_path_factory.mktemp("downloads")
    with httpx.Client(timeout=120) as http:
        for dataset in DATASETS.values():
            for item in published.pages(f"{BUSINESS}/datasets/{dataset}?startDateTime=2023-01-01&limit=50"):
                (folder / item["name"]).write_bytes(http.get(item["downloadUrl"]).content)
    return folder


def rows_in(folder: Path, stream: str) -> list[dict[str, str]]:
    paths = sorted(folder.glob(f"{LAYOUTS[stream].table}_*.csv"))
    return [row for path in paths for row in rows_of(path.read_bytes())]


def test_row_38_a_replay_is_the_generators_state(downloads: Path, history: History) -> None:
    replayed = current(rows_in(downloads, "subscriptions"), "subscription_event_id")
    expected = {key: row for key, row in history.live["subscriptions"].items() if not key.startswith("sub-000")}
    replayed = {key: row for key, row in replayed.items() if not key.startswith("sub-000")}  # in the file that is gone
    assert set(replayed) == set(expected)
    for key, row in expected.items():
        for name in ("cid", "offer_name", "subscription_event_type", "offer_billing_type"):
            assert replayed[key][name] == row[name]


@pytest.mark.parametrize("stream", list(KEYS))
def test_a_replay_is_the_lakes_current_table(published: Partner, downloads: Path, stream: str) -> None:
    """Every column of every record, as the files write it."""
    replayed = current(rows_in(downloads, stream), KEYS[stream])
    services = published.server.services
    table = services.queries.current(STREAMS[stream], published.slug).table
    records = {row[KEYS[stream]]: row for row in table.to_pylist()}
    kept = {key for key in records if not key.startswith("sub-000")}
    assert {key for key in replayed if not key.startswith("sub-000")} == kept
    for key in kept:
        assert replayed[key] == {name: _written(records[key][name]) for name in replayed[key]}


def _written(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
    return str(value)


FIRST_QUERY = """
select *
from playback_event_log a
left join subscription_event_log b on a.subscription_event_id=b.subscription_event_id
left join catalog_event_log c on a.catalog_id=c.id
"""
SECOND_QUERY = """
with main as (select a.*,row_number() over
(partition by a.cid order by start_segment_utc asc) as rn
from playback_event_log a
inner join (select distinct cid from subscription_event_log
where subscription_event_type='Start' ) b on a.cid = b.cid
)
select c.id,c.title,c.episode_name,c.content_type,sum(seconds_viewed)
as total_seconds_viewed
from main a
inner join catalog_event_log c on a.catalog_id = c.id
where rn = 1
GROUP by c.id,c.title,c.episode_name,c.content_type
order by sum(seconds_viewed) desc
limit 10;
"""


@pytest.fixture(scope="module")
def event_store(downloads: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The replayed tables in DuckDB, loaded from the downloaded files as they are."""
    with duckdb.connect() as database:
        for stream, key in KEYS.items():
            table = LAYOUTS[stream].table
            database.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv('{downloads}/{table}_*.csv')"
                f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY last_update_time_utc DESC) = 1"
            )
            database.execute(f"DELETE FROM {table} WHERE is_deleted = 1")
        yield database


def test_row_39_the_first_query(event_store: duckdb.DuckDBPyConnection, history: History) -> None:
    rows = event_store.execute(FIRST_QUERY).to_arrow_table().to_pylist()
    assert len(rows) == len(history.live["playback"]) == 60
    live = history.live
    for row in rows:
        sent = live["playback"][row["session_id"]]
        assert row["title"] == live["catalog"][sent["catalog_id"]]["title"]
        event = sent["subscription_event_id"]
        assert row["subscription_event_type"] == (live["subscriptions"].get(event) or {}).get("subscription_event_type")


def test_row_39_the_second_query(event_store: duckdb.DuckDBPyConnection, history: History) -> None:
    rows = event_store.execute(SECOND_QUERY).fetchall()
    started = {
        row["cid"] for row in history.live["subscriptions"].values() if row["subscription_event_type"] == "Start"
    }
    first: dict[str, dict[str, Any]] = {}
    for row in sorted(history.live["playback"].values(), key=lambda each: each["start_segment_utc"]):
        if row["cid"] in started:
            first.setdefault(row["cid"], row)
    seconds: dict[str, int] = {}
    for row in first.values():
        seconds[row["catalog_id"]] = seconds.get(row["catalog_id"], 0) + row["seconds_viewed"]
    assert 1 <= len(rows) <= 10
    assert [total for *_, total in rows] == sorted(seconds.values(), reverse=True)[:10]
    assert all(seconds[title] == total for title, *_, total in rows)


# The rest moves the clock, and comes last.


def test_row_35_a_file_between_two_pages(published: Partner, history: History) -> None:
    clock: MovableClock = history.clock
    first = published.listing(D)
    history.services = published.server.services
    history.turn(clock.now_us() + 2_000_000, 500)
    clock.advance(2)
    time.sleep(0.01)
    rest = published.pages(first["next"])
    names = [each["name"] for each in first["data"] + rest]
    assert len(names) == len(set(names)) == first["total"] == 120
    assert published.listing(first["next"])["total"] == 120
    assert len(published.pages(f"{D}?limit=1000")) == 121


def test_row_37_the_same_link_an_hour_later(published: Partner, history: History) -> None:
    [item] = published.listing(f"{D}?startDateTime=2026-11-22T08:00:00Z&endDateTime=2026-11-22T08:00:00Z")["data"]
    before = httpx.get(item["downloadUrl"])
    history.clock.advance(3601)
    late = httpx.get(item["downloadUrl"])
    assert (late.status_code, late.headers["content-type"].partition(";")[0]) == (403, "application/xml")
    assert "<Code>AccessDenied</Code>" in late.text
    [fresh] = published.listing(f"{D}?startDateTime=2026-11-22T08:00:00Z&endDateTime=2026-11-22T08:00:00Z")["data"]
    again = httpx.get(fresh["downloadUrl"])
    assert (again.status_code, again.content) == (200, before.content)
