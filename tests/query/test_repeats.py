"""Repeats of events are found once for each set of files, day by day, and for each state of the buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airtally.engine.confined.runner import ConfinedRunner
from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.kit.clock import SystemClock
from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, day_start_us
from airtally.query.question import Metric, Question
from airtally.query.repeats import RepeatFinder
from airtally.query.service import Queries
from airtally.query.sql_service import SqlQueries
from airtally.sql.dsl.statement import checked
from airtally.streams import PLAYERS, PLAYLOGS
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
Row = dict[str, Any]


def play(name: str | None, day: int = 0, **more: Any) -> Row:
    return {"id": name, "player_id": 1, "media_id": 1, "played_at": START + day * DAY_US, **more}


@pytest.fixture
def source(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play("a"), play("b", 1), play(None)])
    source.uncompacted([play("b"), play("c"), play("c"), play(None), play("b", 1)])
    return source


@pytest.fixture(scope="module")
def runner() -> Iterator[ConfinedRunner]:
    runner = ConfinedRunner()
    yield runner
    runner.close()


def searches(stream: str = "playlogs") -> float:
    return float(metrics.REPEAT_SEARCHES.labels(stream)._value.get())


def count(queries: Queries) -> int:
    table: pa.Table = queries.answer(Question(PLAYLOGS, "acme", metrics=(Metric("rows"),))).table
    return int(table["rows"][0].as_py())


def test_files_are_searched_once_and_again_only_where_a_day_has_new_ones(
    duckdb_engine: Engine, source: HandMade
) -> None:
    queries, before = Queries(duckdb_engine, source), searches()
    assert [count(queries), count(queries)] == [6, 6]
    assert searches() == before + 1  # both days in one statement
    source.uncompacted([play("a"), play("d")])
    assert [count(queries), count(queries)] == [7, 7]
    assert searches() == before + 2
    queries.forget()
    assert count(queries) == 7
    assert searches() == before + 3


def test_one_day_alone_is_searched_when_it_has_a_new_file(duckdb_engine: Engine, source: HandMade) -> None:
    finder = RepeatFinder(duckdb_engine)
    first = finder.told_apart(source.snapshot(PLAYLOGS, "acme")).repeats
    assert first is not None
    assert {day: table.num_rows for day, table in first.items()} == {"2026-10-01": 1, "2026-10-02": 1}
    source.uncompacted([play("e", 1), play("e", 1)])
    later = finder.told_apart(source.snapshot(PLAYLOGS, "acme")).repeats
    assert later is not None
    assert {day: table.num_rows for day, table in later.items()} == {"2026-10-01": 1, "2026-10-02": 2}
    assert all(table.column_names == ["writer_id", "sequence"] for table in later.values())


def test_buffered_rows_repeat_each_other_and_rows_of_files(duckdb_engine: Engine, source: HandMade) -> None:
    source.buffered([play("a"), play("f"), play("f"), play(None), play("c")])
    assert count(Queries(duckdb_engine, source)) == 8


def test_buffered_rows_are_searched_once_for_each_state(duckdb_engine: Engine, source: HandMade) -> None:
    finder, before = RepeatFinder(duckdb_engine), searches()
    source.buffered([play("a")])
    view = replace(source.snapshot(PLAYLOGS, "acme"), state="one")
    for _ in range(2):
        assert finder.told_apart(view).repeats is not None
    assert searches() == before + 2
    finder.told_apart(replace(view, state="another"))
    assert searches() == before + 3


def test_other_accounts_rows_repeat_none_of_mine(duckdb_engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.uncompacted([play("a"), play("a", account="other"), play("a", account="other")])
    view = RepeatFinder(duckdb_engine).told_apart(source.snapshot(PLAYLOGS, "acme"))
    assert view.repeats == {}
    assert count(Queries(duckdb_engine, source)) == 1


def test_nothing_is_searched_where_nothing_can_repeat(duckdb_engine: Engine, tmp_path: Path) -> None:
    source, before = HandMade(tmp_path, PLAYLOGS), searches()
    source.compacted([play("a")])
    source.uncompacted([play(None), play(None)])
    assert count(Queries(duckdb_engine, source)) == 3
    players = HandMade(tmp_path / "players", PLAYERS).snapshot(PLAYERS, "acme")
    assert RepeatFinder(duckdb_engine).told_apart(players) is players
    assert searches() == before


def test_more_repeats_than_may_be_told_are_found_out_within_the_statement(
    duckdb_engine: Engine, source: HandMade
) -> None:
    view = source.snapshot(PLAYLOGS, "acme")
    assert RepeatFinder(duckdb_engine, most=1).told_apart(view) is view
    assert RepeatFinder(duckdb_engine, most=2).told_apart(view).repeats is not None
    assert count(Queries(duckdb_engine, source, most_repeats=1)) == 6


def test_a_file_that_is_searched_and_read_is_counted_once(duckdb_engine: Engine, source: HandMade) -> None:
    question = Question(PLAYLOGS, "acme", metrics=(Metric("rows"),))
    assert Queries(duckdb_engine, source).prepare(question).most_read == 8


def test_a_day_of_too_many_repeats_is_searched_once(duckdb_engine: Engine, tmp_path: Path) -> None:
    source, before = HandMade(tmp_path, PLAYLOGS), searches()
    source.uncompacted([play("a"), play("a"), play("a")])
    queries = Queries(duckdb_engine, source, most_repeats=1)
    assert [count(queries), count(queries)] == [1, 1]
    assert searches() == before + 1


def test_a_statement_of_a_caller_reads_only_what_it_names(
    duckdb_engine: Engine, tmp_path: Path, runner: ConfinedRunner
) -> None:
    """Where no row comes again it reads neither ids nor what rows are ranked by, which takes its memory."""
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play("a")])
    source.uncompacted([play("b"), play(None)])
    sql = SqlQueries(Queries(duckdb_engine, source), None, runner, SystemClock(), seconds=30.0)  # type: ignore[arg-type]
    assert not any(word in _text(sql) for word in ("ROW_NUMBER", "ANTI"))
    source.uncompacted([play("a"), play("b"), play("c")])
    assert "ANTI" in _text(sql)
    source.buffered([play("a"), play("g")])
    assert sql.answer("acme", "SELECT count(*) AS n FROM playlogs").table.to_pylist() == [{"n": 5}]
    listed = sql.answer("acme", "SELECT id, count(*) AS n FROM playlogs GROUP BY 1 ORDER BY 1 NULLS LAST").table
    assert listed.to_pylist() == [
        {"id": each, "n": n} for each, n in [("a", 1), ("b", 1), ("c", 1), ("g", 1), (None, 1)]
    ]


def _text(sql: SqlQueries) -> str:
    return sql.prepare("acme", checked("SELECT count(*) AS n FROM playlogs", {"playlogs"}), START).job.text.upper()


def test_a_statement_of_a_caller_over_too_many_repeats_is_refused_in_words(
    duckdb_engine: Engine, source: HandMade, runner: ConfinedRunner
) -> None:
    queries = Queries(duckdb_engine, source, most_repeats=1)
    sql = SqlQueries(queries, None, runner, SystemClock(), seconds=30.0)  # type: ignore[arg-type]
    with pytest.raises(LimitExceeded, match="came again"):
        sql.answer("acme", "SELECT count(*) AS n FROM playlogs")
