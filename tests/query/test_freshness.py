"""How much is stored and when the last row came, against a count of the rows themselves, wherever they lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from airtally.engine.child_process import InProcess
from airtally.engine.protocol import Engine
from airtally.kit.clock import MovableClock
from airtally.kit.time import from_datetime
from airtally.query.freshness import StoredRows
from airtally.query.service import Queries
from airtally.sql.statement import Statement
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import PLAYLOGS
from fixtures.snapshots import HandMade
from fixtures.storage import NOON_US, Storage, add_flushed, stored_rows


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with ExitStack() as opened:
        yield Storage(tmp_path / "home", MovableClock(NOON_US), opened)


class CountingEngine:
    """A real engine that counts what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked = 0

    def query(self, statement: Statement) -> pa.Table:
        self.asked += 1
        return self._engine.query(statement)

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


def naive(storage: Storage, account: str) -> StoredRows:
    rows = stored_rows(storage.snapshot(account))
    received = [from_datetime(each) // 1000 * 1000 for each in rows["received_at"].to_pylist()]
    return StoredRows(rows.num_rows, max(received, default=None))


@pytest.mark.parametrize("seed", range(2))
def test_as_the_rows_say(duckdb_engine: Engine, storage: Storage, machine_zone: str, seed: int) -> None:
    chance = random.Random(f"{machine_zone} {seed}")
    queries = Queries(duckdb_engine, storage.event_store, storage.clock)
    for number in range(12):
        for account in chance.sample(["acme", "rival", "zeta"], chance.randint(1, 3)):
            rows = [(7, f"{number}-{each}", chance.randrange(3)) for each in range(chance.randint(1, 5))]
            storage.add(*rows, *rows[: chance.randrange(2)], account=account)
            storage.clock.advance(chance.random())
        if chance.random() < 0.6:
            storage.event_store.flush()
        if chance.random() < 0.3:
            Compactor(storage.table, InProcess()).run(EAGER)
        for account in ("acme", "rival", "nobody"):
            found = queries.freshness(PLAYLOGS, account)
            assert found.stored == naive(storage, account)
            assert found.data_through_us == storage.clock.now_us()


def test_files_of_one_account_are_not_read(duckdb_engine: Engine, storage: Storage) -> None:
    engine = CountingEngine(duckdb_engine)
    queries = Queries(engine, storage.event_store, storage.clock)  # type: ignore[arg-type]
    for number in range(3):
        add_flushed(storage, (1, f"{number}", 0))
    assert queries.freshness(PLAYLOGS, "acme").stored.rows == 3
    assert engine.asked == 0
    storage.add((1, "a", 0))
    add_flushed(storage, (1, "b", 0), account="rival")
    for _ in range(3):  # a file of two accounts is read once
        assert queries.freshness(PLAYLOGS, "acme").stored.rows == 4
    assert engine.asked == 1


def test_on_every_engine(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    play = {"player_id": 1, "media_id": 1, "played_at": NOON_US, "received_at": NOON_US}
    source.compacted([play, play | {"account": "rival", "received_at": NOON_US + 9_000}])
    source.uncompacted([play | {"received_at": NOON_US + 5_999}])
    source.buffered([play | {"account": "rival"}])
    queries = Queries(engine, source)
    assert queries.freshness(PLAYLOGS, "acme").stored == StoredRows(2, NOON_US + 5_000)
    assert queries.freshness(PLAYLOGS, "nobody").stored == StoredRows()
