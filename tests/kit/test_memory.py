from __future__ import annotations

import pytest

from airtally.kit import memory
from airtally.kit.memory import Memory


def test_the_oldest_go_where_there_is_no_room() -> None:
    kept: Memory[int, str] = Memory(2, 60)
    kept.put_read({1: "a", 2: "b"}, kept.generation)
    kept.put_read({1: "c"}, kept.generation)
    kept.put_read({3: "d"}, kept.generation)
    assert [kept.get(key) for key in (1, 2, 3)] == ["c", None, "d"]


def test_what_was_read_before_a_write_is_not_kept() -> None:
    kept: Memory[int, str] = Memory(2, 60)
    before = kept.generation
    kept.put_written({1: "new"})
    kept.put_read({1: "old", 2: "old"}, before)
    assert (kept.get(1), kept.get(2)) == ("new", None)


def test_nothing_is_kept_over_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    kept: Memory[int, str] = Memory(2, 1)
    kept.put_read({1: "a"}, 0)
    now = 100.9
    assert kept.get(1) == "a"
    now = 101.0
    assert kept.get(1) is None
