"""Records kept in memory: the same as asked anew, whenever a row came in and wherever it lies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airtally.engine.child_process import InProcess
from airtally.engine.protocol import Engine
from airtally.kit.clock import MovableClock
from airtally.kit.time import to_datetime
from airtally.query.changelog import Records
from airtally.query.records import KnownRecords, RecordsCache
from airtally.query.service import Queries
from airtally.query.version_reader import VersionReader
from airtally.sql.filters import Equals
from airtally.sql.statement import Statement
from airtally.storage.buffer import Buffer
from airtally.storage.lake import Lake
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.storage.store import EventStore
from airtally.streams import AD_GROUPS, DEVICE_TAGS, PLAYERS
from airtally.streams.declaration import Stream
from fixtures.storage import NOON_US, Storage


class Counted:
    """A real engine that counts what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked = 0

    def query(self, statement: Statement) -> pa.Table:
        self.asked += 1
        return self._engine.query(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class Groups:
    """Ad groups on their way from the buffer into the lake, and two processes that ask."""

    def __init__(self, home: Path, engine: Engine, opened: ExitStack) -> None:
        self.clock = MovableClock(NOON_US)
        self.buffer = Buffer.open(home / "buffer", clock=self.clock)
        opened.callback(self.buffer.close)
        self.lake = Lake(str(home / "lake"), clock=self.clock)
        self.event_store = EventStore(self.lake, self.buffer, clock=self.clock)
        reader = EventStore(Lake(str(home / "lake"), clock=self.clock), None, clock=self.clock, buffers=home / "buffer")
        opened.callback(reader.close)
        opened.callback(self.event_store.close)
        self.engine = Counted(engine)
        self.here = Queries(self.engine, self.event_store, self.clock)
        self.there = Queries(engine, reader, self.clock)
        self.asking = Queries(engine, self.event_store, self.clock, in_memory=False)
        self._version = 0

    def put(self, name: str, group: str = "A1", account: str = "acme", **more: Any) -> None:
        self._version += 1
        at = to_datetime(NOON_US + 1000 * self._version)
        row = {"ad_group_id": group, "name": name, "platform": "iOS", "is_deleted": 0, **more}
        row |= {"create_time_utc": at, "last_update_time_utc": at}
        self.buffer.append(AD_GROUPS, account, pa.Table.from_pylist([row], AD_GROUPS.row_schema)).result(10)

    def compact(self) -> None:
        Compactor(self.lake.table(AD_GROUPS), InProcess()).run(EAGER)

    def names(self, account: str = "acme") -> dict[str, str]:
        """Asked of both processes, and compared with the records as they are computed."""
        expected = self.asking.records(Records(AD_GROUPS, account)).table
        for queries in (self.here, self.there):
            assert queries.known(AD_GROUPS, account).table == expected
            assert queries.records(Records(AD_GROUPS, account)).table == expected
        known = self.here.known(AD_GROUPS, account)
        return {key: known[key]["name"] for key in known}


@pytest.fixture
def groups(tmp_path: Path, duckdb_engine: Engine) -> Iterator[Groups]:
    with ExitStack() as opened:
        yield Groups(tmp_path, duckdb_engine, opened)


def test_each_acknowledged_row_is_seen_at_once(groups: Groups) -> None:
    assert groups.names() == {}
    groups.put("first")
    assert groups.names() == {"a1": "first"}
    groups.put("second")
    assert groups.names() == {"a1": "second"}
    groups.event_store.flush()
    assert groups.names() == {"a1": "second"}
    groups.put("third", "a1")
    groups.put("other", "B1")
    assert groups.names() == {"a1": "third", "b1": "other"}
    groups.event_store.flush()
    groups.compact()
    assert groups.names() == {"a1": "third", "b1": "other"}
    groups.put("third", is_deleted=1)
    assert groups.names() == {"b1": "other"}


def test_nothing_is_computed_while_nothing_changes(groups: Groups) -> None:
    groups.put("first")
    groups.event_store.flush()
    groups.put("second")
    known = groups.here.known(AD_GROUPS, "acme")
    for _ in range(3):
        assert groups.here.known(AD_GROUPS, "acme") is known
    assert groups.engine.asked == 1, "the file, once; what is buffered is in memory"
    groups.put("third")
    groups.event_store.flush()
    assert groups.here.known(AD_GROUPS, "acme")["a1"]["name"] == "third"
    assert groups.engine.asked == 2, "the new file alone"


def test_an_account_sees_its_own(groups: Groups) -> None:
    groups.put("ours")
    groups.put("theirs", account="rival")
    assert groups.names() == {"a1": "ours"}
    assert groups.names("rival") == {"a1": "theirs"}


def test_of_many_at_once_one_computes(groups: Groups) -> None:
    groups.put("first")
    groups.event_store.flush()
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: groups.here.known(AD_GROUPS, "acme"), range(64)))
    assert len({id(each) for each in found}) == 1
    assert groups.engine.asked == 1


