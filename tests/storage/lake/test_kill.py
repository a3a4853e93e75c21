"""Several processes append, flush and compact one table at once and are killed; every acknowledged row is there once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from airtally.kit.clock import SystemClock
from airtally.storage.buffer import Buffer
from airtally.storage.lake import Lake
from airtally.storage.lake.snapshot import Snapshot
from airtally.storage.marks import Marks
from airtally.storage.store import EventStore
from airtally.streams.playlogs import PLAYLOGS

COLUMNS = ["account", "player_id", "media_id", "duration_seconds", "writer_id", "sequence"]
WORKERS = 3


class Fleet:
    """The workers of one home; a killed one is replaced."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running = [self._start(number) for number in range(WORKERS)]

    def kill(self, number: int) -> None:
        worker = self.running[number]
        assert worker.poll() is None, f"a worker ended by itself:\n{self.errors()}"
        worker.kill()
        worker.wait()
        worker.stdout.close()

    def replace(self, number: int) -> None:
        self.kill(number)
        self.running[number] = self._start(number)

    def kill_all(self) -> None:
        for number in range(WORKERS):
            self.kill(number)

    def errors(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.home.glob("errors-*"))

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("kill_worker.py")
        with (self.home / f"errors-{number}").open("wb") as errors:
            worker = subprocess.Popen(
                [sys.executable, program, str(self.home), str(number)], stdout=subprocess.PIPE, stderr=errors
            )
        assert worker.stdout.readline() == b"ready\n", self.errors()
        return worker


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    for worker in fleet.running:
        worker.kill()
        worker.wait()
        worker.stdout.close()


def run_rounds(fleet: Fleet, rounds: int) -> None:
    clock, chance = SystemClock(), random.Random(rounds)
    marks = Marks(fleet.home / "marks")
    marks.join()
    lake = Lake(str(fleet.home / "lake"), clock=clock, marks=marks)
    watcher = EventStore(lake, None, clock=clock, buffers=fleet.home / "buffer")
    for turn in range(rounds):
        until = time.monotonic() + chance.uniform(0.2, 1.2)
        acknowledged = acked(fleet.home)
        check(acknowledged, rows_of(watcher), strict=False)
        time.sleep(max(0.0, until - time.monotonic()))
        if turn % 5 == 4:
            for number in range(WORKERS):
                fleet.replace(number)
        else:
            fleet.replace(chance.randrange(WORKERS))
    fleet.kill_all()
    acknowledged = acked(fleet.home)
    assert len(acknowledged) > 10 * rounds
    check(acknowledged, rows_of(watcher))
    watcher.close()
    buffer = Buffer.open(fleet.home / "buffer", clock=clock, marks=marks)
    event_store = EventStore(lake, buffer, clock=clock)
    check(acknowledged, rows_of(event_store))
    event_store.flush()
    buffer.tidy()
    assert buffer.adopted == ()
    check(acknowledged, rows_of(event_store))
    assert any(snapshot.compacted for snapshot in snapshots(event_store)), "nothing was compacted"
    event_store.close()
    buffer.close()
    marks.close()
    assert list((fleet.home / "buffer").iterdir()) == []


def acked(home: Path) -> dict[int, int]:
    found = {}
    for path in home.glob("acked-*"):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                name, rows = line.split()
                found[int(name)] = int(rows)
    return found


def snapshots(event_store: EventStore) -> list[Snapshot]:
    return [event_store.snapshot(PLAYLOGS, account) for account in ("acme", "other")]


def rows_of(event_store: EventStore) -> pa.Table:
    tables = [
        table.filter(pc.equal(table["account"], snapshot.account))
        for snapshot in snapshots(event_store)
        for table in (
            *(
                pq.read_table(file.path, columns=COLUMNS, partitioning=None)
                for file in (*snapshot.compacted, *snapshot.uncompacted)
            ),
            *(rows.select(COLUMNS) for rows in snapshot.buffered),
        )
    ]
    return pa.concat_tables(tables) if tables else PLAYLOGS.stored_schema.empty_table().select(COLUMNS)


def check(acknowledged: dict[int, int], rows: pa.Table, *, strict: bool = True) -> None:
    """Acknowledged batches wholly; others wholly or not at all (`strict`: none is under way); no row twice."""
    counts = rows.group_by(["player_id", "duration_seconds"]).aggregate(
        [("media_id", "count"), ("media_id", "count_distinct")]
    )
    found = {}
    for row in counts.to_pylist():
        assert row["media_id_count"] == row["media_id_count_distinct"], row
        assert row["media_id_count"] == row["duration_seconds"] or not strict, row
        found[row["player_id"]] = row["media_id_count"]
    missing = [name for name in acknowledged if found.get(name) != acknowledged[name]]
    assert not missing, f"{len(missing)} acknowledged batches are not there, such as {missing[:3]}"
    places = rows.group_by(["writer_id", "sequence"]).aggregate([([], "count_all")])
    assert places.num_rows == rows.num_rows, "two rows have the same place"


def test_three_rounds(fleet: Fleet) -> None:
    run_rounds(fleet, 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thirty_rounds(fleet: Fleet) -> None:
    run_rounds(fleet, 30)
