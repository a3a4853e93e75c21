"""A month of ad events with many rows a day, written as the lake's own compacted files: minutes instead of an hour.

The rows are made by DuckDB, which is the only thing that differs from a home that was filled by `airtally ingest` and
compacted: order, columns, compression and the commits are the lake's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from airtally.demo.ad_groups import ad_group_rows, ad_groups
from airtally.kit.clock import SystemClock
from airtally.kit.time import DAY_US, day_start_us
from airtally.storage.lake.data_files import NewFile, added, file_name, publish
from airtally.storage.lake.schema import FIRST
from airtally.storage.lake.table import CHANGED, LakeTable
from airtally.storage.lake.table_storage import open_storage
from airtally.storage.lake.table_version import COMPACTED
from airtally.streams import AD_EVENTS
from benchmarks.harness import Place
from benchmarks.kept import Source
from benchmarks.server import SLUG, Home

DAYS, GROUPS, _SEED = 30, 300, 1

#: A render is seldom worth an id; of conversions and installs a half has one, and conversions cost something.
_DAY = """
    COPY (
        SELECT $account AS account, groups.id AS ad_group_id, make_timestamptz($start + (a % 86400000000)::BIGINT) AS time,
            CASE WHEN kind IN ('global_conversion', 'install') AND b % 2 = 0 THEN $day || '-' || number END AS id,
            kind, country, CASE WHEN kind = 'global_render' AND b % 16 = 0 THEN 2 + b % 38 ELSE 1 END::BIGINT AS count,
            CASE kind WHEN 'global_conversion' THEN (c % 900 + 35) / 100 END::DECIMAL(18, 6) AS spend,
            make_timestamptz($start + 86400000000 + number) AS received_at, $writer AS writer_id, number AS sequence
        FROM (
            SELECT number, hash(number, $start) AS a, hash(number, $start, 1) AS b, hash(number, $start, 2) AS c,
                list_value('global_render', 'paid_click', 'global_conversion', 'install')[
                    CASE WHEN c % 100 < 78 THEN 1 WHEN c % 100 < 93 THEN 2 WHEN c % 100 < 97 THEN 3 ELSE 4 END] AS kind,
                list_value('US', 'IN', 'BR', 'ID', 'DE', 'GB', 'MX', 'JP', 'FR', 'TR', 'PL', 'ZZ')[
                    1 + floor(12 * pow((b % 65521) / 65521, 2))::INT] AS country,
                floor($groups * pow((a // 86400000000 % 65521) / 65521, 3))::INT AS place
            FROM range($rows) AS _(number)
        ) AS made JOIN groups ON groups.place = made.place
        ORDER BY {order}
    ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def dense_ads(place: Place) -> Source:
    rows = place.size(100_000_000, 300_000)

    def declared(end_day: date) -> dict[str, list[dict[str, object]]]:
        made_us = day_start_us(end_day) - DAYS * DAY_US
        return {"ad_groups": ad_group_rows(ad_groups(_SEED, GROUPS), made_us, made_us)[:GROUPS]}

    return Source(
        "dense-ad-events",
        "ad_events",
        rows,
        before=declared,
        tables=lambda _: (),
        load=lambda home, end_day: _load(home, end_day, rows // DAYS),
    )


def days_of(end_day: date) -> list[date]:
    return [end_day - timedelta(days=back) for back in reversed(range(DAYS))]


def _load(home: Home, end_day: date, rows: int) -> dict[str, float]:
    """One compacted file a day, in one commit."""
    begun = time.perf_counter()
    url = f"{home.folder}/lake/{AD_EVENTS.name}"
    table = LakeTable(AD_EVENTS, open_storage(url, {}), clock=SystemClock())
    handle = table.open()
    written = list(_day_files(table, home.folder, days_of(end_day), rows))
    now_ms = table.clock.now_us() // 1000
    changed = {CHANGED: json.dumps({each.day: [SLUG] for each in written})}
    table.commit(handle, [added(each, now_ms, data_change=True) for each in written], {"benchmark": 1}, changed)
    return {"rows": rows * DAYS, "writing the files, s": time.perf_counter() - begun}


def _day_files(table: LakeTable, scratch: Path, days: list[date], rows: int) -> Iterator[NewFile]:
    order = ", ".join(f"{column} NULLS LAST" for column in AD_EVENTS.sort_columns)
    ids = pa.table({"place": range(GROUPS), "id": [each.id for each in ad_groups(_SEED, GROUPS)]})
    with duckdb.connect(config={"memory_limit": "3GB", "temp_directory": str(scratch / "dense")}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("groups", ids)
        for day in days:
            name = file_name(str(day), COMPACTED, FIRST)
            path = table.storage.scratch(name)
            wanted = {"account": SLUG, "day": str(day), "start": day_start_us(day), "writer": "benchmark"}
            connection.execute(_DAY.format(order=order, path=path), wanted | {"groups": GROUPS, "rows": rows})
            yield publish(table.storage, AD_EVENTS, name, str(day), path)
