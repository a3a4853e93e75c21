"""Limits, isolation and failures of both engines."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from airtally.engine import open_engine
from airtally.engine.duckdb import DuckDB
from airtally.engine.limits import TimeLimit
from airtally.engine.protocol import Engine, FilesMissing
from airtally.engine.spark import Spark
from airtally.kit.errors import LimitExceeded, StorageFull, Unavailable
from airtally.sql.statement import Rows, Statement
from airtally.streams import AD_EVENTS
from fixtures.engines import EVENT, rows_of, tree
from fixtures.snapshots import HandMade


def test_a_relation_shows_one_account_alone(engine: Engine, source: HandMade) -> None:
    for account, groups in (("acme", ["g", "g", "g"]), ("other", ["secret", "secret"]), ("' OR ''='", [])):
        statement = Statement(tree("SELECT ad_group_id, account FROM r"), {"r": rows_of(engine, source, account)})
        found = engine.query(statement)
        assert found["ad_group_id"].to_pylist() == groups
        assert set(found["account"].to_pylist()) <= {account}


def test_streams_in_parts_and_in_order(engine: Engine) -> None:
    rows = 250_000 if engine.capabilities.file_lists else 60_000  # more make Sail stand still now and then
    numbers = pa.table({"n": pa.array(range(rows), pa.int64())})
    statement = Statement(tree("SELECT n FROM t WHERE n >= $low ORDER BY n DESC"), {"t": numbers}, {"low": 10})
    batches = list(engine.stream(statement))
    assert len(batches) > 1
    assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(rows - 1, 9, -1))


def test_many_threads_at_once(engine: Engine) -> None:
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        table = pa.table({"n": pa.array(range(number), pa.int64())})
        statement = Statement(tree("SELECT COUNT(*) AS c FROM t WHERE n >= $p"), {"t": table}, {"p": 1})
        found[number] = engine.query(statement)["c"][0].as_py()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number - 1 for number in range(1, 9)}


def test_a_missing_file_has_its_own_failure(engine: Engine, source: HandMade) -> None:
    rows = rows_of(engine, source)
    for file in source._folder.rglob("*.parquet"):
        file.unlink()
    statement = Statement(tree("SELECT ad_group_id FROM r"), {"r": rows})
    with pytest.raises(FilesMissing):
        engine.query(statement)
    with pytest.raises(FilesMissing):
        list(engine.stream(statement))


SLOW = "SELECT COUNT(*) AS c FROM t AS a, t AS b, t AS c WHERE a.n + b.n * c.n = 7"
MANY = {"t": pa.table({"n": pa.array(range(20_000), pa.int64())})}


def test_the_time_limit_names_itself(tmp_path: Path) -> None:
    engine = DuckDB(memory=256 << 20, seconds=0.2, temp_folder=tmp_path)
    for ask in (engine.query, lambda statement: list(engine.stream(statement))):
        with pytest.raises(LimitExceeded, match=r"0\.2 s \(AIRTALLY_QUERY_SECONDS\)"):
            ask(Statement(tree(SLOW), MANY))
    assert engine.query(Statement(tree("SELECT 1 AS one"), {}))["one"].to_pylist() == [1]
    engine.close()


def test_the_time_limit_on_spark(sail_url: str) -> None:
    engine = Spark(sail_url, seconds=0.5)
    slow = "SELECT COUNT(*) AS c FROM t AS a, t AS b WHERE (a.n + b.n * b.n) % 12347 = 7"
    engine.query(Statement(tree("SELECT 1 AS one"), {}))
    with pytest.raises(LimitExceeded, match=r"0\.5 s \(AIRTALLY_QUERY_SECONDS\)"):
        engine.query(Statement(tree(slow), MANY))
    engine.close()


def test_the_memory_limit_names_itself(tmp_path: Path) -> None:
    engine = DuckDB(memory=32 << 20, seconds=30, temp_folder=tmp_path)
    wide = "SELECT LIST(n) AS l FROM (SELECT a.n * 20000 + b.n AS n FROM t AS a, t AS b LIMIT 30000000) AS x"
    for ask in (engine.query, lambda statement: list(engine.stream(statement))):
        with pytest.raises(LimitExceeded, match=r"33 MB of memory \(AIRTALLY_ENGINE_MEMORY\)"):
            ask(Statement(tree(wide), MANY))
    engine.close()


def test_what_does_not_fit_in_memory_goes_to_disk_and_is_removed(tmp_path: Path) -> None:
    engine = DuckDB(memory=48 << 20, seconds=60, temp_folder=tmp_path, threads=1)
    much = "SELECT n FROM (SELECT a.n * 20000 + b.n AS n FROM t AS a, t AS b LIMIT 9000000) AS x ORDER BY n % 1000, n"
    assert sum(batch.num_rows for batch in engine.stream(Statement(tree(much), MANY))) == 9_000_000
    engine.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    engine = DuckDB(memory=48 << 20, seconds=60, temp_folder=tmp_path)
    error = duckdb.IOException("IO Error: Could not write file: No space left on device")
    with engine._executed(Statement(tree("SELECT 1 AS one"), {}), 60) as _, pytest.raises(StorageFull):
        raise engine._failure(error, TimeLimit(None, int)) or AssertionError
    engine.close()


def test_nothing_is_fetched(duckdb_engine: DuckDB) -> None:
    def setting(name: str) -> Any:
        statement = Statement(tree(f"SELECT CURRENT_SETTING('{name}') AS it"), {})
        return duckdb_engine.query(statement)["it"][0].as_py()

    assert not setting("autoinstall_known_extensions")
    assert not setting("autoload_known_extensions")
    assert setting("TimeZone") in {"UTC", "Etc/UTC"}
    with pytest.raises(duckdb.Error):
        duckdb_engine.query(Statement(tree("SELECT * FROM READ_PARQUET('https://127.0.0.1:1/x.parquet')"), {}))


def test_a_path_with_pattern_characters_is_a_path(duckdb_engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path / "a[b]*c?", AD_EVENTS)
    source.compacted([EVENT])
    statement = Statement(tree("SELECT ad_group_id FROM r"), {"r": rows_of(duckdb_engine, source)})
    assert duckdb_engine.query(statement).num_rows == 1


def test_spark_never_takes_buffered_rows(spark_engine: Engine, source: HandMade) -> None:
    rows = Rows.all_of(replace(source.snapshot(AD_EVENTS, "acme", flushed=False)))
    with pytest.raises(ValueError, match="flushed"):
        spark_engine.query(Statement(tree("SELECT ad_group_id FROM r"), {"r": rows}))


def test_a_spark_server_that_is_not_there() -> None:
    engine = Spark("sc://127.0.0.1:1", seconds=1)
    with pytest.raises(Unavailable, match="AIRTALLY_ENGINE"):
        engine.query(Statement(tree("SELECT 1 AS one"), {}))
    engine.close()


def test_an_unknown_engine_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="AIRTALLY_ENGINE='chdb'"):
        open_engine("chdb", 1, 1, tmp_path)


def test_an_account_whose_questions_wait_keeps_none_of_another_waiting(tmp_path: Path, source: HandMade) -> None:
    """Its own wait for a turn, and are refused in words once their time is over."""
    engine = DuckDB(memory=256 << 20, seconds=0.5, temp_folder=tmp_path)
    others = [engine._slots.acquire("acme") for _ in range(engine._slots._each)]
    loud, quiet = (
        Statement(tree("SELECT count(*) AS n FROM r"), {"r": Rows.all_of(source.snapshot(AD_EVENTS, account))})
        for account in ("acme", "other")
    )
    try:
        assert engine.query(quiet).num_rows == 1
        with pytest.raises(LimitExceeded, match="AIRTALLY_QUERY_SECONDS"):
            engine.query(loud)
    finally:
        for _ in others:
            engine._slots.release("acme")
    assert engine.query(loud).num_rows == 1
    engine.close()