def test_the_least_recently_asked_goes_first(groups: Groups) -> None:
    accounts = ("one", "two", "three")
    for account in accounts:
        groups.put("g", account=account)
    groups.event_store.flush()
    cache = RecordsCache(VersionReader(groups.engine), max_records=2)  # type: ignore[arg-type]
    asked = []
    for account in ("one", "two", "one", "three", "one", "two"):
        before = groups.engine.asked
        assert len(cache.get(groups.event_store.snapshot(AD_GROUPS, account))) == 1
        if groups.engine.asked > before:
            asked.append(account)
    assert asked == ["one", "two", "three", "two"]


def test_more_records_than_are_kept(groups: Groups) -> None:
    for number in range(3):
        groups.put("g", f"g{number}")
    groups.event_store.flush()
    cache = RecordsCache(VersionReader(groups.engine), max_records=2)  # type: ignore[arg-type]
    snapshot = groups.event_store.snapshot(AD_GROUPS, "acme")
    assert cache.few(snapshot) is None
    assert cache.few(snapshot) is None
    assert groups.engine.asked == 1, "it is not tried again for a while"
    assert len(cache.get(snapshot)) == 3


@pytest.mark.parametrize("stream", [PLAYERS, DEVICE_TAGS, AD_GROUPS], ids=lambda stream: stream.name)
def test_as_asked_anew(duckdb_engine: Engine, tmp_path: Path, stream: Stream, machine_zone: str) -> None:
    """Versions in any order, of one time, deleted, of keys in any case and with nulls, of two accounts."""
    chance = random.Random(f"{machine_zone} {stream.name}")
    with ExitStack() as opened:
        storage = Storage(tmp_path, MovableClock(NOON_US), opened)
        kept = Queries(duckdb_engine, storage.event_store, storage.clock)
        asking = Queries(duckdb_engine, storage.event_store, storage.clock, in_memory=False)
        for _ in range(8):
            rows = [some_version(chance, stream) for _ in range(chance.randint(1, 5))]
            table = pa.Table.from_pylist(rows, stream.row_schema)
            storage.buffer.append(stream, chance.choice(["acme", "acme", "rival"]), table).result(10)
            storage.clock.advance(chance.choice([0, 1]))
            if chance.random() < 0.4:
                storage.event_store.flush()
            if chance.random() < 0.2:
                Compactor(storage.lake.table(stream), InProcess()).run(EAGER)
            page = {"limit": chance.randint(1, 4), "offset": chance.randrange(4)}
            for account in ("acme", "rival"):
                assert kept.known(stream, account).table == asking.current(stream, account).table
                found, expected = (each.current(stream, account, **page) for each in (kept, asking))
                assert (found.table, found.total) == (expected.table, expected.total)


def some_version(chance: random.Random, stream: Stream) -> dict[str, Any]:
    at = to_datetime(NOON_US + 1000 * chance.randrange(4))
    row: dict[str, Any] = {"name": str(chance.random()), "create_time_utc": at, "last_update_time_utc": at}
    row |= {"is_deleted": int(chance.random() < 0.2), "platform": "iOS"}
    keys: dict[str, dict[str, Any]] = {
        "players": {"player_id": chance.randrange(6)},
        "ad_groups": {"ad_group_id": chance.choice(["Aa", "aA", "b", "B", "C", "ä", "Ä"])},
        "device_tags": {
            "application": chance.choice(["A", None]),
            "hwid": chance.choice("xy"),
            "tag": chance.choice("tT"),
        },
    }
    return row | {"value": str(chance.random())} | keys[stream.name]


def test_one_record_by_its_number(groups: Groups) -> None:
    groups.buffer.append(
        PLAYERS,
        "acme",
        pa.Table.from_pylist(
            [
                {"player_id": each, "name": "p", "is_deleted": 0, "create_time_utc": at, "last_update_time_utc": at}
                for each in (3, 1, 2)
                for at in [to_datetime(NOON_US)]
            ],
            PLAYERS.row_schema,
        ),
    ).result(10)
    for number, expected in ((1, [1]), (7, [])):
        page = groups.here.current(PLAYERS, "acme", where=Equals("player_id", number), limit=1)
        assert page.table.column("player_id").to_pylist() == expected
        assert page.total == len(expected)
    assert groups.engine.asked == 0


def test_keys_of_several_columns_and_of_any_case() -> None:
    tags = pa.Table.from_pylist(
        [{"application": None, "hwid": "h", "tag": "Age", "value": "7"}], DEVICE_TAGS.row_schema
    )
    known = KnownRecords(DEVICE_TAGS, tags)
    assert known[None, "h", "Age"]["value"] == "7"
    assert (None, "h", "age") not in known
    group = pa.Table.from_pylist([{"ad_group_id": "Ab", "name": "n", "platform": "iOS"}], AD_GROUPS.row_schema)
    assert KnownRecords(AD_GROUPS, group)["aB"]["ad_group_id"] == "Ab"
    assert KnownRecords(AD_GROUPS, group).get("b") is None
