"""Snapshots remembered between commits: the same as looked for anew, whoever commits, and whoever dies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit import metrics
from airtally.kit.clock import MovableClock
from airtally.storage import marks as module
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, Storage, compact, playlogs

STEPS = st.lists(st.tuples(st.sampled_from("aalfcdm"), st.integers(0, 1)), max_size=14)


@pytest.fixture(autouse=True)
def remembered_for_ever() -> Iterator[None]:
    """No look ends by its age, so that a commit which is not marked would be missed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SECONDS", 1e9)
        yield


def remembered() -> float:
    return float(metrics.SNAPSHOTS.labels("remembered")._value.get())


class Histories:
    """Two processes of one home that add, load, flush, compact and die; what they were told is on disk."""

    def __init__(self, home: Path, opened: ExitStack, *, marked: bool) -> None:
        self.opened, self.told = opened, list[int]()
        first = Storage(home, MovableClock(NOON_US), opened, marked=marked)
        self.marked, self.processes = marked, [first, first.again(marked=marked)]

    def step(self, what: str, who: int) -> None:
        process = self.processes[who]
        match what:
            case "a":
                self.told.append(len(self.told))
                process.add((self.told[-1], None, 0))
            case "l":
                self.told.append(len(self.told))
                rows = playlogs((self.told[-1], None, 0))
                process.event_store.append_file_rows(PLAYLOGS, "acme", rows, f"load-{len(self.told)}", 1)
            case "f":
                process.event_store.flush()
                process.clock.advance(1)
            case "c":
                compact(process)
            case "d":
                process.abandon()
                self.processes[who] = self.processes[1 - who].again(marked=self.marked)
            case "m":
                process.buffer.adopt_orphans()

    def check(self) -> None:
        for process in self.processes * 2:
            assert process.medias() == self.told


@pytest.mark.parametrize("marked", [True, False])
@given(steps=STEPS)
def test_every_process_sees_what_any_was_told_is_stored(marked: bool, steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        histories = Histories(Path(folder), opened, marked=marked)
        histories.check()
        for what, who in steps:
            histories.step(what, who)
            histories.check()


def test_a_view_is_remembered_until_somebody_commits(storage: Storage) -> None:
    other = storage.again()
    storage.add((1, None, 0))
    assert other.medias() == [1]
    before = remembered()
    assert other.snapshot().state == other.snapshot().state
    assert remembered() == before + 2
    storage.add((2, None, 0))
    before = remembered()
    assert other.medias() == [1, 2]
    assert remembered() == before


def test_a_remembered_view_says_how_current_it_is(storage: Storage) -> None:
    storage.add((1, None, 0))
    first = storage.snapshot()
    storage.clock.advance(5)
    before, second = remembered(), storage.snapshot()
    assert remembered() == before + 1
    assert second.data_through_us == first.data_through_us + 5_000_000


def test_a_view_is_of_one_account_and_its_bounds(storage: Storage) -> None:
    storage.add((1, None, 0))
    storage.add((2, None, 0), account="other")
    for _ in range(2):
        assert (storage.medias(), storage.medias("other"), storage.medias("nobody")) == ([1], [2], [])


def test_rows_of_a_process_that_marks_nothing_are_seen_at_once(storage: Storage) -> None:
    """As one of an earlier release, which runs until it sees that the home was taken over."""
    earlier = storage.again(marked=False)
    for number in range(3):
        earlier.add((number, None, 0))
        assert storage.medias() == list(range(number + 1))
    earlier.event_store.flush()
    assert storage.medias() == [0, 1, 2]


def test_a_row_whose_process_died_before_it_was_told_is_seen_by_all_or_none(storage: Storage, monkeypatch) -> None:
    """Killed between the commit and its mark."""
    writer, reader = storage.again(), storage.again()
    reader.medias()
    monkeypatch.setattr(writer.marks, "_end", lambda: None)
    writer.add((1, None, 0))
    writer.abandon()
    assert reader.medias() == storage.medias() == [1]
    storage.buffer.adopt_orphans()
    assert reader.medias() == storage.medias() == [1]
    storage.event_store.flush()
    before = remembered()
    assert reader.medias() == reader.medias() == [1]
    assert remembered() > before
