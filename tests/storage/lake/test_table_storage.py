"""A table's files in a folder; tests/storage/lake/test_bucket.py has those on a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from airtally.storage.lake.table_storage import LocalStorage, open_storage


@pytest.fixture
def files(tmp_path: Path) -> LocalStorage:
    found = open_storage(f"file://{tmp_path}/table", {})
    assert isinstance(found, LocalStorage)
    return found


def log(files: LocalStorage, name: str, data: bytes = b"{}") -> Path:
    path = files.folder / "_delta_log" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_finished_file_is_moved_into_its_partition(files, tmp_path):
    source = tmp_path / "made"
    source.write_bytes(b"12345")
    assert not files.has_data()
    assert files.put("day=2026-11-02/a.parquet", source) == 5
    assert files.has_data()
    assert not source.exists()
    names = ["day=2026-11-02/a.parquet", "day=2026-11-03/b.parquet"]
    assert files.absent(names) == names[1:]
    files.delete(names[0])
    files.delete(names[0])
    assert files.absent(names) == names


def test_a_new_commit_is_noticed_and_so_is_a_checkpoint_where_commits_were_cleaned_up(files):
    log(files, f"{0:020d}.json")
    state = files.log_state()
    assert not files.moved_on(0, state)
    later = log(files, f"{1:020d}.json")
    assert files.moved_on(0, state)
    later.unlink()
    assert not files.moved_on(0, state)
    log(files, "_last_checkpoint")
    assert files.moved_on(0, state)


def test_the_log_is_listed_and_read_and_one_written_anew_is_another(files):
    assert files.log_listing() == []
    assert files.read_log("x.json") is None
    log(files, "x.json", b"one")
    (before,) = files.log_listing()
    assert (before.name, before.size, files.read_log("x.json")) == ("x.json", 3, b"one")
    log(files, "y.json", b"two").replace(files.folder / "_delta_log" / "x.json")
    (after,) = files.log_listing()
    assert (after.name, after.size) == ("x.json", 3)
    assert after != before


def test_older_commits_that_are_gone_are_no_error_where_the_newest_is_made_durable(files):
    log(files, f"{20:020d}.json")
    log(files, f"{20:020d}.checkpoint.parquet")
    log(files, "_last_checkpoint")
    files.sync_log(20)


def test_a_table_lacks_its_folder_until_it_is_made(tmp_path: Path) -> None:
    place = open_storage(str(tmp_path / "playlogs"), {})
    assert place.lacks_folder()
    (tmp_path / "playlogs").mkdir()
    assert not place.lacks_folder()
