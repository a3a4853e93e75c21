"""Questions answered on a snapshot: how current, how often asked, and what is kept of the answer."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine, FilesMissing
from airtally.kit.clock import MovableClock
from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, day_start_us
from airtally.query.question import Dimension, Metric, Question
from airtally.query.service import Queries
from airtally.streams import AD_EVENTS
from airtally.streams.playlogs import PLAYLOGS
from fixtures.snapshots import HandMade
from fixtures.storage import NOON_US, Storage, storage

__all__ = ["storage"]

START = day_start_us(date(2026, 10, 1))
EVENTS = [{"ad_group_id": f"g{n}", "kind": "install", "time": START + n * DAY_US} for n in range(4)]


@pytest.fixture
def ads(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, AD_EVENTS)
    source.compacted(EVENTS[:2])
    source.uncompacted(EVENTS[2:3])
    source.buffered([EVENTS[3], EVENTS[0] | {"account": "other"}])
    return source


def question(**more: Any) -> Question:
    return Question(AD_EVENTS, "acme", (Metric("rows"),), **more)


def test_an_answer_says_how_current_it_is(duckdb_engine: Engine, ads: HandMade) -> None:
    answer = Queries(duckdb_engine, ads, MovableClock(42)).answer(question())
    assert answer.table.to_pylist() == [{"rows": 4}]
    assert (answer.data_through_us, answer.generated_at_us, answer.timezone) == (17, 42, "UTC")


def test_an_answer_with_too_many_rows_is_refused(duckdb_engine: Engine, ads: HandMade) -> None:
    queries, groups = Queries(duckdb_engine, ads), (Dimension("ad_group_id"),)
    assert queries.answer(question(dimensions=groups, most_rows=4)).table.num_rows == 4
    with pytest.raises(LimitExceeded, match="more than 3 rows"):
        queries.answer(question(dimensions=groups, most_rows=3))


def test_a_snapshot_has_whole_days(duckdb_engine: Engine, ads: HandMade) -> None:
    """An event counts as last received, on its day: a correction may have moved it within that."""
    queries = Queries(duckdb_engine, ads)
    queries.snapshot(AD_EVENTS, "acme", start_us=START + 5, end_us=START + DAY_US + 5)
    assert ads.asked[-1] == {"start_us": START, "end_us": START + 2 * DAY_US, "flushed": False}
    queries.snapshot(AD_EVENTS, "acme", flushed=True)
    assert ads.asked[-1] == {"start_us": None, "end_us": None, "flushed": True}


def test_an_engine_without_buffered_rows_gets_them_flushed(spark_engine: Engine, ads: HandMade) -> None:
    Queries(spark_engine, ads).answer(question())
    assert ads.asked[-1]["flushed"]


class Vacuumed(HandMade):
    """A file of the first `times` snapshots is removed under them."""

    times = 0

    def snapshot(self, *args: Any, **kwargs: Any) -> Any:
        view = super().snapshot(*args, **kwargs)
        if len(self.asked) <= self.times:
            Path(view.compacted[0].path).unlink()
            self._compacted.clear()
            self.compacted(EVENTS[:2])
        return view


@pytest.mark.parametrize(("times", "told"), [(0, 0), (1, 0), (2, 1)])
def test_a_file_gone_is_asked_once_more_on_a_new_view_and_then_told(
    duckdb_engine: Engine, tmp_path: Path, times: int, told: int
) -> None:
    source, missing = Vacuumed(tmp_path, AD_EVENTS), list[FilesMissing]()
    source.compacted(EVENTS[:2])
    source.times = times
    queries = Queries(duckdb_engine, source, on_missing=missing.append)
    if told:
        with pytest.raises(FilesMissing):
            queries.answer(question())
    else:
        assert queries.answer(question()).table.to_pylist() == [{"rows": 2}]
    assert len(missing) == told


def write(table: Any) -> list[bytes]:
    write.calls += 1
    return [b"rows ", str(table["rows"][0].as_py()).encode()]


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    write.calls = 0


@pytest.mark.parametrize(("room", "writes"), [(0, 2), (1000, 1)], ids=["no cache", "cache"])
def test_a_written_answer_is_kept_until_a_row_comes_in(
    duckdb_engine: Engine, storage: Storage, room: int, writes: int
) -> None:
    queries = Queries(duckdb_engine, storage.event_store, storage.clock, answer_cache=room)
    asked = Question(PLAYLOGS, "acme", (Metric("rows"),))
    storage.add((1, None, 0))
    first = queries.written(asked, "text", write)
    storage.clock.advance(5)
    second = queries.written(asked, "text", write)
    assert (first.body, second.body, write.calls) == (b"rows 1", b"rows 1", writes)
    assert second.generated_at_us == NOON_US + 5_000_000
    assert second.data_through_us > first.data_through_us, "no row came in until then"
    storage.add((2, None, 0))
    assert queries.written(asked, "text", write).body == b"rows 2"
    assert queries.written(asked, "other form", write).body == b"rows 2"
    assert write.calls == writes + 2
