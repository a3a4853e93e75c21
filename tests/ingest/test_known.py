"""Large loads of a changelog: resolving new keys at once gives the same as resolving row by row."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account
from airtally.engine.child_process import InProcess
from airtally.engine.duckdb import DuckDB
from airtally.ingest.known import KnownKeys, _Index
from airtally.ingest.versions import ChangelogVersions
from airtally.kit.clock import MovableClock
from airtally.kit.time import from_datetime
from airtally.query import changelog
from airtally.query.service import Queries
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import PLAYERS
from fixtures.storage import NOON_US, Storage, storage

__all__ = ["storage"]

ACME, RIVAL = Account(1, "acme", "Acme"), Account(2, "rival", "Rival")
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "player_id": st.integers(1, 8),
            "name": st.sampled_from(["A", "B", None]),
            "last_update_time_utc": st.sampled_from([None, NOON, NOON + timedelta(milliseconds=1)]),
            "create_time_utc": st.sampled_from([None, NOON - timedelta(days=1)]),
            "is_deleted": st.sampled_from([0, 0, 0, 1]),
        }
    ),
    min_size=1,
    max_size=10,
)
#: What becomes of the buffered rows after a batch.
AFTER = st.sampled_from(["stay", "flush", "compact"])


class Keeper:
    """A store of versions, resolved with or without known keys."""

    def __init__(self, storage: Storage, engine: DuckDB, *, quick: bool) -> None:
        self.storage = storage
        queries = Queries(engine, storage.event_store)
        known = KnownKeys(engine, storage.event_store).may_be_known if quick else None
        self.versions = ChangelogVersions(
            lambda stream, account, keys: queries.versions(changelog.VersionsQuery(stream, account, keys)),
            known,
            many_rows=1,
        )

    def keep(self, account: Account, rows: list[dict[str, Any]], at: datetime, after: str) -> list[dict[str, Any]]:
        table = pa.Table.from_pylist(rows, schema=PLAYERS.row_schema)
        with self.versions.resolved(PLAYERS, account, table, from_datetime(at)) as new:
            if new.num_rows:
                self.storage.buffer.append(PLAYERS, account.slug, new).result(10)
        if after != "stay":
            self.storage.event_store.flush()
        if after == "compact":
            Compactor(self.storage.lake.table(PLAYERS), InProcess()).run(EAGER)
        assert new.schema == PLAYERS.row_schema
        kept: list[dict[str, Any]] = new.to_pylist()
        return kept


@given(batches=st.lists(st.tuples(st.sampled_from([ACME, ACME, RIVAL]), ROWS, AFTER), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_quick_way_is_the_careful_one(batches: list[tuple[Account, list[dict[str, Any]], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        engine = DuckDB(memory=256 << 20, seconds=30, temp_folder=Path(folder) / "temp", threads=1)
        opened.callback(engine.close)
        clock = MovableClock(NOON_US)
        careful, quick = (
            Keeper(Storage(Path(folder) / name, clock, opened), engine, quick=name == "quick")
            for name in ("careful", "quick")
        )
        for number, (account, rows, after) in enumerate(batches):
            at = NOON + timedelta(seconds=number)
            assert quick.keep(account, rows, at, after) == careful.keep(account, rows, at, after)


def test_rows_of_other_processes_are_known(storage: Storage, tmp_path: Path) -> None:
    engine = DuckDB(memory=256 << 20, seconds=30, temp_folder=tmp_path / "temp", threads=1)
    known = KnownKeys(engine, storage.event_store)

    def asked(*ids: int) -> list[bool]:
        rows = pa.Table.from_pylist([{"player_id": each} for each in ids], schema=PLAYERS.row_schema)
        mask = known.may_be_known(PLAYERS, "acme", rows)
        assert mask is not None
        return list(mask)

    assert asked(1, 2, 3) == [False, False, False]
    assert asked(1, 2, 1) == [True, False, True]
    row = {"name": "A", "create_time_utc": NOON, "last_update_time_utc": NOON, "is_deleted": 0}
    other = storage.again()
    other.buffer.append(PLAYERS, "acme", pa.Table.from_pylist([{"player_id": 2, **row}], PLAYERS.row_schema)).result(10)
    assert asked(1, 2, 3) == [False, True, False]
    other.event_store.flush()
    assert asked(1, 2, 3) == [False, True, False]
    engine.close()


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_runs_are_few_and_hold_all(size: int) -> None:
    import numpy as np

    chance, index = np.random.default_rng(3), _Index()
    batches = [chance.integers(0, 1 << 63, size, dtype=np.uint64) for _ in range(40)]
    for batch in batches:
        index.add(batch)
    assert len(index.runs) <= 12
    assert all(index.holds(batch).all() for batch in batches)
    assert not index.holds(chance.integers(1 << 63, 1 << 64, 100, dtype=np.uint64)).any()
