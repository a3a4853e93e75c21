"""Large loads of a changelog: making versions all at once gives the same as the rules, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account
from airtally.engine.child_process import InProcess
from airtally.engine.duckdb import DuckDB
from airtally.engine.protocol import FilesMissing
from airtally.ingest.at_once import AtOnce
from airtally.ingest.known import HashedRows, KnownRows, KnownVersions
from airtally.ingest.versions import ChangelogVersions
from airtally.kit import metrics
from airtally.kit.clock import MovableClock
from airtally.kit.time import from_datetime
from airtally.query import changelog
from airtally.query.service import Queries
from airtally.sql.statement import Relation
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import DEVICE_TAGS, PLAYERS
from airtally.streams.declaration import Stream
from fixtures.naive_fold import NaiveFold
from fixtures.storage import NOON_US, Storage, storage

__all__ = ["storage"]

ACME, RIVAL = Account(1, "acme", "Acme"), Account(2, "rival", "Rival")
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
ENOUGH = 1 << 20
#: What becomes of the buffered rows after a batch.
AFTER = st.sampled_from(["stay", "flush", "compact", "die"])


def rows_of(**key: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    times = st.integers(-4, 12).map(lambda n: NOON + n * MS)
    columns = {
        "last_update_time_utc": times | times | st.none(),
        "create_time_utc": st.sampled_from([None, NOON - timedelta(days=1), NOON - timedelta(days=2)]),
        "is_deleted": st.sampled_from([0] * 7 + [1]),
    }
    return st.lists(st.fixed_dictionaries({**key, **columns}), min_size=1, max_size=10)


PLAYER_ROWS = rows_of(player_id=st.integers(1, 6), name=st.sampled_from(["A", "B", None]))
TAG_ROWS = rows_of(
    application=st.sampled_from([None, "app", "APP"]),
    hwid=st.just("h"),
    tag=st.sampled_from(["", "t"]),
    value=st.none(),
)


class Colliding(KnownVersions):
    """With hashes of two bits, so that most are equal by chance."""

    def _hashed(self, stream: Stream, relation: Relation) -> HashedRows:
        found = super()._hashed(stream, relation)
        return HashedRows(found.keys & np.uint64(3), found.versions & np.uint64(3))


class WithoutVersions(KnownVersions):
    """As where memory suffices for keys alone."""

    def look_up(self, stream: Stream, account: str, rows: pa.Table) -> KnownRows | None:
        found = super().look_up(stream, account, rows)
        return None if found is None else replace(found, stored_versions=None)


MADE = {"none": KnownVersions, "keys": WithoutVersions, "versions": KnownVersions, "colliding": Colliding}


class Keeper:
    """A store of versions, made with an index of some kind; `none`: each row is compared with stored ones."""

    def __init__(self, storage: Storage, engine: DuckDB, kind: str, memory: int = ENOUGH) -> None:
        self.storage, self.engine, self.kind, self.memory = storage, engine, kind, 0 if kind == "none" else memory
        self.restart()

    def restart(self) -> None:
        """As in a new process: nothing is in memory."""
        queries = Queries(self.engine, self.storage.event_store)
        known = MADE[self.kind](self.engine, self.storage.event_store, self.memory)
        self.versions = ChangelogVersions(
            lambda stream, account, keys: queries.versions(changelog.VersionsQuery(stream, account, keys)),
            AtOnce(known.look_up, queries.first_created),
            many_rows=1,
        )

    def keep(self, stream: Stream, account: Account, rows: pa.Table, at: datetime, after: str) -> list[dict[str, Any]]:
        with self.versions.resolved(stream, account, rows, from_datetime(at)) as new:
            if new.num_rows:
                self.storage.buffer.append(stream, account.slug, new).result(10)
        if after in {"flush", "compact"}:
            self.storage.event_store.flush()
        if after == "compact":
            Compactor(self.storage.lake.table(stream), InProcess()).run(EAGER)
        if after == "die":
            self.storage.abandon()
            self.storage = self.storage.again()
            self.restart()
        assert new.schema == stream.row_schema
        kept: list[dict[str, Any]] = new.to_pylist()
        return kept


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDB]:
    made = DuckDB(memory=256 << 20, seconds=30, temp_folder=tmp_path_factory.mktemp("temp"), threads=1)
    yield made
    made.close()


def batches_of(rows: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[list[Any]]:
    """Account, rows, which of two processes takes them, and what comes after."""
    batch = st.tuples(st.sampled_from([ACME, ACME, RIVAL]), rows, st.sampled_from([0, 0, 1]), AFTER)
    return st.lists(batch, min_size=1, max_size=6)


BATCHES, TAG_BATCHES = batches_of(PLAYER_ROWS), batches_of(TAG_ROWS)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [*((PLAYERS, kind) for kind in MADE), (DEVICE_TAGS, "versions")],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_versions_are_those_of_the_rules(
    engine: DuckDB, tmp_path_factory: pytest.TempPathFactory, stream: Stream, kind: str
) -> None:
    @given(batches=BATCHES if stream is PLAYERS else TAG_BATCHES)
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    def check(batches: list[tuple[Account, list[dict[str, Any]], int, str]]) -> None:
        with ExitStack() as opened:
            first = Storage(tmp_path_factory.mktemp(kind), MovableClock(NOON_US), opened)
            keepers = [Keeper(each, engine, kind) for each in (first, first.again())]
            naive = NaiveFold(stream.key)
            for number, (account, rows, process, after) in enumerate(batches):
                at = NOON + number * 3 * MS
                table = pa.Table.from_pylist(rows, schema=stream.row_schema)
                expected = naive.send(account.slug, table.to_pylist(), at)
                assert keepers[process].keep(stream, account, table, at, after) == expected

    check()


def players(*rows: tuple[int, str | None, int | None, int | None], deleted: int = 0) -> pa.Table:
    """Rows of (player, name, milliseconds after noon of its version, and of its creation)."""
    at = [None if row[2] is None else NOON + row[2] * MS for row in rows]
    created = [None if row[3] is None else NOON + row[3] * MS for row in rows]
    columns = {
        "player_id": [row[0] for row in rows],
        "name": [row[1] for row in rows],
        "last_update_time_utc": pa.array(at, pa.timestamp("us", "UTC")),
        "create_time_utc": pa.array(created, pa.timestamp("us", "UTC")),
        "is_deleted": [deleted] * len(rows),
    }
    names = PLAYERS.row_schema.names
    whole = {name: columns.get(name, [None] * len(rows)) for name in names}
    return pa.table(whole, schema=PLAYERS.row_schema)


class Counted:
    """How many rows of players were folded, and how many not, since this was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        counters = metrics.VERSIONS_AT_ONCE, metrics.VERSIONS_FOLDED
        at_once, folded = (counter.labels("players")._value.get() for counter in counters)
        return at_once, folded

    @property
    def since(self) -> tuple[float, float]:
        at_once, folded = self._now()
        return at_once - self._before[0], folded - self._before[1]


