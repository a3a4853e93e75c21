"""One process of the kill test: appends, flushes and compacts until it is killed.

Usage: kill_worker.py HOME NUMBER. Each acknowledged batch is a line `batch rows` in HOME/acked-NUMBER.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from airtally.kit.clock import SystemClock
from airtally.kit.time import DAY_US
from airtally.storage.buffer import Buffer
from airtally.storage.flush import Flusher, FlushPolicy
from airtally.storage.lake import Lake
from airtally.storage.lake.compaction import CompactionPolicy, Compactor
from airtally.storage.lake.maintenance import Maintenance
from airtally.storage.marks import Marks
from airtally.storage.store import EventStore
from airtally.streams import STREAMS
from airtally.streams.playlogs import PLAYLOGS

#: A worker's life is short; what it can append is bounded, so that a slow machine does the same work.
BATCHES = 60
THREADS = 8
POLICY = CompactionPolicy(uncompacted_files=3, compacted_files=2, quiet_seconds=0)


class InProcess:
    def run(self, function, /, *args):
        return function(*args)


def batch(number: int, rows: int, now_us: int, days: int) -> pa.Table:
    """`player_id` is the batch, `media_id` the row in it, `duration_seconds` the batch's number of rows."""
    places = np.arange(rows, dtype=np.int64)
    times = now_us - (places % days) * DAY_US
    return pa.table(
        {
            "player_id": pa.repeat(pa.scalar(number, pa.int64()), rows),
            "played_at": pa.array(times).cast(pa.timestamp("us", "UTC")),
            "id": pa.array([f"{number}-{place}" if place % 2 else None for place in places], pa.string()),
            "media_id": pa.array(places),
            "type": pa.repeat("I", rows),
            "ip": pa.repeat("0.0.0.0", rows),
            "duration_seconds": pa.repeat(float(rows), rows),
        },
        schema=PLAYLOGS.row_schema,
    )


def append_for_ever(home: Path, number: int, buffer: Buffer, clock: SystemClock, thread: int) -> None:
    log = os.open(home / f"acked-{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    chance = random.Random(f"{os.getpid()}-{thread}")
    for _ in range(BATCHES):
        name = chance.getrandbits(60)
        rows = chance.choice((1, 3, 40, 40, 700))
        table = batch(name, rows, clock.now_us(), chance.choice((1, 1, 5)))
        buffer.append(PLAYLOGS, chance.choice(("acme", "other")), table).result()
        os.write(log, f"{name} {rows}\n".encode())
        time.sleep(chance.random() * 0.03)
    threading.Event().wait()


def main() -> None:
    home, number = Path(sys.argv[1]), int(sys.argv[2])
    clock = SystemClock()
    marks = Marks(home / "marks")
    buffer = Buffer.open(home / "buffer", clock=clock, marks=marks)
    lake = Lake(str(home / "lake"), clock=clock, marks=marks)
    event_store = EventStore(lake, buffer, clock=clock)
    for thread in range(3):
        threading.Thread(target=append_for_ever, args=(home, number, buffer, clock, thread), daemon=True).start()
    flusher = Flusher(event_store, buffer, clock=clock, policy=FlushPolicy(seconds=0.1, late_seconds=0.4))
    maintenance = Maintenance(lake, InProcess(), retention=dict.fromkeys(STREAMS))
    threading.Thread(target=_repeat, args=(flusher.step, 0.1), daemon=True).start()
    compactor = Compactor(lake.table(PLAYLOGS), InProcess())
    threading.Thread(target=_repeat, args=(lambda: compactor.run(POLICY, at_most=1), 0.05), daemon=True).start()
    threading.Thread(
        target=_repeat, args=(lambda: maintenance.upkeep.clean_log(lake.table(PLAYLOGS)), 0.5), daemon=True
    ).start()
    print("ready", flush=True)  # noqa: T201
    while threading.active_count() >= THREADS:
        time.sleep(0.1)
    os._exit(3)  # a thread died: the test must see it


def _repeat(step, seconds: float) -> None:
    while True:
        step()
        time.sleep(seconds)


if __name__ == "__main__":
    main()
