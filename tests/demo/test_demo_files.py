"""Files of every format, and all streams' rows read as `airtally ingest` reads them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airtally.demo.ad_events import AdEvents
from airtally.demo.ad_groups import ad_group_rows
from airtally.demo.app_events import AppEvents
from airtally.demo.applications import Applications
from airtally.demo.channels import ACME_MAX, Catalog
from airtally.demo.playback import Playback
from airtally.demo.subscriptions import Subscriptions
from airtally.demo.tables import plain, write
from airtally.demo.viewers import DemoViewers
from airtally.ingest.decode import read_file
from airtally.streams import STREAMS

NOW_US = 1_793_491_200_000_000
DAY = date(2026, 10, 31)
APPS = Applications(devices_each=30, now_us=NOW_US)
ADS = AdEvents(days=3, end_day=DAY, groups=12, rows=3_000)
VIEWERS = DemoViewers(days=1, end_day=DAY, videos=3)
CATALOG = Catalog(ACME_MAX)
SUBSCRIPTIONS = Subscriptions(ACME_MAX, days=40, end_day=DAY, customers=150)

TABLES: dict[str, Any] = {
    "ad_events": ADS,
    "viewer_samples": VIEWERS,
    "app_events": AppEvents(days=3, end_day=DAY, rows=3_000, applications=APPS),
    "subscriptions": SUBSCRIPTIONS,
    "playback": Playback(SUBSCRIPTIONS, CATALOG, sessions=900),
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "ad_groups": ad_group_rows(ADS.ad_groups, 10**15, NOW_US),
    "viewer_apps": VIEWERS.app_rows(10**15),
    "applications": APPS.application_rows(),
    "devices": APPS.device_rows(),
    "device_tags": APPS.tag_rows(),
    "catalog": CATALOG.rows(10**15, NOW_US),
}


def read(stream: str, path: Path) -> pa.Table:
    """All rows of a file, as checked; a wrong one fails the test."""
    chunks = [checked for checked, _ in read_file(STREAMS[stream], path)]
    assert [error for checked in chunks for error in checked.errors] == []
    return pa.concat_tables(checked.rows for checked in chunks)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "ndjson", "ndjson.gz"])
@pytest.mark.parametrize("stream", TABLES)
def test_a_file_of_any_format_holds_the_rows_and_none_is_refused(stream: str, ending: str, tmp_path: Path) -> None:
    made = [plain(STREAMS[stream], each) for each in TABLES[stream].tables()]
    path = tmp_path / f"{stream}.{ending}"
    assert write(path, TABLES[stream].tables()) == sum(each.num_rows for each in made)
    assert comparable(read(stream, path)) == comparable(pa.concat_tables(made))


def comparable(rows: pa.Table) -> list[dict[str, Any]]:
    """Times of versions are cut to milliseconds on arrival, those of samples are whole minutes anyway."""
    found = rows.to_pylist()
    for row in found:
        for name in {"create_time_utc", "last_update_time_utc"} & row.keys():
            row[name] = row[name].replace(microsecond=row[name].microsecond // 1000 * 1000)
    return found


@pytest.mark.parametrize("stream", ROWS)
def test_no_row_of_the_small_streams_is_refused(stream: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stream}.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[stream]))
    assert read(stream, path).num_rows == len(ROWS[stream])


def test_every_stream_has_its_generator() -> None:
    assert set(TABLES) | set(ROWS) | {"playlogs", "players", "medias"} == set(STREAMS)
