"""Removals: what is left is what a naive model leaves, whatever was flushed, compacted and sent again before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.engine.child_process import InProcess
from airtally.kit.clock import MovableClock
from airtally.kit.faults import Faults
from airtally.kit.time import DAY_US, to_datetime
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.removal import RemovalStep, Remover
from airtally.storage.lake.removal_search import RemovalRule
from airtally.streams import APP_EVENTS, DEVICES
from airtally.streams.declaration import RECEIVED_ORDER, Stream
from fixtures.killed import Killed
from fixtures.storage import NOON_US, Storage


@dataclass
class Steps:
    """A journal in memory."""

    app_id: str = "erasure-1"
    prepared: dict[int, RemovalStep] = field(default_factory=dict)
    done: list[RemovalStep] = field(default_factory=list)
    numbers: int = 0

    def prepare(self, step: RemovalStep) -> int:
        self.numbers += 1
        self.prepared[self.numbers] = step
        return self.numbers

    def settle(self, table: str, committed: int) -> None:
        if committed in self.prepared and self.prepared[committed].table == table:
            self.done.append(self.prepared.pop(committed))


def app_event(number: int, who: str | None, event_id: str | None, days: int = 0) -> dict[str, Any]:
    time = to_datetime(NOON_US - days * DAY_US + number)
    return {"application": "A", "event": "e", "time": time, "id": event_id, "hwid": who, "count": number}


def device(number: int, hwid: str, user: str | None, *, deleted: int = 0) -> dict[str, Any]:
    at = to_datetime(NOON_US + number * 1000)
    row = {"application": "A", "hwid": hwid, "user_id": user, "device_type": number}
    return row | {"create_time_utc": at, "last_update_time_utc": at, "is_deleted": deleted}


def put(storage: Storage, stream: Stream, *rows: dict[str, Any], account: str = "acme") -> None:
    storage.buffer.append(stream, account, pa.Table.from_pylist(list(rows), stream.row_schema)).result(10)
    storage.clock.advance(1)


def stored(storage: Storage, stream: Stream, account: str = "acme") -> list[dict[str, Any]]:
    """All rows in the lake, with their repeats."""
    snapshot = storage.event_store.snapshot(stream, account, flushed=True)
    files = (*snapshot.compacted, *snapshot.uncompacted)
    rows = [row for file in files for row in pq.read_table(file.path, partitioning=None).to_pylist()]
    return [row for row in rows if row["account"] == account]


def counting(stream: Stream, rows: list[dict[str, Any]]) -> list[int]:
    """A number of each row that counts: of each event the last received, of each record the last version."""
    last: dict[Any, dict[str, Any]] = {}
    number = "count" if stream is APP_EVENTS else "device_type"

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        received = tuple(row[name] for name in RECEIVED_ORDER)
        return received if stream is APP_EVENTS else (row["last_update_time_utc"], *received)

    for row in rows:
        if stream is APP_EVENTS:
            key = (row["time"].date(), row["id"]) if row["id"] else (row["writer_id"], row["sequence"])
        else:
            key = row["application"], row["hwid"]
        if key not in last or order(row) > order(last[key]):
            last[key] = row
    return sorted(row[number] for row in last.values() if not row.get("is_deleted"))


def remover(storage: Storage, stream: Stream) -> Remover:
    return Remover(storage.lake.table(stream), InProcess(), scratch=storage.home / "tmp")


def remove(storage: Storage, stream: Stream, rule: RemovalRule, steps: Steps | None = None) -> int:
    storage.event_store.flush()
    work = remover(storage, stream)
    return sum(work.remove(scope, rule, steps or Steps()) for scope in work.scopes(rule.account))


def of_hwid(storage: Storage, *values: str) -> RemovalRule:
    return RemovalRule("acme", storage.clock.now_us(), (("hwid", values),))


def test_rows_of_a_person_go_and_others_stay(storage: Storage) -> None:
    put(storage, APP_EVENTS, app_event(1, "h1", "a"), app_event(2, "h2", "b"), app_event(3, "h1", None, days=3))
    put(storage, APP_EVENTS, app_event(4, "h1", "a"), account="other")
    steps = Steps()
    assert remove(storage, APP_EVENTS, of_hwid(storage, "h1"), steps) == 2
    assert counting(APP_EVENTS, stored(storage, APP_EVENTS)) == [2]
    assert counting(APP_EVENTS, stored(storage, APP_EVENTS, "other")) == [4]
    assert [(step.scope.day, step.rows) for step in steps.done] == [("2026-10-30", 1), ("2026-11-02", 1)]


def test_an_earlier_row_of_an_event_does_not_come_back(storage: Storage) -> None:
    put(storage, APP_EVENTS, app_event(1, None, "a"))
    storage.event_store.flush()
    put(storage, APP_EVENTS, app_event(2, "h1", "a"))
    assert remove(storage, APP_EVENTS, of_hwid(storage, "h1")) == 2
    assert stored(storage, APP_EVENTS) == []


def test_an_event_that_was_corrected_since_stays(storage: Storage) -> None:
    put(storage, APP_EVENTS, app_event(1, "h1", "a"))
    storage.event_store.flush()
    put(storage, APP_EVENTS, app_event(2, None, "a"))
    assert remove(storage, APP_EVENTS, of_hwid(storage, "h1")) == 1
    assert counting(APP_EVENTS, stored(storage, APP_EVENTS)) == [2]


def test_rows_received_later_stay(storage: Storage) -> None:
    put(storage, APP_EVENTS, app_event(1, "h1", "a"))
    rule = of_hwid(storage, "h1")
    storage.clock.advance(1)
    put(storage, APP_EVENTS, app_event(2, "h1", "a"))
    assert remove(storage, APP_EVENTS, rule) == 1
    assert counting(APP_EVENTS, stored(storage, APP_EVENTS)) == [2]


def test_all_versions_of_a_record_go_with_its_last(storage: Storage) -> None:
    put(storage, DEVICES, device(1, "h1", None), device(2, "h2", "u1"), device(3, "h3", "u1"))
    storage.clock.advance(86_400)
    put(storage, DEVICES, device(4, "h1", "u1"), device(5, "h2", "u2"), device(6, "h3", "u1", deleted=1))
    storage.event_store.flush()
    rule = RemovalRule("acme", storage.clock.now_us(), (("user_id", ("u1",)),))
    work = remover(storage, DEVICES)
    [scope] = work.scopes("acme")
    with work.found(scope, rule) as (found, records):
        assert (found.named, found.doomed, found.records) == (4, 5, 2)
        assert [(row["hwid"], row["is_live"]) for row in pq.read_table(records).to_pylist()] == [
            ("h1", True),
            ("h3", False),
        ]
        assert pq.read_table(records).to_pylist()[0]["last_version"] == to_datetime(NOON_US + 4000)
    assert work.remove(scope, rule, Steps()) == 5
    assert [row["device_type"] for row in stored(storage, DEVICES)] == [5]


def test_an_address_is_found_whatever_its_case(storage: Storage) -> None:
    put(storage, DEVICES, device(1, "h1", None) | {"email": "Ann@Example.COM"})
    rule = RemovalRule("acme", storage.clock.now_us(), (("email", ("ann@example.com",)),), frozenset({"email"}))
    assert remove(storage, DEVICES, rule) == 1


def test_an_account_goes_whole(storage: Storage) -> None:
    put(storage, APP_EVENTS, app_event(1, "h1", "a"), app_event(2, None, None, days=2))
    storage.event_store.flush()
    put(storage, APP_EVENTS, app_event(3, "h1", "a"), account="acmf")
    put(storage, APP_EVENTS, app_event(4, "h1", "b"))
    storage.event_store.flush()
    Compactor(storage.lake.table(APP_EVENTS), InProcess()).run(EAGER)
    put(storage, APP_EVENTS, app_event(5, "h1", "b"), account="aa")
    put(storage, APP_EVENTS, app_event(6, "h1", "b"), account="zz")
    storage.event_store.flush()
    work, steps = remover(storage, APP_EVENTS), Steps()
    assert sum(work.remove_account(scope, "acme", steps) for scope in work.scopes("acme")) == 3
    assert stored(storage, APP_EVENTS) == []
    assert [counting(APP_EVENTS, stored(storage, APP_EVENTS, each)) for each in ("aa", "acmf", "zz")] == [[5], [3], [6]]


class Meanwhile(Faults):
    """Calls something at a point, once."""

    def __init__(self, point: str, call: Callable[[], object]) -> None:
        self.point, self.call = point, call

    def reach(self, point: str) -> None:
        if point == self.point:
            self.point = ""
            self.call()


@pytest.mark.parametrize("stream", [APP_EVENTS, DEVICES], ids=["app_events", "devices"])
def test_a_compaction_meanwhile_brings_nothing_back(storage: Storage, stream: Stream) -> None:
    for number in range(4):
        row = app_event(number, f"h{number % 2}", None) if stream is APP_EVENTS else device(number, f"h{number}", "u1")
        put(storage, stream, row)
        storage.event_store.flush()
    rule = of_hwid(storage, "h1")
    table = storage.lake.table(stream)
    other = storage.again().lake.table(stream)
    table.faults = Meanwhile("lake.erase", lambda: Compactor(other, InProcess()).run(EAGER))
    steps = Steps()
    assert remove(storage, stream, rule, steps) == (2 if stream is APP_EVENTS else 1)
    assert len(steps.done) == 1
    assert len(steps.prepared) == 1
    assert "h1" not in {row["hwid"] for row in stored(storage, stream)}
    assert len(stored(storage, stream)) == (2 if stream is APP_EVENTS else 3)


def test_a_compaction_that_read_before_brings_nothing_back(storage: Storage) -> None:
    for number in range(4):
        put(storage, APP_EVENTS, app_event(number, f"h{number % 2}", None))
        storage.event_store.flush()
    rule = of_hwid(storage, "h1")
    table = storage.lake.table(APP_EVENTS)
    handle = storage.again().lake.table(APP_EVENTS)
    view = handle.newest()
    assert view is not None
    pinned = handle.open_version(view.version)
    assert remove(storage, APP_EVENTS, rule) == 2
    with pytest.raises(CommitConflict):
        handle.replace(pinned, view, [])
    assert {row["hwid"] for row in stored(storage, APP_EVENTS)} == {"h0"}
    assert table.newest() is not None


@pytest.mark.parametrize(("point", "done"), [("lake.erase", 0), ("lake.erased", 1)])
def test_a_death_around_the_commit_counts_each_step_once(storage: Storage, point: str, done: int) -> None:
    put(storage, APP_EVENTS, app_event(1, "h1", "a"), app_event(2, "h2", "b"))

    def die() -> None:
        raise Killed

    storage.lake.table(APP_EVENTS).faults = Meanwhile(point, die)
    steps, rule = Steps(), of_hwid(storage, "h1")
    with pytest.raises(Killed):
        remove(storage, APP_EVENTS, rule, steps)
    assert steps.done == []
    work = remover(storage, APP_EVENTS)
    work.settle(steps)
    assert len(steps.done) == done
    assert remove(storage, APP_EVENTS, rule, steps) == 1 - done
    assert [step.rows for step in steps.done] == [1]
    assert counting(APP_EVENTS, stored(storage, APP_EVENTS)) == [2]


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("row"),
            st.sampled_from([None, "h1", "h2"]),
            st.sampled_from([None, "a", "b", "c"]),
            st.integers(0, 1),
        ),
        st.sampled_from([("flush",), ("compact",), ("cut",)]),
    ),
    max_size=14,
)


@given(steps=EVENTS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("stream", [APP_EVENTS, DEVICES], ids=["app_events", "devices"])
def test_what_is_left_is_what_a_naive_model_leaves(stream: Stream, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        storage = Storage(Path(folder), MovableClock(NOON_US), closing)
        cut = _play(storage, stream, steps)
        before = _all_rows(storage, stream)
        rule = RemovalRule("acme", cut, (("hwid" if stream is APP_EVENTS else "user_id", ("h1",)),))
        remove(storage, stream, rule)
        left = stored(storage, stream)
        assert counting(stream, left) == counting(stream, _naively(stream, before, rule))
        assert not [row for row in left if row[rule.wanted[0][0]] == "h1" and _received_us(row) <= cut]


def _play(storage: Storage, stream: Stream, steps: list[Any]) -> int:
    cut = 0
    for number, step in enumerate(steps):
        match step:
            case ("row", who, name, days) if stream is APP_EVENTS:
                put(storage, stream, app_event(number, who, name, days))
            case ("row", who, name, _):
                put(storage, stream, device(number, f"d{name}", who))
            case ("flush",):
                storage.event_store.flush()
            case ("compact",) if storage.lake.table(stream).exists():
                Compactor(storage.lake.table(stream), InProcess()).run(EAGER)
            case ("cut",):
                cut = storage.clock.now_us()
                storage.clock.advance(1)
    return cut or storage.clock.now_us()


def _all_rows(storage: Storage, stream: Stream) -> list[dict[str, Any]]:
    """Compaction keeps of each event only the row that counts, which is all that the model needs."""
    return stored(storage, stream)


def _received_us(row: dict[str, Any]) -> int:
    return round(row["received_at"].timestamp() * 1_000_000)


def _naively(stream: Stream, rows: list[dict[str, Any]], rule: RemovalRule) -> list[dict[str, Any]]:
    """The rows without those received by then of events or records whose last row by then names the person."""
    column = rule.wanted[0][0]
    early = [row for row in rows if _received_us(row) <= rule.through_us]
    kept = [row for row in rows if _received_us(row) > rule.through_us]
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in early:
        if stream is not APP_EVENTS:
            key: Any = row["hwid"]
        else:
            key = (row["time"].date(), row["id"]) if row["id"] else (row["writer_id"], row["sequence"])
        groups.setdefault(key, []).append(row)
    for group in groups.values():
        if stream is APP_EVENTS:
            last = max(group, key=lambda row: tuple(row[name] for name in RECEIVED_ORDER))
        else:
            last = max(group, key=lambda row: row["last_update_time_utc"])
        if last[column] != "h1":
            kept += [row for row in group if row[column] != "h1"]
    return kept
