"""Upkeep: short logs and no files that nobody reads."""

from __future__ import annotations

import subprocess

from airtally.engine.child_process import InProcess
from airtally.kit.time import DAY_US
from airtally.storage.lake.maintenance import Maintenance
from airtally.streams import STREAMS
from fixtures.storage import Storage, add_flushed, care, compact


def test_vacuum_leaves_a_day_and_what_jobs_still_read(storage: Storage) -> None:
    import time

    real_us = time.time_ns() // 1000
    storage.clock._now_us = real_us - 2 * DAY_US
    add_flushed(storage, (1, None, 0))
    add_flushed(storage, (2, None, 0))
    old = [file.path for file in storage.snapshot().uncompacted]
    compact(storage)
    storage.clock._now_us = real_us
    add_flushed(storage, (3, None, 0))
    job = Maintenance(
        storage.lake, InProcess(), retention=dict.fromkeys(STREAMS), oldest_job_us=lambda: real_us - 3 * DAY_US
    )
    assert job.upkeep.vacuum(storage.table) == 0
    assert care(storage).upkeep.vacuum(storage.table) == len(old) == 2
    assert storage.medias() == [1, 2, 3]


def test_the_log_stays_short_and_old_views_recover(storage: Storage) -> None:
    add_flushed(storage, (0, None, 0))
    reader = storage.again()
    assert reader.medias() == [0]
    for n in range(1, 5):
        add_flushed(storage, (n, None, 0))
    log = storage.home / "lake" / "playlogs" / "_delta_log"
    subprocess.run(["touch", "-d", "3 hours ago", *log.glob("*.json")], check=True)
    care(storage).upkeep.clean_log(storage.table)
    assert len(list(log.glob("*.json"))) <= 2
    assert reader.medias() == storage.medias() == [0, 1, 2, 3, 4]
    storage.add((5, None, 0))
    assert storage.event_store.flush() == 1
    assert storage.table.committed(f"{storage.buffer.id}:0") is not None
    assert reader.medias() == [0, 1, 2, 3, 4, 5]
