"""What `airtally lake status` shows of a table."""

from __future__ import annotations

import pytest

from airtally.storage.lake import status
from airtally.storage.lake.status import status_of
from fixtures.storage import Storage, add_flushed, compact


def test_a_stream_without_a_table_has_none(storage: Storage) -> None:
    assert status_of(storage.table) is None
    assert not storage.table.exists()


def test_rows_files_and_days_are_counted(storage: Storage) -> None:
    add_flushed(storage, (1, "a", 0), (2, None, 1))
    add_flushed(storage, (3, "a", 0))
    before = status_of(storage.table)
    assert before is not None
    assert (before.stream, before.version, before.rows) == ("playlogs", 2, 3)
    assert (before.files, before.uncompacted_files, before.days, before.day_files) == (3, 3, 2, 2)
    assert before.log_files == 3
    assert before.size == sum(file.size for file in storage.snapshot().uncompacted)
    compact(storage)
    after = status_of(storage.table)
    assert after is not None
    assert (after.rows, after.files, after.uncompacted_files, after.day_files) == (2, 2, 0, 1)


def test_a_table_without_rows_has_no_day(storage: Storage) -> None:
    storage.table.open()
    found = status_of(storage.table)
    assert found is not None
    assert (found.rows, found.files, found.days, found.day_files) == (0, 0, 0, 0)


def test_too_many_files_of_one_day_and_of_the_log_are_warned_of(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for media in range(3):
        add_flushed(storage, (media, None, 0))
    monkeypatch.setattr(status, "MANY_DAY_FILES", 3)
    monkeypatch.setattr(status, "MANY_LOG_FILES", 4)
    assert status_of(storage.table).warnings == ()  # type: ignore[union-attr]
    add_flushed(storage, (3, None, 0))
    assert status_of(storage.table).warnings == (  # type: ignore[union-attr]
        "5 log files: is a serve or worker running?",
        "4 files in one day: compaction does not keep up",
    )