KNOWN = players((1, "A", 0, 0), (2, "A", 0, 0), (3, "A", 0, 0))


@pytest.mark.parametrize(
    ("rows", "at_once", "folded"),
    [
        pytest.param(players((1, "B", 1, 0), (2, "B", -5, 0), (9, "B", 1, 0)), 3, 0, id="new-late-and-of-a-new-key"),
        pytest.param(players((1, "B", 1, 0), (1, "C", 2, 0), (2, "B", 1, 0)), 3, 0, id="several-of-one-key"),
        pytest.param(players((1, "B", None, None), (2, "B", 1, None)), 2, 0, id="without-times"),
        pytest.param(players((1, "B", 0, 0), (2, "B", 1, 0)), 1, 1, id="a-stored-version"),
        pytest.param(players((1, "B", 1, 0), (1, "B", 1, 0), (2, "B", 1, 0)), 1, 2, id="repeated"),
        pytest.param(players((1, "B", 1, 0), (1, "C", 0, 0), (1, "D", 2, 0)), 0, 3, id="beside-a-stored-version"),
        pytest.param(
            players((1, "B", 1, None), (1, "C", 2, 0), (2, "B", 1, None)), 1, 2, id="created-by-an-earlier-row"
        ),
        pytest.param(players((1, None, 1, 0), (9, None, 1, 0), deleted=1), 1, 1, id="deletions"),
    ],
)
@pytest.mark.parametrize("stored", ["buffered", "flushed"])
def test_which_rows_are_folded(
    engine: DuckDB, storage: Storage, rows: pa.Table, at_once: int, folded: int, stored: str
) -> None:
    keeper = Keeper(storage, engine, "versions")
    keeper.keep(PLAYERS, ACME, KNOWN, NOON, "stay" if stored == "buffered" else "flush")
    counted = Counted()
    naive = NaiveFold(PLAYERS.key)
    naive.send("acme", KNOWN.to_pylist(), NOON)
    at = NOON + 60_000 * MS
    assert keeper.keep(PLAYERS, ACME, rows, at, "stay") == naive.send("acme", rows.to_pylist(), at)
    assert counted.since == (at_once, folded)


def test_without_memory_for_versions_only_new_keys_are_quick(engine: DuckDB, storage: Storage) -> None:
    keeper = Keeper(storage, engine, "versions", memory=2_500)
    keeper.keep(PLAYERS, ACME, players(*((n, "A", 0, 0) for n in range(100))), NOON, "flush")
    counted = Counted()
    keeper.keep(PLAYERS, ACME, players((1, "B", 1, 0), (200, "B", 1, 0)), NOON, "stay")
    assert counted.since == (1, 1)
    assert 800 < metrics.VERSION_INDEX_BYTES._value.get() <= 2_500
    keeper.keep(PLAYERS, ACME, players(*((n, "A", 5, 0) for n in range(1000))), NOON, "flush")
    counted = Counted()
    keeper.keep(PLAYERS, ACME, players((1, "B", 2, 0), (5000, "B", 1, 0)), NOON, "stay")
    assert counted.since == (0, 2), "nothing fits any more"


