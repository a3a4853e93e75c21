"""A Delta table that several processes read and change."""

from __future__ import annotations

import threading

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from airtally.kit import metrics
from airtally.storage.lake.data_files import removed
from airtally.storage.lake.delta import REWRITE, CommitConflict
from fixtures.storage import Storage, add_flushed


def conflicts(kind: str) -> float:
    return metrics.LAKE_CONFLICTS.labels("playlogs", kind)._value.get()


def test_a_table_is_made_when_it_is_opened_to_write_and_not_when_it_is_read(storage: Storage) -> None:
    assert storage.table.newest() is None
    assert not storage.table.exists()
    assert not (storage.home / "lake" / "playlogs").exists()
    assert storage.table.open().version() == 0
    assert storage.table.exists()


def test_processes_that_make_a_table_at_once_make_one(storage: Storage) -> None:
    tables = [storage.again().table for _ in range(4)]
    begin, found = threading.Barrier(4), []

    def open_table(table) -> None:
        begin.wait()
        found.append(table.open().version())

    threads = [threading.Thread(target=open_table, args=(table,)) for table in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 4


def test_the_newest_version_is_the_same_until_somebody_commits(storage: Storage) -> None:
    other = storage.again()
    add_flushed(storage, (1, None, 0))
    before = other.table.newest()
    assert other.table.newest() is before
    add_flushed(storage, (2, None, 0))
    after = other.table.newest()
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (1, 2)
    assert (len(before.names), len(after.names)) == (1, 2)


def test_what_an_application_never_committed_is_none(storage: Storage) -> None:
    assert storage.table.committed("x") is None
    table, handle = storage.table, storage.table.open()
    assert table.committed("x") is None
    table.commit(handle, [], {"x": 0}, {"note": "kept"})
    assert table.committed("x") == 0
    assert table.open().history(1)[0]["note"] == "kept"


def test_of_two_that_remove_files_of_one_version_one_loses(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    add_flushed(storage, (2, None, 0))
    table, version = storage.table, storage.table.newest()
    assert version is not None
    handles = [table.open_version(version.version) for _ in range(2)]
    before = conflicts(REWRITE)
    table.replace(handles[0], version, [removed(version.files[0], 1, data_change=True)])
    with pytest.raises(CommitConflict):
        table.replace(handles[1], version, [removed(version.files[1], 1, data_change=True)])
    assert conflicts(REWRITE) == before + 1
    assert table.committed(REWRITE) == 1
    newest = table.newest()
    assert newest is not None
    assert newest.names == version.names[1:]


def test_rows_that_are_appended_beside_a_rewrite_are_kept(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    table, version = storage.table, storage.table.newest()
    assert version is not None
    handle = table.open_version(version.version)
    add_flushed(storage, (2, None, 0))
    table.replace(handle, version, [removed(version.files[0], 1, data_change=True)], other=7)
    assert storage.medias() == [2]
    assert table.committed("other") == 7


def test_a_version_stays_as_it_was(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    add_flushed(storage, (2, None, 0))
    assert storage.table.open_version(1).version() == 1
    with pytest.raises(DeltaError):
        storage.table.open_version(9)


def test_other_programs_find_the_properties_that_care_goes_by(storage: Storage) -> None:
    """Without them delta-rs writes a checkpoint at every tenth commit, and keeps the log for 30 days."""
    storage.table.open()
    kept = DeltaTable(storage.table.url).metadata().configuration
    assert kept["delta.checkpointInterval"] == "100"
    assert kept["delta.logRetentionDuration"] == "interval 1 hours"
    assert kept["delta.deletedFileRetentionDuration"] == "interval 24 hours"
