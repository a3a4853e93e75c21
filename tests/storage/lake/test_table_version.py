"""What is known of a version's files without opening them."""

from __future__ import annotations

import threading

from airtally.kit.time import DAY_US
from fixtures.storage import NOON_US, Storage, add_flushed, compact


def test_files_that_cannot_hold_the_wanted_rows_are_left_out(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0), (2, None, 1))
    add_flushed(storage, (3, None, 0), account="zoo")
    version = storage.table.newest()
    assert version is not None

    def days(account: str, start_us: int | None, end_us: int | None) -> list[str | None]:
        return sorted(file.data.day for file in version.prune(account, start_us, end_us))

    assert days("acme", None, None) == ["2026-11-01", "2026-11-02"]
    assert days("acme", NOON_US, NOON_US + 1) == ["2026-11-02"]
    assert days("acme", NOON_US - DAY_US, NOON_US - DAY_US + 1) == ["2026-11-01"]
    assert days("acme", NOON_US + DAY_US, None) == []
    assert days("zoo", None, None) == ["2026-11-02"]
    assert days("nobody", None, None) == []


def test_a_file_of_one_writer_has_its_id_and_one_of_several_has_none(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    add_flushed(storage.again(), (2, None, 0))
    files = storage.snapshot().uncompacted
    assert len({file.writer_id for file in files} - {None}) == 2
    compact(storage)
    assert [file.writer_id for file in storage.snapshot().compacted] == [None]


def test_the_version_of_an_application_is_the_same_for_all_threads(storage: Storage) -> None:
    storage.add((1, None, 0))
    app_id = storage.buffer.tail(storage.table.stream)[0].app_id
    storage.event_store.flush()
    version = storage.table.newest()
    assert version is not None
    found: list[int] = []
    begin = threading.Barrier(8)

    def ask() -> None:
        begin.wait()
        found.extend([version.committed(app_id), version.committed("nobody")])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [-1] * 8 + [1] * 8