def test_indexes_of_several_accounts_share_the_memory(engine: DuckDB, storage: Storage) -> None:
    known = KnownVersions(engine, storage.event_store, 30_000)
    asked = players((1, "B", 1, 0), (5000, "B", 1, 0))
    slugs = [f"account-{number}" for number in range(5)]
    for slug in slugs:
        storage.buffer.append(PLAYERS, slug, players(*((n, "A", 0, 0) for n in range(1000)))).result(10)
    storage.event_store.flush()
    for slug in slugs * 2:
        found = known.look_up(PLAYERS, slug, asked)
        assert found is not None
        assert found.known_keys.tolist() == [True, False]
        assert found.stored_versions is not None
        assert 16_000 < metrics.VERSION_INDEX_BYTES._value.get() <= 30_000


def test_rows_of_other_processes_are_known(engine: DuckDB, storage: Storage) -> None:
    known = KnownVersions(engine, storage.event_store, ENOUGH)

    def asked(*rows: tuple[int, int]) -> list[tuple[bool, bool]]:
        found = known.look_up(PLAYERS, "acme", players(*((player, "A", at, 0) for player, at in rows)))
        assert found is not None
        assert found.stored_versions is not None
        return list(zip(found.known_keys.tolist(), found.stored_versions.tolist(), strict=True))

    assert asked((1, 0), (2, 0)) == [(False, False)] * 2
    other = storage.again()
    other.buffer.append(PLAYERS, "acme", players((2, "A", 0, 0))).result(10)
    other.buffer.append(PLAYERS, "rival", players((1, "A", 0, 0))).result(10)
    for _ in range(2):
        assert asked((1, 0), (2, 0), (2, 1)) == [(False, False), (True, True), (True, False)]
        other.event_store.flush()


def test_rows_that_are_buffered_later_are_hashed_too(engine: DuckDB, storage: Storage) -> None:
    """Their tables grow and are joined between the batches, and a flush cuts them."""
    known = KnownVersions(engine, storage.event_store, ENOUGH)
    for number in range(1, 8):
        asked = players(*((n, "A", 0, 0) for n in range(1, 9)))
        found = known.look_up(PLAYERS, "acme", asked)
        assert found is not None
        assert found.stored_versions is not None
        assert found.known_keys.tolist() == found.stored_versions.tolist() == [n < number for n in range(1, 9)]
        storage.buffer.append(PLAYERS, "acme", players((number, "A", 0, 0))).result(10)
        storage.buffer.append(PLAYERS, "rival", players((8, "A", 0, 0))).result(10)
        if number == 4:
            storage.event_store.flush()


def test_hashes_of_removed_rows_only_cost_time(engine: DuckDB, storage: Storage) -> None:
    """As after an erasure: the files are others, the index still has what was in them."""
    keeper = Keeper(storage, engine, "versions")
    keeper.keep(PLAYERS, ACME, KNOWN, NOON, "flush")
    keeper.keep(PLAYERS, ACME, players((1, "B", 1, 0)), NOON, "flush")
    table = storage.lake.table(PLAYERS)
    table.open().delete("player_id < 3")
    counted = Counted()
    rows = players((1, "C", 1, None), (2, "C", 0, None), (3, "C", 1, None))
    new = keeper.keep(PLAYERS, ACME, rows, NOON, "stay")
    assert [row["create_time_utc"] for row in new] == [NOON + MS, NOON, NOON]
    assert [row["last_update_time_utc"] for row in new] == [NOON + MS, NOON, NOON + MS]
    assert counted.since == (2, 1)


def test_files_that_go_meanwhile_are_looked_for_again(engine: DuckDB, storage: Storage) -> None:
    storage.buffer.append(PLAYERS, "acme", KNOWN).result(10)
    storage.event_store.flush()
    snapshots = [storage.event_store.snapshot(PLAYERS, "acme")]
    Compactor(storage.lake.table(PLAYERS), InProcess()).run(EAGER)
    Path(snapshots[0].uncompacted[0].path).unlink()

    class Late:
        """Gives an old snapshot first."""

        def snapshot(self, stream: Stream, account: str, **bounds: Any) -> Any:
            return snapshots.pop() if snapshots else storage.event_store.snapshot(stream, account, **bounds)

    found = KnownVersions(engine, Late(), ENOUGH).look_up(PLAYERS, "acme", players((1, "A", 0, 0), (9, "A", 0, 0)))
    assert found is not None
    assert found.known_keys.tolist() == [True, False]
    Path(storage.event_store.snapshot(PLAYERS, "acme").compacted[0].path).unlink()
    with pytest.raises(FilesMissing):
        KnownVersions(engine, storage.event_store, ENOUGH).look_up(PLAYERS, "acme", KNOWN)
