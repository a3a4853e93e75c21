"""SQLite's write-ahead log as it is read here, compared with what SQLite itself makes of it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airtally.storage.buffer import wal
from airtally.storage.buffer.store import PAGE_BYTES, beside, connect
from fixtures.damage import FRAME, log_of, overwrite, rubbish, truncate

HEADER = 32


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three commits of one row each; all of it is in the log. SQLite has it closed, without a checkpoint."""
    live = tmp_path / "live.sqlite"
    with closing(connect(live)) as connection:
        for number in range(3):
            insert(connection, number)
        copy = tmp_path / "copy.sqlite"
        for end in ("", "-wal"):
            shutil.copyfile(beside(live, end), beside(copy, end))
    return copy


def insert(connection: sqlite3.Connection, number: int, size: int = 3 * PAGE_BYTES) -> None:
    connection.execute("INSERT INTO batches VALUES (NULL, 'playlogs', 0, 1, ?, ?)", (number, bytes(size)))


def log(database: Path) -> wal.Log:
    found = wal.read(log_of(database), PAGE_BYTES)
    assert found is not None
    return found


def laid(database: Path, *, beyond_damage: bool = False) -> bytes:
    """The pages of the log over those of the file, as a checkpoint has them."""
    frames, size = log(database).frames(beyond_damage=beyond_damage)
    pages, content = bytearray(size * PAGE_BYTES), log_of(database).read_bytes()
    for page, place in frames:
        pages[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = content[place : place + PAGE_BYTES]
    return bytes(pages)


def commits(database: Path) -> list[int]:
    """The numbers of the frames that end a transaction."""
    return [number for number, size in enumerate(log(database).sizes) if size]


def test_there_is_no_log_where_none_is_or_it_is_empty(tmp_path: Path) -> None:
    assert wal.read(tmp_path / "x-wal", PAGE_BYTES) is None
    (tmp_path / "x-wal").write_bytes(b"")
    assert wal.read(tmp_path / "x-wal", PAGE_BYTES) is None


def test_a_whole_log_has_the_pages_that_sqlite_copies_into_the_file(database: Path) -> None:
    found = log(database)
    assert found.header_is_valid
    assert not found.is_broken
    assert found.valid.all()
    ours = laid(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert ours == database.read_bytes()


def test_a_transaction_that_did_not_end_is_left_out_and_no_damage(database: Path) -> None:
    before_last = commits(database)[-2]
    truncate(log_of(database), HEADER + commits(database)[-1] * FRAME)
    assert not log(database).is_broken
    frames, _ = log(database).frames(beyond_damage=False)
    assert len(frames) == before_last + 1


def test_a_commit_behind_a_damaged_frame_is_found(database: Path) -> None:
    """SQLite takes the frames before it, and says nothing of the others."""
    first, second = commits(database)[-3:-1]
    overwrite(log_of(database), HEADER + second * FRAME + 24 + 100, rubbish(50))
    found = log(database)
    assert found.is_broken
    assert [number for number, fits in enumerate(found.valid) if not fits] == [second]
    assert len(found.frames(beyond_damage=False)[0]) == first + 1
    assert len(found.frames(beyond_damage=True)[0]) == len(found.valid) - 1


def test_damage_after_the_last_commit_loses_nothing(database: Path) -> None:
    whole = laid(database)
    with log_of(database).open("ab") as file:
        file.write(rubbish(2 * FRAME + 7))
    found = log(database)
    assert not found.is_broken
    assert laid(database) == laid(database, beyond_damage=True) == whole


def test_frames_of_the_logs_run_before_are_not_taken(tmp_path: Path) -> None:
    """After a checkpoint SQLite writes over the log from its beginning, with other salts."""
    path = tmp_path / "live.sqlite"
    with closing(connect(path)) as connection:
        insert(connection, 1, 20 * PAGE_BYTES)
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        insert(connection, 2, 10)
        found = log(path)
        assert not found.ours.all()
        assert not found.is_broken
        frames, _ = found.frames(beyond_damage=True)
        assert len(frames) == int(found.ours.sum())


@pytest.mark.parametrize("head", [bytes(32), rubbish(32)], ids=["zeros", "rubbish"])
def test_without_its_header_the_frames_speak_for_themselves(database: Path, head: bytes) -> None:
    whole = laid(database)
    overwrite(log_of(database), 0, head)
    found = log(database)
    assert not found.header_is_valid
    assert found.is_broken
    assert found.frames(beyond_damage=False) == ([], 0)
    assert laid(database, beyond_damage=True) == whole


@pytest.mark.parametrize("size", [1, 31, 32, 33, 32 + FRAME - 1])
def test_a_log_without_one_whole_frame_has_none(database: Path, size: int) -> None:
    truncate(log_of(database), size)
    assert log(database).frames(beyond_damage=True) == ([], 0)
