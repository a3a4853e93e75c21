"""Values from the edges of every type over HTTP: each row is taken or refused by itself, and no answer is a 5xx."""

from __future__ import annotations

import io
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from airtally.streams import STREAMS
from fixtures.edge_bodies import is_json, json_array, ndjson, packed
from fixtures.edges import drawn_rows

PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"


def body_of(table, media_type):
    out = io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, out)
    else:
        with ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


@pytest.fixture(scope="module")
def device(api_server):
    """A client whose account owns the application `edges`."""
    from fixtures.native import Native

    client = Native(api_server, "edges")
    assert client.send("applications", [{"application": "edges"}]).json()["accepted"] == 1
    yield client
    client.http.close()


@pytest.mark.parametrize("media_type", [PARQUET, ARROW])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_refuses_its_row_and_erases_nothing(device, media_type, value):
    tag = f"score{media_type[-3:]}{value}"
    keys = {"application": ["edges"] * 2, "hwid": ["d"] * 2, "tag": [tag] * 2}
    sent = device.send("device_tags", body_of(pa.table(keys | {"value": [1.5, value]}), media_type), media_type)
    assert (sent.status_code, sent.json()["accepted"]) == (200, 1)
    assert sent.json()["errors"] == [{"line": 2, "field": "value", "error": "number out of range"}]

    time = ["2026-10-01T08:00:00Z"] * 2
    events = {"application": ["edges"] * 2, "event": [tag] * 2, "time": time, "attributes": [{"a": 1.5}, {"a": value}]}
    sent = device.send("app_events", body_of(pa.table(events), media_type), media_type)
    assert (sent.status_code, sent.json()["accepted"]) == (200, 1)
    assert sent.json()["errors"] == [{"line": 2, "field": "attributes", "error": "number out of range"}]


@pytest.mark.parametrize("stream", ["playlogs", "ad_events", "app_events", "device_tags", "devices", "viewer_apps"])
@settings(max_examples=8, deadline=None, phases=[Phase.generate, Phase.shrink])
@given(data=st.data())
def test_every_row_from_the_edges_has_an_answer(device, stream, data):
    drawn = data.draw(drawn_rows(STREAMS[stream]))
    bodies = [("application/x-ndjson", ndjson(drawn))]
    bodies += [("application/json", json_array(drawn))] * is_json(drawn)
    bodies += [(PARQUET, packed(drawn, "a.parquet", data)), (ARROW, packed(drawn, "a.arrows", data))]
    for media_type, body in bodies:
        sent = device.send(stream, body, media_type)
        assert sent.status_code == 200, (media_type, sent.text)
        answer = sent.json()
        assert answer["accepted"] + answer["rejected"] == drawn.count
        # What an application's events and tags may hold, and how old a row may be, is judged after.
        judged_alone = stream == "playlogs"
        assert (
            answer["accepted"] == len(drawn.expected()) if judged_alone else answer["accepted"] <= len(drawn.expected())
        )
