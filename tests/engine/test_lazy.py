from __future__ import annotations

import threading
from pathlib import Path

from airtally.engine.duckdb import DuckDB
from airtally.engine.lazy import LazyEngine
from airtally.engine.protocol import Engine
from airtally.sql.statement import Statement
from fixtures.engines import tree


def test_an_engine_is_opened_once_at_the_first_question(tmp_path: Path) -> None:
    opened: list[Engine] = []

    def open_slowly() -> Engine:
        opened.append(DuckDB(memory=64 << 20, seconds=10, temp_folder=tmp_path))
        return opened[-1]

    lazy, answers = LazyEngine(open_slowly), []
    assert opened == []

    def ask() -> None:
        answers.extend(lazy.query(Statement(tree("SELECT 1 AS one"), {}))["one"].to_pylist())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (answers, len(opened)) == ([1] * 8, 1)
    assert lazy.capabilities is opened[0].capabilities
    lazy.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_one_that_nobody_asked_is_closed_without_being_opened() -> None:
    def never() -> Engine:
        raise AssertionError

    LazyEngine(never).close()
