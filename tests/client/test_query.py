"""Rows asked for: as dicts, Arrow, pandas and Polars, page by page, each row once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airtally import Client
from airtally.client import GarbledAnswer, InvalidRequest, MissingResource, RetryRules, RowsPage
from fixtures.awkward import answering, http_answer
from fixtures.sent import Caller, plays

ROWS = plays(1000)
BY_PLAYER = Counter(row["player_id"] for row in ROWS)
EXPECTED = [{"player_id": player, "count": count} for player, count in sorted(BY_PLAYER.items())]
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def filled(caller, native):
    native.http.post("/api/v1/streams/playlogs/events", json=ROWS).raise_for_status()
    return caller


def as_dicts(found):
    if isinstance(found, pa.Table):
        return found.to_pylist()
    if isinstance(found, pl.DataFrame):
        return found.to_dicts()
    return found.to_dict("records") if isinstance(found, pd.DataFrame) else found


@pytest.mark.parametrize("form_of_rows", ["rows", "arrow", "pandas", "polars"])
def test_every_form_has_the_same_rows(filled, form_of_rows):
    asked = {"dimensions": ["player_id"], "order": "player_id"}
    kinds = {"rows": list, "arrow": pa.Table, "pandas": pd.DataFrame, "polars": pl.DataFrame}
    for pages in ({}, {"page_rows": 2}, {"limit": 5}, {"limit": 5, "page_rows": 2}, {"limit": 4, "page_rows": 2}):
        found = filled.rows("playlogs", form_of_rows, **asked, **pages)
        assert isinstance(found, kinds[form_of_rows])
        assert as_dicts(found) == EXPECTED[: pages.get("limit")]
    statement = "SELECT player_id, count(*) AS count FROM playlogs GROUP BY 1 ORDER BY 1"
    assert as_dicts(filled.sql(statement, form_of_rows)) == EXPECTED


def test_pages_say_how_good_they_are(filled):
    pages = filled.rows("playlogs", "pages", dimensions=["player_id"], order=["player_id"], page_rows=3)
    assert [len(page.rows) for page in pages] == [3, 3, 1]
    assert [page.next is None for page in pages] == [False, False, True]
    for page in pages:
        assert isinstance(page, RowsPage)
        assert (page.timezone, page.meta["answered_from"]) == ("UTC", ["rows"])
        assert page.data_through.tzinfo is not None
        assert page.data_through <= page.generated_at
    tables = filled.rows("playlogs", "tables", dimensions=["player_id"], order=["player_id"], page_rows=3)
    assert [page.count for page in tables] == [3, 3, 1]
    assert tables[0].headers["airtally-timezone"] == "UTC"
    (page,) = filled.sql("SELECT 1 AS a FROM playlogs LIMIT 1", "pages")
    assert page.rows == [{"a": 1}]
    assert page.meta["tables"] == ["playlogs"]


def test_nothing_is_asked_for_before_it_is_read(client_server, native):
    with Client(client_server.url, native.token) as client:
        rows = client.query("nosuch")
        with pytest.raises(MissingResource):
            rows.rows()
        native.http.post("/api/v1/streams/playlogs/events", json=ROWS).raise_for_status()
        pages = client.query("playlogs", dimensions=["player_id"], page_rows=2).pages()
        first = next(pages)
        assert (len(first.rows), len(list(pages))) == (2, 3)
        assert [row["player_id"] for row in client.query("playlogs", dimensions="player_id", order="player_id")] == [
            *range(1, 8)
        ]


def test_times_grains_and_comparisons(filled):
    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
    asked = {"grain": "hour", "start": start.replace(tzinfo=None), "end": end.replace(tzinfo=None)}
    found = filled.rows("playlogs", **asked)
    assert len(found) == 24
    assert sum(row["count"] for row in found) == 1000
    assert filled.rows("playlogs", "arrow", **asked)["time"].type == pa.timestamp("us")
    (row,) = filled.rows("playlogs", **(asked | {"grain": None}), compare="previous_period")
    assert row == {"count": 1000, "count_previous": 0}
    assert filled.rows("playlogs", metrics="count", filter={"player_id": 1}) == [{"count": BY_PLAYER[1]}]
    assert filled.rows("playlogs", filter={"player_id": 99}, dimensions=["player_id"]) == []
    assert filled.rows("playlogs", "arrow", filter={"player_id": 99}, dimensions=["player_id"]).num_rows == 0


@pytest.mark.parametrize("form_of_rows", ["rows", "arrow"])
def test_a_comparison_comes_in_pages(filled, native, form_of_rows):
    """Groups of both days, of one, and with equal figures: each once, in the order of the whole answer."""
    before = [row | {"played_at": "2026-09-30T08:00:00", "player_id": 5 + n} for n, row in enumerate(ROWS[:5])]
    native.http.post("/api/v1/streams/playlogs/events", json=before).raise_for_status()
    day = {"start": datetime(2026, 10, 1), "end": datetime(2026, 10, 2)}
    asked = day | {"dimensions": ["player_id"], "order": ["-count_previous", "player_id"], "compare": "previous_period"}
    expected = [
        {"player_id": player, "count": BY_PLAYER[player], "count_previous": int(player in range(5, 10))}
        for player in (*range(5, 10), *range(1, 5))
    ]
    assert [row["count"] for row in expected][3:5] == [0, 0]
    for page_rows in (1, 2, 4, 9, 100):
        assert as_dicts(filled.rows("playlogs", form_of_rows, **asked, page_rows=page_rows)) == expected
    assert as_dicts(filled.rows("playlogs", form_of_rows, **asked, page_rows=2, limit=5)) == expected[:5]
    sizes = [page.count for page in filled.rows("playlogs", "pages", **asked, page_rows=4)]
    assert sizes == [4, 4, 1]


def test_what_cannot_be_asked(filled):
    with pytest.raises(InvalidRequest, match=r"no column 'nosuch'") as caught:
        filled.rows("playlogs", metrics=["sum(nosuch)"])
    assert (caught.value.status, caught.value.code) == (422, "unprocessable")
    with pytest.raises(InvalidRequest) as caught:
        filled.sql("DROP TABLE playlogs")
    assert caught.value.status == 422
    for wrong in ({"limit": 0}, {"page_rows": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            filled.rows("playlogs", **wrong)
    with pytest.raises(TypeError, match="no field metric"):
        filled.rows("playlogs", metric="count")


TABLE = pa.table({"a": [1, 2]})
SINK = pa.BufferOutputStream()
with pa.ipc.new_stream(SINK, TABLE.schema) as WRITER:
    WRITER.write_table(TABLE)
STREAM = SINK.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("rows", http_answer(200, b"[]")),
        ("rows", http_answer(200, b'{"rows": [1]}')),
        ("rows", http_answer(200, b"<html>", "text/html")),
        ("rows", http_answer(200, b'{"rows": [], "data_through": "yesterday"}')),
        ("arrow", http_answer(200, b'{"rows": []}')),
        ("arrow", http_answer(200, b"garbage", ARROW)),
        ("arrow", http_answer(200, STREAM[:-30], ARROW, Airtally_Rows="2")),
        ("arrow", http_answer(200, STREAM, ARROW, Airtally_Rows="3")),
    ],
)
def test_answers_that_are_none(form, how, answer):
    with answering([answer]) as (url, requests):
        with pytest.raises(GarbledAnswer):
            Caller(form, url, "t").rows("s", how, client={"retry": RetryRules(attempts=2, first=0.01)})
        assert len(requests) == 2


def test_a_table_cut_short_is_asked_for_again(form):
    answers = [http_answer(200, body, ARROW, Airtally_Rows="2") for body in (STREAM[:200], STREAM)]
    with answering(answers) as (url, _):
        assert Caller(form, url, "t").rows("s", "arrow").to_pylist() == TABLE.to_pylist()


def test_a_listing_page_by_page(form):
    first, last = {"items": [{"id": 2}, {"id": 1}], "next": "c/="}, {"items": [{"id": 0}], "next": None}
    with answering([http_answer(200, json.dumps(each).encode()) for each in (first, last)]) as (url, requests):
        caller = Caller(form, url, "t")
        assert caller.items("/api/v1/keys", state="new") == [{"id": 2}, {"id": 1}, {"id": 0}]
    heads = [each.partition(b" HTTP")[0] for each in requests]
    assert heads == [
        b"GET /api/v1/keys?limit=1000&state=new",
        b"GET /api/v1/keys?limit=1000&state=new&cursor=c%2F%3D",
    ]
