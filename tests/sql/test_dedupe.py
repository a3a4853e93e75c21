"""Each event once, as last received, whatever the order, the batches, the repeats and where the rows lie."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket
from airtally.query.lines import Extract, Integer, JsonLine
from airtally.query.question import Dimension, Metric, Question
from airtally.query.service import Queries
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS, PLAYLOGS, VIEWER_SAMPLES
from fixtures.lines import text_both_ways
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
SPAN = 2 * DAY_US
Row = dict[str, Any]

PLAYS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.sampled_from("abc"),
            "played_at": st.integers(0, SPAN // SECOND_US - 1).map(lambda second: START + second * SECOND_US),
            "player_id": st.integers(1, 3),
            "media_id": st.integers(1, 1000),
            "received_at": st.integers(1, 3),
            "writer_id": st.sampled_from(["m1", "m2"]),
            "account": st.sampled_from(["acme", "acme", "acme", "other"]),
            "place": st.sampled_from(["compacted", "uncompacted", "uncompacted", "buffered"]),
        }
    ),
    max_size=40,
)


def received(row: Row) -> tuple[int, str, int]:
    return row["received_at"], row["writer_id"], row["sequence"]


def winners(rows: Iterable[Row]) -> list[Row]:
    """The naive way: the last received of each account, id and day."""
    last: dict[Any, Row] = {}
    for row in sorted(rows, key=received):
        day = row["played_at"] // DAY_US
        key = row["sequence"] if row["id"] is None else (row["account"], row["id"], day)
        last[key] = row
    return list(last.values())


def placed(folder: Path, drawn: list[Row]) -> tuple[HandMade, list[Row]]:
    """A source with the rows where they were drawn to lie; compacted files hold no repeats."""
    rows = [{**row, "sequence": number} for number, row in enumerate(drawn)]
    source = HandMade(folder, PLAYLOGS)
    by_place: dict[str, list[Row]] = {"compacted": [], "uncompacted": [], "buffered": []}
    for row in rows:
        by_place[row.pop("place")].append(row)
    by_place["compacted"] = winners(by_place["compacted"])
    source.compacted(by_place["compacted"])
    for place, put in (("uncompacted", source.uncompacted), ("buffered", source.buffered)):
        half = len(by_place[place]) // 2
        put(by_place[place][:half])
        put(by_place[place][half:])
    return source, [row for part in by_place.values() for row in part]


def check(engine: Engine, drawn: list[Row], start: int, length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, rows = placed(Path(folder), drawn)
        end = start + length
        left = [row for row in winners(rows) if row["account"] == "acme" and start <= row["played_at"] < end]
        question = Question(
            PLAYLOGS,
            "acme",
            metrics=(Metric("plays"), Metric("of_one", where=Equals("player_id", 1))),
            dimensions=(Dimension("player_id"),),
            start_us=start,
            end_us=end,
            bucket=Bucket.HOUR,
        )
        queries = Queries(engine, source)
        found = queries.answer(question).table.to_pylist()
        for other in ways(engine, source, queries, question):
            assert sorted(other, key=str) == sorted(found, key=str)
        expected = Counter((row["played_at"] // (3600 * SECOND_US), row["player_id"]) for row in left)
        assert {(row["bucket"] // (3600 * SECOND_US), row["player_id"]): row["plays"] for row in found} == expected
        assert sum(row["of_one"] for row in found) == sum(row["player_id"] == 1 for row in left)

        extract = Extract(PLAYLOGS, "acme", JsonLine((("m", Integer("media_id")),)), start, end, descending=True)
        snapshot = queries.snapshot(PLAYLOGS, "acme", start_us=start, end_us=end)
        text = text_both_ways(engine, extract, snapshot)
        left.sort(key=lambda row: (row["played_at"], *received(row)), reverse=True)
        assert text == "".join(f'{{"m":{row["media_id"]}}}\n' for row in left)


def ways(engine: Engine, source: HandMade, queries: Queries, question: Question) -> Iterator[list[Row]]:
    """The answer with the repeats as they are remembered, found out within the statement, and too many to be told."""
    yield queries.answer(question).table.to_pylist()
    yield engine.query(queries.prepare(question).statement).to_pylist()
    yield Queries(engine, source, most_repeats=0).answer(question).table.to_pylist()


ANY = {
    "drawn": PLAYS,
    "start": (st.sampled_from([0, 24]) | st.integers(0, 47)).map(lambda hour: START + hour * 3600 * SECOND_US),
    "length": (st.sampled_from([24, 48]) | st.integers(1, 48)).map(lambda hours: hours * 3600 * SECOND_US),
}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**ANY)
def test_answers_equal_the_naive_count(duckdb_engine: Engine, drawn: list[Row], start: int, length: int) -> None:
    check(duckdb_engine, drawn, start, length)


@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(**ANY)
def test_answers_equal_the_naive_count_on_spark(
    spark_engine: Engine, drawn: list[Row], start: int, length: int
) -> None:
    check(spark_engine, drawn, start, length)


def count(engine: Engine, source: HandMade, **more: Any) -> int:
    question = Question(source.stream, "acme", metrics=(Metric("rows"),), **more)
    return Queries(engine, source).answer(question).table["rows"][0].as_py()


def test_a_correction_moves_an_event_out_of_the_asked_hour(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    play = {"id": "a", "player_id": 1, "media_id": 1}
    source.compacted([{**play, "played_at": START + 9 * 3600 * SECOND_US}])
    source.uncompacted([{**play, "played_at": START + 15 * 3600 * SECOND_US}])
    asked = {"start_us": START + 8 * 3600 * SECOND_US, "end_us": START + 10 * 3600 * SECOND_US}
    assert count(engine, source, **asked) == 0
    assert source.asked[-1]["start_us"] == START
    assert source.asked[-1]["end_us"] == START + DAY_US
    assert count(engine, source) == 1
    assert count(engine, source, as_received=True) == 2


def test_times_are_looked_at_only_in_files_of_days_that_are_not_wanted_whole(
    duckdb_engine: Engine, tmp_path: Path
) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    days = [{"id": None, "player_id": 1, "media_id": 1, "played_at": START + day * DAY_US} for day in range(4)]
    source.compacted(days[:3])
    whole = Question(PLAYLOGS, "acme", metrics=(Metric("rows"),), start_us=START, end_us=START + 3 * DAY_US)

    def asked(question: Question) -> tuple[int, int]:
        """The count, and how often a time is compared."""
        statement = Queries(duckdb_engine, source).prepare(question).statement
        return duckdb_engine.query(statement)["rows"][0].as_py(), statement.tree.sql("duckdb").count(">=")

    assert asked(whole) == (3, 0)
    assert asked(replace(whole, end_us=START + 3 * DAY_US - 1)) == (3, 1)
    assert asked(replace(whole, start_us=START + 1)) == (2, 1)
    source.buffered(days[2:])
    assert asked(whole) == (4, 1)


def test_one_servers_count_of_one_minute_replaces_the_earlier_one(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, VIEWER_SAMPLES)
    sample = {"app": "a", "video_url": "u", "server": "s", "time": START, "viewers": 5}
    source.compacted([sample, {**sample, "server": "t"}])
    source.uncompacted([{**sample, "viewers": 7}])
    source.buffered([{**sample, "viewers": 9, "time": START + 60 * SECOND_US}])
    assert count(engine, source) == 3


def test_the_same_id_on_another_day_is_another_event(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, AD_EVENTS)
    click = {"id": "a", "ad_group_id": "g", "kind": "paid_click", "time": START + DAY_US - 1}
    source.compacted([click])
    source.buffered([{**click, "time": START + DAY_US}, {**click, "account": "other"}])
    assert count(engine, source) == 2


@pytest.mark.parametrize("stream", [PLAYLOGS, AD_EVENTS])
def test_no_rows_at_all(engine: Engine, tmp_path: Path, stream: Any) -> None:
    assert count(engine, HandMade(tmp_path, stream)) == 0
