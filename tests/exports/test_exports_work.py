"""Making exports: from acknowledged rows to parts, through trouble, restarts and takeovers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airtally.exports.spec import Compression, ExportFormat, ExportSpec
from airtally.streams import PLAYLOGS
from fixtures.exports import PLAYS, ExportHome, parquet_schema

#: What depends on the kind of metadata store is tested with the service and the jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SCHEMA = parquet_schema(PLAYLOGS)

Home = Callable[..., ExportHome]


def play(number: int, **changes: Any) -> dict[str, Any]:
    base = {"player_id": number % 7, "played_at": NOON + timedelta(hours=7 * number), "id": f"p{number}"}
    return base | {"media_id": number, "type": "I", "ip": "10.0.0.1", "duration_seconds": number / 8} | changes


def as_exported(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: row.get(name) for name in SCHEMA.names} | {"played_at": row["played_at"].replace(tzinfo=None)}
        for row in rows
    ]


def by_media(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda each: each["media_id"])


@pytest.mark.parametrize("packing", list(Compression))
@pytest.mark.parametrize("form", list(ExportFormat))
def test_rows_come_back_as_they_were_sent(export_home: Home, form: ExportFormat, packing: Compression) -> None:
    home = export_home()
    plays = [play(number) for number in range(20)]
    plays += [play(20, id=None, duration_seconds=None), play(21, ip='a,"b"\n\r\\c'), play(22, id="ü\x01\t☃", ip=" ")]
    home.send("playlogs", plays[:9])
    home.flush()
    home.send("playlogs", plays[9:])
    export = home.made(ExportSpec(rows=PLAYS, format=form, compression=packing))
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)
    assert export.data_through == home.clock.now_us() or export.data_through is not None
    assert home.exports.parts(export)[0].file_name(export.spec).startswith(f"export-{export.id}-0001.")
