"""The engine of the child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlglot import parse_one

from airtally.engine.child import MOST_MEMORY, HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.sql.statement import Statement


@pytest.fixture
def options(tmp_path: Path):
    engine_in_child.cache_clear()
    yield HeavyOptions(memory=256 << 20, temp_folder=tmp_path / "heavy")
    engine_in_child.cache_clear()


def setting(engine: Engine, name: str) -> str:
    tree = parse_one(f"SELECT current_setting('{name}') AS value", read="duckdb")
    return str(engine.query(Statement(tree, {})).column("value")[0].as_py())  # type: ignore[arg-type]


def test_calls_with_the_same_options_share_an_engine(options: HeavyOptions) -> None:
    engine = engine_in_child(options)
    assert engine_in_child(replace(options)) is engine
    engine.close()


def test_it_has_one_thread_and_no_more_memory_than_sorting_a_day_needs(options: HeavyOptions) -> None:
    engine = engine_in_child(replace(options, memory=64 << 30))
    try:
        assert setting(engine, "threads") == "1"
        assert setting(engine, "memory_limit") == f"{MOST_MEMORY / (1 << 20):.1f} MiB"
    finally:
        engine.close()
