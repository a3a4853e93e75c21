"""Compaction: fewer files, no duplicates, exactly the same events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from airtally.engine.child_process import InProcess
from airtally.storage.lake.compaction import EAGER, CompactionPolicy, Compactor, plan
from airtally.storage.lake.delta import CommitConflict
from airtally.streams import PLAYLOGS
from airtally.streams.declaration import Column, Type
from fixtures.declared import with_column
from fixtures.storage import Storage, add_flushed, compact


def test_a_days_files_become_one_sorted_file_without_duplicates(storage: Storage) -> None:
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


def test_a_correction_replaces_the_row_in_its_compacted_file_and_only_there(storage: Storage) -> None:
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
    view = storage.table.newest()
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


def _planned(storage: Storage, policy: CompactionPolicy) -> list[str | None]:
    view = storage.table.newest()
    assert view is not None
    return [day.day for day in plan(view, storage.clock.now_us(), policy)]


def test_a_large_day_is_rewritten_in_bounded_steps(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airtally.storage.lake.compaction._MOST_ROWS", 4)
    for n in range(5):
        add_flushed(storage, (n, "same", 0), (n, f"{n}", 0), (n, None, 0))
    assert compact(storage) == 5
    assert storage.medias() == sorted([*range(5), *range(5), 4])
    assert storage.snapshot().uncompacted == ()


def test_large_files_of_an_earlier_schema_are_converted_in_bounded_steps(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, declare: Callable[..., None]
) -> None:
    """Each is too large to be merged: a conversion takes as many at once as memory allows, until none is left."""
    monkeypatch.setattr("airtally.storage.lake.compaction._LARGE_ROWS", 1)
    monkeypatch.setattr("airtally.storage.lake.compaction._MOST_ROWS", 4)
    for n in range(3):
        add_flushed(storage, (n, None, 0), (n, None, 0))
        assert compact(storage) == 1
    declare(PLAYLOGS, **with_column(PLAYLOGS, Column("campaign", Type.TEXT, "A column of a later release.")))
    storage.table.open()
    rewritten = []

    class Noted(InProcess):
        def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
            rewritten.append(len(args[0].compacted))
            return function(*args)

    assert Compactor(storage.table, Noted()).run(EAGER) == 2
    assert rewritten == [2, 1]
    assert all(file.columns is None for file in storage.snapshot().compacted)
    assert storage.medias() == [0, 0, 1, 1, 2, 2]
