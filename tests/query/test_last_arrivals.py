"""Last arrivals from memory: the same as the rows say, whatever became of their files."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from airtally.engine.child_process import InProcess
from airtally.engine.protocol import Engine
from airtally.kit import metrics
from airtally.kit.time import from_datetime
from airtally.query.arrival_reader import ArrivalReader
from airtally.query.last_arrivals import LastArrivals
from airtally.query.service import Queries
from airtally.sql.statement import Statement
from airtally.storage.lake import Lake
from airtally.storage.lake.removal import Remover
from airtally.storage.lake.removal_search import RemovalRule
from airtally.storage.store import EventStore
from airtally.streams import PLAYLOGS
from fixtures.storage import NOON_US, Storage, add_flushed, care, compact, storage, stored_rows

__all__ = ["storage"]
MEDIAS = range(9)
NUMBERS = itertools.count(1)


class AskedEngine:
    """A real engine that counts what it is asked, and what for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.files: list[int] = []

    def query(self, statement: Statement) -> pa.Table:
        self.files.append(
            sum(len(each.files) for each in statement.relations.values() if not isinstance(each, pa.Table))
        )
        return self._engine.query(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class NoSteps:
    """A removal's journal that is not needed afterwards."""

    app_id = "erasure-1"

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers

    def prepare(self, _: object) -> int:
        return next(self._numbers)

    def settle(self, _table: str, _committed: int) -> None:
        return


def naive(storage: Storage, account: str) -> dict[int, int]:
    last: dict[int, int] = {}
    for row in stored_rows(storage.snapshot(account)).to_pylist():
        at = from_datetime(row["received_at"])
        last[row["media_id"]] = max(at, last.get(row["media_id"], at))
    return last


def asked(queries: Queries, account: str = "acme") -> dict[int, int]:
    return queries.last_arrivals(PLAYLOGS, account, "media_id", MEDIAS)


def remove(storage: Storage, event_id: str) -> None:
    storage.event_store.flush()
    work = Remover(storage.table, InProcess(), scratch=storage.home / "tmp")
    rule = RemovalRule("acme", storage.clock.now_us(), (("id", (event_id,)),))
    for scope in work.scopes("acme"):
        work.remove(scope, rule, NoSteps(NUMBERS))  # type: ignore[arg-type]


def test_as_the_rows_say(duckdb_engine: Engine, storage: Storage, machine_zone: str) -> None:
    """Two processes ask, one keeps nothing; rows come late, twice and corrected, expire, are compacted and erased."""
    chance = random.Random(machine_zone)
    there = EventStore(
        Lake(str(storage.home / "lake"), clock=storage.clock),
        None,
        clock=storage.clock,
        buffers=storage.home / "buffer",
    )
    kept = Queries(duckdb_engine, storage.event_store, storage.clock)
    others = Queries(duckdb_engine, there, storage.clock), Queries(duckdb_engine, storage.event_store, in_memory=False)
    cares: list[Callable[[], object]] = [
        storage.event_store.flush,
        storage.event_store.flush,
        lambda: compact(storage),
        lambda: care(storage, days=chance.randrange(1, 4)).expire(storage.table),
        lambda: remove(storage, str(chance.randrange(6))),
    ]
    for _ in range(12):
        rows = [
            (chance.choice(MEDIAS), chance.choice([None, *map(str, range(6))]), chance.randrange(4))
            for _ in range(chance.randint(1, 4))
        ]
        storage.add(*rows, account=chance.choice(["acme", "acme", "rival"]))
        storage.clock.advance(chance.choice([0, 0.25, 60]))
        if chance.random() < 0.6:
            chance.choice(cares)()
        for account in ("acme", "rival", "nobody"):
            expected = naive(storage, account)
            assert asked(kept, account) == expected
            assert all(asked(each, account) == expected for each in others)
    there.close()


def test_only_new_files_are_read(duckdb_engine: Engine, storage: Storage) -> None:
    for number in range(3):
        add_flushed(storage, (number, f"{number}", number))
    engine = AskedEngine(duckdb_engine)
    queries = Queries(engine, storage.event_store, storage.clock)  # type: ignore[arg-type]
    for _ in range(2):
        assert len(asked(queries)) == 3
    assert engine.files == [3]
    add_flushed(storage, (7, "7", 0))
    storage.add((8, "8", 0))
    assert len(asked(queries)) == 5
    assert engine.files == [3, 1], "the new file alone; what is buffered is in memory"
    compact(storage)
    assert len(asked(queries)) == 5
    assert engine.files[2:] == [3], "the days' new files, which have all that the old ones had"


def test_a_value_whose_last_row_was_erased_is_sought_in_all_files(duckdb_engine: Engine, storage: Storage) -> None:
    add_flushed(storage, (1, "first", 1))
    add_flushed(storage, (1, "second", 0), (2, "other", 0))
    engine = AskedEngine(duckdb_engine)
    queries = Queries(engine, storage.event_store, storage.clock)  # type: ignore[arg-type]
    assert asked(queries)[1] == NOON_US + 1_000_000
    remove(storage, "second")
    assert asked(queries) == {1: NOON_US, 2: NOON_US + 1_000_000}
    assert engine.files == [2, 1, 1], "all; the file written anew; the one that stayed"


def counted(source: str) -> float:
    value: float = metrics.LOOKUPS.labels("last arrivals", source)._value.get()
    return value


def test_the_metrics_tell_where_an_answer_came_from(duckdb_engine: Engine, storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0))
    for queries, source in (
        (Queries(duckdb_engine, storage.event_store), "memory"),
        (Queries(duckdb_engine, storage.event_store, in_memory=False), "rows"),
    ):
        before = counted(source)
        assert asked(queries) == {1: NOON_US}
        assert counted(source) == before + 1


def test_more_values_than_are_kept(duckdb_engine: Engine, storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, "b", 0))
    arrivals = LastArrivals(ArrivalReader(duckdb_engine), max_values=1)
    assert arrivals.of(storage.snapshot(), "media_id", [1]) is None
    assert arrivals.of(storage.snapshot("rival"), "media_id", [1]) == {}


def test_entries_that_do_not_fit_are_made_each_time(duckdb_engine: Engine, storage: Storage, tmp_path: Path) -> None:
    add_flushed(storage, (1, "a", 0))
    engine = AskedEngine(duckdb_engine)
    arrivals = LastArrivals(ArrivalReader(engine), max_bytes=10)  # type: ignore[arg-type]
    for _ in range(2):
        assert arrivals.of(storage.snapshot(), "media_id", [1]) == {1: NOON_US}
    assert engine.files == [1, 1]
