from __future__ import annotations

import threading
from pathlib import Path

from airtally.ingest.locks import Locks


def test_one_name_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with Locks(tmp_path / "locks").held("file", "acme", "a.csv"):
            entered.set()
            leave.wait(60)

    first = threading.Thread(target=hold)
    first.start()
    assert entered.wait(60)
    entered.clear()
    second = threading.Thread(target=hold)
    second.start()
    assert not entered.wait(0.05)
    leave.set()
    assert entered.wait(60)
    for thread in (first, second):
        thread.join(60)


def test_names_are_told_apart_by_where_their_parts_end(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    for name in (("ab", "c"), ("a", "bc")):
        with locks.held(*name):
            pass
    assert len(list(tmp_path.iterdir())) == 2


def test_files_stay_few(tmp_path: Path) -> None:
    locks = Locks(tmp_path)
    for number in range(500):
        with locks.held("file", str(number)):
            pass
    assert len(list(tmp_path.iterdir())) <= 64
