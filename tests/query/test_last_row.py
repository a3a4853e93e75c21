"""When a stream last had a row: buffered, flushed and compacted ones alike, of the account alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.engine.duckdb import DuckDB
from airtally.query.last_row import RowWatch
from airtally.sql.statement import Statement
from airtally.streams import PLAYLOGS
from fixtures.storage import NOON_US, Storage, compact, storage

__all__ = ["storage"]
US = 1_000_000


class Counting(DuckDB):
    """Counts what it is asked."""

    asked = 0

    def query(self, statement: Statement):
        self.asked += 1
        return super().query(statement)


@pytest.fixture
def duckdb(tmp_path: Path) -> Iterator[Counting]:
    engine = Counting(memory=256 << 20, seconds=30, temp_folder=tmp_path / "temp")
    yield engine
    engine.close()


@pytest.fixture
def last_rows(storage: Storage, duckdb: Counting) -> RowWatch:
    return RowWatch(storage.event_store, duckdb)


def seconds(last_rows: RowWatch, after: float, account: str = "acme") -> float | None:
    found = last_rows.after(PLAYLOGS, account, NOON_US + round(after * US))
    return None if found.received_us is None else (found.received_us - NOON_US) / US


def test_a_row_is_found_wherever_it_lies(storage: Storage, last_rows: RowWatch) -> None:
    assert seconds(last_rows, -1) is None
    storage.clock.advance(10)
    storage.add((1, "a", 0))
    for care in (lambda: None, storage.event_store.flush, lambda: compact(storage)):
        care()
        assert seconds(last_rows, 9.99) == 10
        assert seconds(last_rows, 10) is None
        assert seconds(last_rows, -1, "rival") is None
    storage.clock.advance(10)
    storage.add((2, "b", 400))
    assert seconds(last_rows, 10) == 20, "by when it was received, whenever it happened"


def test_another_accounts_rows_are_no_sign_of_life(storage: Storage, last_rows: RowWatch) -> None:
    storage.add((1, "a", 0))
    storage.clock.advance(60)
    storage.add((2, "b", 0), account="rival")
    storage.event_store.flush()
    assert seconds(last_rows, 1) is None
    assert seconds(last_rows, 1, "rival") == 60


def test_files_without_newer_rows_are_not_read(storage: Storage, last_rows: RowWatch, duckdb: Counting) -> None:
    for number in range(3):
        storage.add((number, str(number), 0))
        storage.event_store.flush()
    storage.clock.advance(60)
    assert seconds(last_rows, 59) is None
    assert duckdb.asked == 0


def test_how_far_rows_are_known(storage: Storage, last_rows: RowWatch) -> None:
    storage.clock.advance(30)
    assert last_rows.after(PLAYLOGS, "acme", NOON_US).through_us == storage.clock.now_us()


def test_a_row_after_a_setback_of_the_clock_is_newer(storage: Storage, last_rows: RowWatch) -> None:
    """Within a process the times of receipt never go back, so rows may have the same time."""
    storage.add((1, "a", 0))
    before = last_rows.after(PLAYLOGS, "acme", NOON_US - US)
    storage.clock.advance(-3600)
    again = last_rows.after(PLAYLOGS, "acme", NOON_US - 3601 * US)
    assert not again.is_newer_than(before.positions)
    for number, care in enumerate((lambda: None, storage.event_store.flush, lambda: compact(storage))):
        storage.add((number, f"b{number}", 0))
        care()
        after = last_rows.after(PLAYLOGS, "acme", NOON_US - 3601 * US)
        assert after.is_newer_than(before.positions)
        assert not before.is_newer_than(after.positions)
        before = after
        assert not last_rows.after(PLAYLOGS, "acme", NOON_US - 3601 * US).is_newer_than(before.positions)


@pytest.mark.parametrize("seed", range(2))
def test_as_a_naive_look_at_what_was_sent(storage: Storage, last_rows: RowWatch, machine_zone: str, seed: int) -> None:
    chance = random.Random(f"{machine_zone} {seed}")
    sent: list[tuple[str, float]] = []
    passed = 0.0
    for number in range(25):
        account = chance.choice(["acme", "rival"])
        storage.add((number, str(chance.randrange(8)), chance.randrange(3)), account=account)
        sent.append((account, passed))
        chance.choice([lambda: None, lambda: None, storage.event_store.flush, lambda: compact(storage)])()
        step = chance.choice([0.001, 1.0, 60.0])
        storage.clock.advance(step)
        passed += step
        after = chance.uniform(-1, passed)
        for each in ("acme", "rival", "nobody"):
            expected = max((at for of, at in sent if of == each and at > after), default=None)
            found = seconds(last_rows, after, each)
            assert found == pytest.approx(expected, abs=1e-5) if expected is not None else found is None
