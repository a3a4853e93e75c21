"""Data files that are gone: found, and taken out of the table where no backup has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from airtally.storage.lake import LakeTable
from airtally.storage.lake.missing import give_up, missing
from airtally.storage.lake.table_storage import LocalStorage
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import Storage, add_flushed


def remove_first(storage: Storage) -> str:
    """Delete the first data file of three; returns its name."""
    for media in range(3):
        add_flushed(storage, (media, None, 0))
    version = storage.table.newest()
    assert version is not None
    Path(storage.table.storage.full(version.names[0])).unlink()
    return version.names[0]


def names_of(table: LakeTable) -> Sequence[str]:
    version = table.newest()
    assert version is not None
    return version.names


def test_a_stream_without_a_table_misses_nothing(storage: Storage) -> None:
    assert missing(storage.table) == []
    assert give_up(storage.table) == []
    assert not storage.table.exists()


def test_where_nothing_is_missing_nothing_is_committed(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    assert give_up(storage.table) == []
    assert storage.table.newest().version == 1  # type: ignore[union-attr]


def test_a_file_that_is_gone_is_given_up_and_the_rest_can_be_read(storage: Storage) -> None:
    lost = remove_first(storage)
    assert [(file.name, file.data.rows) for file in missing(storage.table)] == [(lost, 1)]
    assert [file.name for file in give_up(storage.table)] == [lost]
    assert missing(storage.table) == []
    assert len(storage.medias()) == 2
    assert lost not in names_of(storage.again().table)


class Watched(LocalStorage):
    """Calls `then` once, after the files were looked for and before anything is committed."""

    def absent(self, names: Iterable[str]) -> list[str]:
        found = super().absent(names)
        if found and self.then is not None:
            then, self.then = self.then, None
            then()
        return found


def watched(storage: Storage, then) -> LakeTable:
    files = Watched(str(storage.home / "lake" / "playlogs"))
    files.then = then
    return LakeTable(PLAYLOGS, files, clock=storage.clock)


def test_of_two_processes_that_give_up_one_file_one_does_it(storage: Storage) -> None:
    lost = remove_first(storage)
    given_up = []
    table = watched(storage, lambda: given_up.extend(give_up(storage.table)))
    assert give_up(table) == []
    assert [file.name for file in given_up] == [lost]
    assert len(names_of(table)) == 2


def test_rows_that_come_in_meanwhile_are_kept(storage: Storage) -> None:
    lost = remove_first(storage)
    table = watched(storage, lambda: add_flushed(storage, (9, None, 0)))
    assert [file.name for file in give_up(table)] == [lost]
    assert len(names_of(table)) == 3
    assert 9 in storage.medias()
