"""Compaction and expiry: fewer files, no repeats, exactly the same events."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from airtally.engine.child_process import InProcess
from airtally.kit.time import DAY_US
from airtally.kit.troubles import Troubles
from airtally.storage.lake.compaction import EAGER, CompactionPolicy, Compactor, plan
from airtally.storage.lake.delta import CommitConflict
from airtally.storage.lake.maintenance import Maintenance
from airtally.storage.lake.rewrite import Rewrite, RowsDiffer, rewrite
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, playlogs, stored_rows


def care(storage: Storage, days: int | None = None, policy: CompactionPolicy | None = None) -> Maintenance:
    return Maintenance(storage.lake, InProcess(), retention=lambda _: days, policy=policy)


def compact(storage: Storage, policy: CompactionPolicy = EAGER) -> int:
    return Compactor(storage.table, InProcess()).run(policy)


def add_flushed(storage: Storage, *rows: tuple[int, str | None, int], account: str = "acme") -> None:
    storage.add(*rows, account=account)
    storage.event_store.flush()
    storage.clock.advance(1)


def test_a_days_files_become_one_sorted_file_without_repeats(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, "b", 0), (3, None, 0))
    add_flushed(storage, (4, "a", 0), (5, None, 0), account="acme")
    add_flushed(storage, (6, "a", 0), account="other")
    assert compact(storage) == 1
    snapshot = storage.snapshot()
    assert [file.rows for file in snapshot.compacted] == [5]
    assert snapshot.uncompacted == ()
    assert storage.medias() == [2, 3, 4, 5], "`a` counts as last received"
    assert storage.medias("other") == [6]
    assert pq.read_table(snapshot.compacted[0].path, partitioning=None)["account"].to_pylist() == ["acme"] * 4 + [
        "other"
    ]
    assert compact(storage) == 0


def test_a_correction_replaces_the_row_in_its_clean_file_and_only_there(storage: Storage) -> None:
    for first in (0, 100):
        add_flushed(storage, *((n, f"{n}", 0) for n in range(first, first + 50)))
        compact(storage, CompactionPolicy(uncompacted_files=0, compacted_files=9))
    kept = {file.path for file in storage.snapshot().compacted}
    add_flushed(storage, (7, "107", 0), (8, None, 0))
    compact(storage, CompactionPolicy(uncompacted_files=0, compacted_files=9))
    assert len(kept & {file.path for file in storage.snapshot().compacted}) == len(kept) - 1
    assert storage.medias() == sorted([*range(50), 7, 8, *(n for n in range(100, 150) if n != 107)])


def test_an_empty_id_that_earlier_releases_stored_is_none(storage: Storage) -> None:
    add_flushed(storage, (1, "", 0), (2, "", 0), (3, "a", 0))
    compact(storage)
    assert storage.medias() == [1, 2, 3]
    add_flushed(storage, (4, "", 0), (5, "a", 0))
    compact(storage)
    assert storage.medias() == [1, 2, 4, 5]
    (file,) = storage.snapshot().compacted
    assert sorted(pq.read_table(file.path, partitioning=None)["id"].to_pylist(), key=str) == [None, None, None, "a"]


def test_the_same_id_on_another_day_is_another_event(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, "a", 1))
    add_flushed(storage, (3, "a", 1))
    compact(storage)
    assert storage.medias() == [1, 3]


def test_policy(storage: Storage) -> None:
    policy = CompactionPolicy(uncompacted_files=2, quiet_seconds=600)
    for n in range(2):
        add_flushed(storage, (n, None, 0), (n, None, 5))
    assert _planned(storage, policy) == []
    storage.clock.advance(600)
    assert _planned(storage, policy) == ["2026-10-28"], "closed and quiet"
    add_flushed(storage, (3, None, 0))
    assert _planned(storage, policy) == ["2026-11-02", "2026-10-28"]


def test_of_two_compactions_one_loses_and_plans_again(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0))
    add_flushed(storage, (2, "a", 0), (3, None, 0))
    rival = storage.again()

    class Overtaken(InProcess):
        def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
            result = function(*args)
            compact(rival)
            add_flushed(rival, (4, None, 0))
            return result

    lost = Compactor(storage.table, Overtaken())
    view = storage.table.view()
    assert view is not None
    with pytest.raises(CommitConflict):
        lost._rewrite(view, plan(view, storage.clock.now_us(), EAGER)[0], EAGER)
    assert storage.medias() == [2, 3, 4]
    files = {path.name for path in (storage.home / "lake" / "playlogs").rglob("clean-*")}
    assert len(files) == 1, "the loser's file is gone"
    assert compact(storage) == 1
    assert storage.medias() == [2, 3, 4]


def test_an_append_meanwhile_is_no_conflict(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0))

    class Busy(InProcess):
        def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
            add_flushed(storage, (2, "a", 0))
            return function(*args)

    assert Compactor(storage.table, Busy()).run(EAGER, at_most=1) == 1
    assert storage.medias() == [1, 2]
    assert len(storage.snapshot().uncompacted) == len(storage.snapshot().compacted) == 1


def test_two_flushers_of_one_buffer_append_once(storage: Storage) -> None:
    storage.add((1, None, 0))
    part = storage.buffer.tail(PLAYLOGS)[0]
    rows = part.chunks[0].rows
    handles = [storage.table.open(), storage.table.open()]
    storage.table.append(handles[0], rows, part.app_id, part.chunks[0].last)
    with pytest.raises(CommitConflict):
        storage.table.append(handles[1], rows, part.app_id, part.chunks[0].last)
    assert storage.medias() == [1], "what is in the lake is not taken from the buffer"
    assert storage.event_store.flush() == 0
    assert storage.medias() == [1]


def test_a_rewrite_that_does_not_match_the_log_is_refused(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 0))
    view = storage.table.view()
    assert view is not None
    file = view.files[0]
    job = Rewrite("playlogs", storage.table.url, {}, file.data.day, (file.name,), (), 3, 64 << 20)
    with pytest.raises(RowsDiffer):
        rewrite(job)


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
    job = Maintenance(storage.lake, InProcess(), retention=lambda _: None, oldest_job_us=lambda: real_us - 3 * DAY_US)
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


def test_the_table_is_plain_delta_with_statistics(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 3))
    table = DeltaTable(storage.table.url)
    assert table.protocol()[:2] == (1, 2)
    assert table.metadata().partition_columns == ["day"]
    snapshot = storage.event_store.snapshot(PLAYLOGS, "acme", start_us=NOON_US - 1, end_us=NOON_US + 1)
    assert [file.day for file in snapshot.uncompacted] == ["2026-11-02"]
    assert storage.event_store.snapshot(PLAYLOGS, "other").uncompacted == ()
    everything = storage.snapshot().uncompacted
    assert {file.day: file.ids_all_null for file in everything} == {"2026-11-02": False, "2026-10-30": True}


def test_files_rows_are_appended_once(storage: Storage) -> None:
    event_store = storage.event_store
    assert event_store.committed(PLAYLOGS, "file:x") is None
    assert event_store.append_file_rows(PLAYLOGS, "acme", playlogs((1, "a", 0), (2, "b", 30)), "file:x", 1000)
    assert not event_store.append_file_rows(PLAYLOGS, "acme", playlogs((1, "a", 0)), "file:x", 1000)
    assert event_store.append_file_rows(PLAYLOGS, "acme", playlogs((3, None, 0)), "file:x", 2000)
    assert event_store.committed(PLAYLOGS, "file:x") == 2000
    assert storage.medias() == [1, 2, 3]
    places = stored_rows(storage.snapshot()).select(["writer_id", "sequence"]).to_pylist()
    assert len({(row["writer_id"], row["sequence"]) for row in places}) == 3


def test_a_flushed_snapshot_has_no_buffered_rows(storage: Storage) -> None:
    assert storage.snapshot(flushed=True).version >= 0
    storage.add((1, None, 0))
    snapshot = storage.snapshot(flushed=True)
    assert snapshot.buffered == ()
    assert sum(file.rows for file in snapshot.uncompacted) == 1
    assert snapshot.data_through_us == storage.clock.now_us()


def _planned(storage: Storage, policy: CompactionPolicy) -> list[str | None]:
    view = storage.table.view()
    assert view is not None
    return [day.day for day in plan(view, storage.clock.now_us(), policy)]


def test_a_large_day_is_rewritten_in_bounded_steps(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.compaction._UNCOMPACTED_ROWS", 4)
    for n in range(5):
        add_flushed(storage, (n, "same", 0), (n, f"{n}", 0), (n, None, 0))
    assert compact(storage) == 5
    assert storage.medias() == sorted([*range(5), *range(5), 4])
    assert storage.snapshot().uncompacted == ()


def test_accounts_are_sorted_in_groups_when_a_day_is_large(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.rewrite._SORTED_ROWS", 3)
    for account in ("a", "b", "c'd"):
        add_flushed(storage, (1, "x", 0), (2, "x", 0), (3, None, 0), account=account)
    assert compact(storage, CompactionPolicy(uncompacted_files=0)) == 1
    assert [storage.medias(account) for account in ("a", "b", "c'd")] == [[2, 3]] * 3
    assert len(storage.snapshot("a").compacted) == 1
    assert storage.snapshot("a").compacted != storage.snapshot("b").compacted


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
        retention=lambda _: None,
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
