"""Which rows are in a publication: offsets decide, consumed files only spare reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airtally.datasets.window import publication_window, render_offsets, render_rows
from airtally.engine.protocol import Engine
from airtally.streams import SUBSCRIPTIONS
from fixtures.snapshots import HandMade


def windows(source: HandMade, offsets: dict[str, int], consumed_files: frozenset[str] = frozenset()) -> Any:
    return publication_window(source.snapshot(SUBSCRIPTIONS, "acme"), "abc123", offsets, consumed_files)


def test_a_consumed_file_is_not_read(tmp_path: Path) -> None:
    source = HandMade(tmp_path, SUBSCRIPTIONS)
    source.uncompacted([event("a")])
    source.uncompacted([event("b")])
    first, second = source.snapshot(SUBSCRIPTIONS, "acme").uncompacted
    left = windows(source, {}, frozenset({Path(first.path).name}))
    assert left.files == (second,)
    assert left.rows == 1


def test_rows_above_their_writers_offset_are_in(duckdb_engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, SUBSCRIPTIONS)
    source.uncompacted([event("a"), event("b"), event("c")])
    source.uncompacted([event("elsewhere", business_id="other")])
    everything = windows(source, {})
    found = duckdb_engine.query(render_offsets(everything)).to_pylist()
    assert len(found) == 1, "one writer"
    writer, through = found[0].values()
    assert sorted(duckdb_engine.query(render_rows(everything))["subscription_event_id"].to_pylist()) == ["a", "b", "c"]
    before_last = windows(source, {writer: through - 1})
    assert duckdb_engine.query(render_rows(before_last))["subscription_event_id"].to_pylist() == ["c"]
    assert duckdb_engine.query(render_rows(windows(source, {writer: through}))).num_rows == 0
    assert duckdb_engine.query(render_rows(windows(source, {"another": through}))).num_rows == 3


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"business_id": "abc123", "subscription_event_id": name, "is_deleted": 0} | more
