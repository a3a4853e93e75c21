"""Empty texts: in an optional column that names an event they are none, in a required key they are an error."""

from __future__ import annotations

import io
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.engine.child_process import InProcess
from airtally.engine.protocol import Engine
from airtally.ingest.decode import read_file, read_rows
from airtally.ingest.times import FEW
from airtally.kit.time import from_datetime
from airtally.query.question import Metric, Question
from airtally.query.service import Queries
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import AD_EVENTS, APP_EVENTS, PLAYLOGS, STREAMS, VIEWER_SAMPLES
from airtally.streams.declaration import Stream
from fixtures.native import Native
from fixtures.snapshots import HandMade

AT = "2026-11-22T08:00:00Z"
ROWS: dict[str, dict[str, Any]] = {
    "playlogs": {"player_id": 1, "media_id": 2, "played_at": AT[:-1]},
    "subscriptions": {"business_id": "b", "subscription_event_id": "s"},
    "playback": {"business_id": "b", "session_id": "s"},
    "catalog": {"business_id": "b", "id": "c"},
    "ad_groups": {"ad_group_id": "g", "name": "n", "platform": "p"},
    "ad_events": {"ad_group_id": "g", "time": AT, "kind": "paid_click"},
    "viewer_apps": {"app": "a", "app_id": 1},
    "viewer_samples": {"app": "a", "video_url": "v", "server": "s", "time": AT, "viewers": 1},
    "applications": {"application": "X", "name": "n"},
    "app_events": {"application": "X", "event": "e", "time": AT},
    "devices": {"application": "X", "hwid": "h"},
    "device_tags": {"hwid": "h", "tag": "t", "value": 1},
}
FORMATS = ["ndjson", "json", "csv", "parquet", "arrow", "ndjson file", "json file"]


def as_sent(stream: Stream, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows in the types of a columnar file: texts but for numbers, times with their zone."""
    names = {name for row in rows for name in row if stream.column(name).type.arrow == pa.string()}
    table = pa.Table.from_pylist(rows)
    at = table.schema.get_field_index(stream.time)
    if at >= 0 and stream.name != "playlogs":
        times = table.column(at).cast(pa.timestamp("us", "UTC"))
        table = table.set_column(at, stream.time, times)
    assert all(pa.types.is_string(table.schema.field(name).type) or name == "value" for name in names)
    return table


def stored(kind: str, stream: Stream, rows: list[dict[str, Any]], folder: Path) -> tuple[pa.Table, list[Any]]:
    """The rows that a body or a file of a format gives, and the errors."""
    lines, whole = b"\n".join(map(msgspec.json.encode, rows)), msgspec.json.encode(rows)
    if kind in {"ndjson", "json"}:
        media = {"ndjson": "application/x-ndjson", "json": "application/json"}[kind]
        checked = read_rows(stream, lines if kind == "ndjson" else whole, media)
        return checked.rows, checked.errors
    path, sink = folder / f"rows.{kind.split(' ', maxsplit=1)[0]}", io.BytesIO()
    if kind == "csv":
        names = list(rows[0])
        path.write_text(
            "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]) + "\n"
        )
    elif kind == "parquet":
        pq.write_table(as_sent(stream, rows), path)
    elif kind == "arrow":
        table = as_sent(stream, rows)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        path.write_bytes(sink.getvalue())
    else:
        path.write_bytes(lines if kind == "ndjson file" else whole)
    parts = [checked for checked, _ in read_file(stream, path)]
    return pa.concat_tables([part.rows for part in parts]), [error for part in parts for error in part.errors]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("stream", [PLAYLOGS, AD_EVENTS, APP_EVENTS], ids=lambda stream: stream.name)
def test_an_empty_id_is_none(stream: Stream, kind: str, tmp_path: Path) -> None:
    for count in (3, FEW + 1):
        rows, errors = stored(kind, stream, [{**ROWS[stream.name], "id": ""}] * count, tmp_path)
        assert errors == []
        assert rows["id"].to_pylist() == [None] * count
        rows, errors = stored(kind, stream, [{**ROWS[stream.name], "id": each} for each in ("a", "", "a")], tmp_path)
        assert rows["id"].to_pylist() == ["a", None, "a"]


NAMED = [(stream, name) for stream in ROWS for name in sorted(STREAMS[stream].named_by)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("name", "column"), [(s, c) for s, c in NAMED if STREAMS[s].by_name[c].required])
def test_a_required_key_that_is_empty_is_an_error(name: str, column: str, kind: str, tmp_path: Path) -> None:
    good = ROWS[name]
    error = "required" if kind == "csv" else "must not be empty"  # an empty cell is an absent one
    for count in (1, FEW):
        rows, errors = stored(kind, STREAMS[name], [good, *[{**good, column: ""}] * count, good], tmp_path)
        assert {(each.field, each.error) for each in errors} == {(column, error)}
        assert (len(errors), rows.num_rows) == (count, 2)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_server_without_a_name_is_one(kind: str, tmp_path: Path) -> None:
    good = ROWS["viewer_samples"]
    rows, errors = stored(kind, VIEWER_SAMPLES, [good, {**good, "server": ""}], tmp_path)
    assert (rows["server"].to_pylist(), errors) == (["s", ""], [])
    assert read_rows(VIEWER_SAMPLES, msgspec.json.encode({**good, "server": None}), "application/json").errors


def test_a_tag_of_an_empty_application_is_shared() -> None:
    body = msgspec.json.encode({**ROWS["device_tags"], "application": ""})
    assert read_rows(STREAMS["device_tags"], body, "application/json").rows["application"].to_pylist() == [None]


def test_three_events_of_an_empty_id_are_three(start_server: Any) -> None:
    server = start_server()
    acme = Native(server, f"a{secrets.token_hex(3)}")
    assert acme.send("ad_events", [{**ROWS["ad_events"], "id": ""}] * 3).json()["accepted"] == 3
    assert acme.count("ad_events") == 3
    server.services.storage.event_store.flush()
    assert acme.count("ad_events") == 3
    Compactor(server.services.storage.lake.table(AD_EVENTS), InProcess()).run(EAGER)
    assert acme.count("ad_events") == 3
    acme.http.close()


def test_rows_of_an_empty_id_that_are_stored_already(engine: Engine, tmp_path: Path) -> None:
    """As earlier releases stored them: in every place, beside rows with an id and without."""
    time = from_datetime(datetime.fromisoformat(AT))
    base = {"ad_group_id": "g", "kind": "paid_click", "time": time}
    source = HandMade(tmp_path, AD_EVENTS)
    for put in (source.compacted, source.uncompacted, source.buffered):
        put([base | {"id": each} for each in ("", "", None, "a")])
    found = Queries(engine, source).answer(Question(AD_EVENTS, "acme", (Metric("rows"),)))
    assert found.table.to_pylist() == [{"rows": 3 * 3 + 1}]
