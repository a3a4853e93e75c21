"""The declared streams over HTTP, and how current an account's rows are."""

from __future__ import annotations

import pytest

from airtally.streams import STREAMS
from airtally.streams.declaration import Type

PLAY = {"player_id": 1, "media_id": 2, "played_at": "2026-11-01T08:00:00"}


@pytest.fixture
def get(client):
    def get(path, status=200):
        answer = client.http.get(f"/api/v1{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


def test_every_stream_as_it_is_declared(get):
    listed = {each["name"]: each for each in get("/streams")["items"]}
    assert list(listed) == list(STREAMS)
    for name, stream in STREAMS.items():
        found = get(f"/streams/{name}")
        assert (found["kind"], found["key"], found["kept_days"]) == (
            stream.kind,
            list(stream.key),
            listed[name]["kept_days"],
        )
        assert [each["name"] for each in found["columns"]] == [column.name for column in stream.columns]
        assert [each["name"] for each in found["rollups"]] == [rollup.name for rollup in stream.rollups]
        for shown, column in zip(found["columns"], stream.columns, strict=True):
            assert (shown["type"], shown["required"], shown["default"]) == (
                column.type,
                column.required,
                column.default,
            )
            assert (shown["max_bytes"] is not None) == (column.type in {Type.TEXT, Type.JSON})


def test_a_stream_that_is_none(get):
    assert get("/streams/x", 404)["code"] == "not_found"
    assert get("/streams/x/freshness", 404)["hint"].startswith("The streams are: playlogs")


def test_freshness_follows_the_rows(get, client, api_server):
    before = get("/streams/playlogs/freshness")
    assert (before["rows"], before["last_received"]) == (0, None)
    client.send("playlogs", [PLAY | {"id": "a"}, PLAY | {"id": "b"}])
    found = get("/streams/playlogs/freshness")
    assert found["rows"] == 2
    assert found["last_received"] <= found["data_through"]
    api_server.services.storage.event_store.flush()
    assert get("/streams/playlogs/freshness") == found
    everywhere = {each["stream"]: each for each in get("/freshness")["items"]}
    assert set(everywhere) == set(STREAMS)
    assert everywhere["playlogs"] == found
    assert everywhere["medias"]["rows"] == 0


def test_an_account_sees_its_own_rows_alone(api_server, join):
    first, other = join(api_server), join(api_server)
    first.send("playlogs", [PLAY])
    assert other.http.get("/api/v1/streams/playlogs/freshness").json()["rows"] == 0
