"""Maintenance: what is due is done in bounded steps, and what fails keeps nothing else from it."""

from __future__ import annotations

from pathlib import Path

from airtally.engine.child_process import InProcess
from airtally.kit.troubles import Troubles
from airtally.storage.lake.compaction import CompactionPolicy
from airtally.storage.lake.maintenance import Maintenance
from airtally.streams import STREAMS
from fixtures.storage import Storage, add_flushed, care


def test_whole_days_expire(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0), (2, None, 14), (3, None, 15), (4, None, 16), (5, None, 300))
    assert care(storage, days=None).expire(storage.table) == 0
    assert care(storage, days=15).expire(storage.table) == 2
    assert storage.medias() == [1, 2, 3]
    storage.clock.advance(86_400)
    assert care(storage, days=15).expire(storage.table) == 1
    assert storage.medias() == [1, 2]


def test_a_step_does_what_is_due(storage: Storage) -> None:
    for n in range(4):
        add_flushed(storage, (n, "same", 0), (n, None, 40))
    storage.clock.advance(700)
    work = care(storage, days=30, policy=CompactionPolicy(uncompacted_files=3))
    assert work.step() > 0
    assert storage.medias() == [3]
    storage.clock.advance(7 * 86_400)
    work.step()
    assert storage.medias() == [3]


def test_a_day_that_cannot_be_compacted_keeps_no_other_day_and_no_other_work_from_it(storage: Storage) -> None:
    """One account's file is gone: its day is put off, with words; the other day and the log are cared for."""
    for day in (1, 2):
        for media in range(1, 4 if day == 1 else 3):
            add_flushed(storage, (media, None, day))
    lost = next(file for file in storage.snapshot().uncompacted if file.day == "2026-11-01")
    Path(lost.path).unlink()
    troubles = Troubles(now=lambda: 0.0)
    maintenance = Maintenance(
        storage.lake,
        InProcess(),
        retention=dict.fromkeys(STREAMS),
        policy=CompactionPolicy(uncompacted_files=0, compacted_files=1, quiet_seconds=0),
        troubles=troubles,
    )
    maintenance.step()
    maintenance.step()
    days = {file.day for file in storage.snapshot().compacted}
    assert days == {"2026-10-31"}
    [words] = troubles.words()
    assert words.startswith("compaction of playlogs, day 2026-11-01: ")
    assert words.endswith("(tried 1 times)")
