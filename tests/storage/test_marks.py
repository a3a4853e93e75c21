"""Words of shared memory that say whether anybody has committed: between processes, in death, and where they cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from airtally.storage import marks as module
from airtally.storage.marks import SIZE, SLOTS, WORDS_AT, Marks

KILLED = """
import os, signal, sys
from pathlib import Path
from airtally.storage.marks import Marks
marks = Marks(Path(sys.argv[1]))
marks.join()
with marks.committing():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_SECONDS", 1e9)  # nothing is forgotten for its age
    return tmp_path / "marks"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def process(path: Path, opened: ExitStack, owner: str = "") -> Marks:
    marks = Marks(path)
    opened.callback(marks.close)
    marks.join(owner)
    return marks


def settled(marks: Marks) -> Hashable:
    token = marks.token()
    assert Marks.settled(token)
    return token


def test_every_process_sees_each_commit(path: Path, opened: ExitStack) -> None:
    one, other = process(path, opened), process(path, opened)
    before = settled(one)
    assert settled(one) == before
    for writer in (one, other, other):
        with writer.committing():
            assert one.token() != before
            assert not Marks.settled(one.token())
            assert not Marks.settled(other.token())
        assert settled(one) == settled(other) != before
        before = settled(one)


def test_commits_of_one_process_overlap(path: Path, opened: ExitStack) -> None:
    one, other = process(path, opened), process(path, opened)
    before = settled(other)
    with one.committing():
        with one.committing():
            pass
        within = other.token()
        assert within != before
        assert not Marks.settled(within)
    assert settled(other) not in {before, within}


def test_a_commit_that_fails_is_over(path: Path, opened: ExitStack) -> None:
    one = process(path, opened)
    before = settled(one)
    with pytest.raises(KeyError), one.committing():
        raise KeyError
    assert settled(one) != before


def test_a_word_whose_process_was_killed_is_mended_once_its_slot_is_free(path: Path, opened: ExitStack) -> None:
    reader = process(path, opened)
    before = settled(reader)
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert not Marks.settled(reader.token())
    reader.mend()
    assert settled(reader) != before


def test_the_word_of_a_living_process_is_not_mended(path: Path, opened: ExitStack) -> None:
    one, other = process(path, opened), process(path, opened)
    with one.committing():
        other.mend()
        assert not Marks.settled(other.token())


@pytest.mark.parametrize("content", [b"", b"airtally marks 2".ljust(SIZE, b"\0")], ids=["empty", "newer"])
def test_a_file_of_another_form_is_not_used(path: Path, opened: ExitStack, content: bytes) -> None:
    path.write_bytes(content)
    one = process(path, opened)
    with one.committing():
        assert one.token() is None
    assert not Marks.settled(one.token())
    assert path.read_bytes() == content


def test_without_a_file_nothing_is_remembered(tmp_path: Path, opened: ExitStack) -> None:
    for where in (None, tmp_path / "nowhere" / "marks"):
        marks = Marks(where)
        marks.join()
        with marks.committing():
            assert marks.token() is None


def test_where_slots_cannot_be_locked_nothing_is_remembered(path: Path, opened: ExitStack, monkeypatch) -> None:
    monkeypatch.setattr(module, "_OFD_SETLK", 99_999)
    one = process(path, opened)
    with one.committing():
        pass
    assert path.exists()
    assert one.token() is None


def test_more_processes_than_slots(path: Path, opened: ExitStack) -> None:
    first = process(path, opened)
    before = settled(first)
    with ExitStack() as more:
        for _ in range(SLOTS - 1):
            process(path, more)
        assert not Marks.settled(first.token())
        first.mend()
        assert not Marks.settled(first.token())
    first.mend()
    assert settled(first) != before


def test_a_file_that_was_removed_is_made_anew_by_the_next_commit(path: Path, opened: ExitStack) -> None:
    one = process(path, opened)
    path.unlink()
    other = process(path, opened)
    before = settled(other)
    with one.committing():
        assert not Marks.settled(other.token())
    assert settled(other) != before


def test_what_was_looked_at_is_forgotten_after_a_second(tmp_path: Path, opened: ExitStack, monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    one = process(tmp_path / "marks", opened)
    before = settled(one)
    now += 0.9
    assert settled(one) == before
    now += 0.2
    assert settled(one) != before


def test_a_buffer_whose_process_marks_nothing_is_not_trusted(path: Path, opened: ExitStack) -> None:
    known, stranger = uuid4().hex, uuid4().hex
    one = process(path, opened)
    process(path, opened, known)
    one.note_owners({known})
    assert one.token() is not None
    one.note_owners({known, stranger})
    assert one.token() is None
    one.note_owners(())
    assert one.token() is not None


def test_words_lie_where_they_do_not_cross_a_line_of_memory() -> None:
    assert WORDS_AT % 64 == 0
    assert SIZE % 8 == 0
