"""A buffer file that is damaged: every row that can be read is counted, once, and what was found is kept."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.storage.buffer import damage, salvage, store, wal
from airtally.storage.buffer.store import PAGE_BYTES, BufferStore, beside
from fixtures.damage import (
    ALL,
    DAMAGED_MAIN,
    FRAME,
    bytes_of,
    counted_once,
    died,
    log_of,
    overwrite,
    rubbish,
    truncate,
)


@pytest.mark.parametrize("what", DAMAGED_MAIN)
@pytest.mark.parametrize("copied", [False, True])
def test_a_damaged_main_file_with_its_log_intact_loses_nothing(storage, tmp_path, what, copied):
    storage.add((1, None, 0))
    storage.add((2, "two", 0))
    storage.add((3, None, 0), (4, None, 9))
    path = died(storage, tmp_path, copied=copied)
    DAMAGED_MAIN[what](path)
    if what == "gone":
        other = storage.again()
        assert other.medias() == ALL
        return
    other = counted_once(storage, path, ALL)
    assert "4 rows in 4 batches were recovered" in other.buffer.problems()[0]


def test_a_main_file_cut_at_a_page_is_whole_where_its_log_has_the_rest(storage, tmp_path):
    storage.add((1, None, 0), (2, None, 0))
    path = died(storage, tmp_path, copied=True)
    truncate(path, PAGE_BYTES)
    assert storage.again().medias() == [1, 2]


def test_a_claims_answer_is_recovered_with_its_rows(storage, dead):
    overwrite(dead, 0, rubbish(dead.stat().st_size))
    other = storage.again()
    assert other.buffer.claim_answer("1/playlogs/k") == b"{}"
    assert json.loads(beside(dead, ".damaged.json").read_bytes())["claims"] == 1


def test_a_log_whose_checksums_break_gives_what_is_before_and_after(storage, tmp_path):
    storage.add((1, None, 0))
    storage.add((2, None, 0))
    first = log_of(storage.buffer._store.path).stat().st_size
    storage.add((3, None, 0))
    second = log_of(storage.buffer._store.path).stat().st_size
    storage.add((4, None, 0))
    path = died(storage, tmp_path)
    for place in range(first, second, FRAME):
        overwrite(log_of(path), place + 24 + 4000, rubbish(100))
    assert wal.read(log_of(path), PAGE_BYTES).is_broken
    counted_once(storage, path, ALL)  # the last commit writes the page of batch 3 again


@pytest.mark.parametrize("data", [bytes(32), rubbish(32), b"x"])
def test_a_log_without_its_header_is_read_by_its_frames(storage, dead, data):
    overwrite(log_of(dead), 0, data)
    counted_once(storage, dead, ALL)


def test_a_log_cut_within_its_last_commit_is_as_after_a_power_cut(storage, dead):
    """A commit that never ended was never acknowledged: nothing is damaged."""
    truncate(log_of(dead), log_of(dead).stat().st_size - 100)
    other = storage.again()
    assert other.medias() == [1, 2]
    assert other.buffer.problems() == []


def test_a_missing_log_is_said(storage, dead):
    log_of(dead).unlink()
    other = storage.again()
    assert other.medias() == []
    assert "its write-ahead log is missing" in other.buffer.problems()[0]
    assert "0 rows in 0 batches" in other.buffer.problems()[0]


def test_main_file_and_log_damaged_give_what_is_left(storage, dead):
    overwrite(dead, 0, bytes(dead.stat().st_size))
    overwrite(log_of(dead), 32 + 24 + 100, rubbish(50))
    counted_once(storage, dead, ALL)


def test_a_healthy_file_is_adopted_as_it_is(storage, dead):
    assert damage.problem_of(dead) is None
    before = bytes_of(dead)
    assert damage.problem_of(dead) is None
    assert bytes_of(dead) == before, "the look changes nothing"
    other = storage.again()
    assert other.medias() == ALL
    assert other.buffer.problems() == []


def test_a_file_found_damaged_while_another_process_runs(storage, dead):
    other = storage.again()
    assert other.buffer.adopted == (dead.stem,)
    third = storage.again()
    third.add((9, None, 0))
    path = third.buffer._store.path
    third.abandon()
    overwrite(path, 0, b"\0" * 100)
    other.flusher().step()
    assert other.medias() == [*ALL, 9]
    assert len(other.buffer.problems()) == 1


def test_rows_that_the_lake_has_are_not_counted_again(storage, tmp_path, monkeypatch):
    storage.add((1, None, 0), (2, None, 0))
    with monkeypatch.context() as patched:
        patched.setattr(BufferStore, "discard_some", lambda *_: False)
        storage.event_store.flush()
    storage.add((3, None, 0), (4, None, 0))
    path = died(storage, tmp_path)
    overwrite(path, 0, rubbish(PAGE_BYTES))
    counted_once(storage, path, ALL)


class Died(Exception):
    pass


@pytest.mark.parametrize(
    ("step", "turn"),
    [("_link", 1), ("_link", 2), ("_link", 3), ("salvage", 1), ("_report", 1), ("sync_path", 1), ("sync_path", 2)],
)
def test_a_recovery_that_dies_on_its_way_begins_again(storage, dead, monkeypatch, step, turn):
    overwrite(dead, 0, rubbish(dead.stat().st_size))
    before, real, calls = bytes_of(dead), getattr(damage, step), []

    def dying(*arguments):
        calls.append(step)
        if len(calls) == turn:
            raise Died
        return real(*arguments)

    monkeypatch.setattr(damage, step, dying)
    with pytest.raises(Died):
        storage.again()
    monkeypatch.undo()
    other = storage.again()
    other.flusher().step()
    assert other.medias() == ALL
    (found,) = damage.kept(dead.parent)
    assert bytes_of(found.path) == before
    assert found.rows == 4


def test_what_is_kept_without_a_report_is_recovered_also_where_its_file_is_gone(storage, dead):
    overwrite(dead, 0, bytes(100))
    storage.again().abandon()
    dead.unlink()
    beside(dead, ".damaged.json").unlink()
    other = storage.again()
    other.flusher().step()
    assert other.medias() == ALL
    assert damage.kept(dead.parent)[0].rows == 4


def test_an_emptied_file_of_a_running_process_keeps_its_log(storage):
    storage.add((1, None, 0))
    path = storage.buffer._store.path
    log = log_of(path).read_bytes()
    truncate(path, 0)
    store.copy_log(path)
    assert log_of(path).read_bytes() == log


def test_a_second_damage_of_one_buffer_is_kept_apart(storage, dead):
    overwrite(dead, 0, bytes(100))
    storage.again().abandon()
    overwrite(dead, 0, bytes(100))
    other = storage.again()
    assert other.medias() == ALL
    assert [each.path.name for each in damage.kept(dead.parent)] == [
        f"{dead.name}.2.damaged",
        f"{dead.name}.damaged",
    ]


def test_what_an_earlier_release_put_aside_is_recovered(storage, dead):
    """It took the main file alone away from its log."""
    overwrite(dead, 0, bytes(100))
    dead.rename(dead.with_suffix(".broken"))
    other = storage.again()
    assert other.medias() == ALL
    assert len(other.buffer.problems()) == 1


def test_where_there_is_no_room_nothing_is_lost_and_it_is_tried_again(storage, dead, monkeypatch):
    overwrite(dead, 0, bytes(100))
    before = bytes_of(dead)
    clock: MovableClock = storage.clock

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(salvage.shutil, "copyfile", full)
        other = storage.again()
        assert other.buffer.adopted == ()
        assert "No space left on device" in " ".join(other.buffer.problems())
    assert bytes_of(dead) == before
    other.flusher().step()
    assert other.buffer.adopted == ()
    clock.advance(61)
    other.flusher().step()
    assert other.medias() == ALL
    assert len(other.buffer.problems()) == 1


def test_the_kept_files_open_as_one_database(storage, dead):
    overwrite(dead, 0, bytes(100))
    storage.again()
    kept = damage.kept(dead.parent)[0].path
    assert sorted(each.name.removeprefix(kept.name) for each in dead.parent.glob(f"{kept.name}*")) == [
        "", "-shm", "-wal", ".json",
    ]  # fmt: skip
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT sum(rows) FROM batches").fetchone() == (4,)


def test_the_message_goes_with_the_kept_files(storage, dead):
    overwrite(dead, 0, bytes(100))
    other = storage.again()
    assert other.buffer.problems()
    for each in dead.parent.glob("*.damaged*"):
        each.unlink()
    assert other.buffer.problems() == []


@pytest.mark.parametrize("what", [each for each in DAMAGED_MAIN if each != "gone"])
def test_a_living_peers_damaged_file_keeps_nobody_from_an_answer(storage, what):
    other = storage.again()
    other.add((7, None, 0))
    storage.add((1, None, 0))
    assert other.medias() == [1, 7]
    path = storage.buffer._store.path
    log = log_of(path).read_bytes()
    DAMAGED_MAIN[what](path)
    third = storage.again()
    assert {7} <= set(third.medias()) <= {1, 7}
    assert {7} <= set(other.medias()) <= {1, 7}
    assert log_of(path).read_bytes() == log, "a reader takes nothing away"
    if third.medias() == [7]:
        assert "rows may be missing" in third.event_store.unreadable()[0]


def test_a_peers_file_that_is_in_use_is_no_damage(storage):
    other = storage.again()
    storage.add((1, None, 0))
    peer = other.event_store._peers
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    with pytest.raises(Unavailable, match="cannot be read now"):
        peer._judge("x", storage.buffer._store.path, error)
