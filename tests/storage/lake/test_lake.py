"""The tables of a lake, made by whatever process."""

from __future__ import annotations

import pytest

from airtally.storage.lake import Lake
from airtally.storage.lake.damage import TableDamaged
from airtally.streams import PLAYERS, STREAMS
from airtally.streams.declaration import Column, Type
from airtally.streams.playlogs import PLAYLOGS
from fixtures.declared import with_column
from fixtures.logs import log_of
from fixtures.storage import Storage, add_flushed


def test_a_streams_table_is_one_for_all_who_ask(storage: Storage) -> None:
    assert storage.lake.table(PLAYLOGS) is storage.lake.table(PLAYLOGS)
    assert storage.lake.table(PLAYLOGS) is not storage.lake.table(PLAYERS)
    assert [table.name for table in storage.lake.tables()] == list(STREAMS)


def test_the_tables_that_exist_are_those_that_any_process_made(storage: Storage) -> None:
    other = storage.again()
    assert storage.lake.existing() == []
    other.lake.table(PLAYERS).open()
    assert [table.name for table in storage.lake.existing()] == ["players"]


def test_a_slash_at_the_end_of_the_folder_is_nothing(storage: Storage) -> None:
    add_flushed(storage, (1, None, 0))
    lake = Lake(f"{storage.home}/lake/", clock=storage.clock)
    assert lake.table(PLAYLOGS).url == storage.table.url
    assert lake.table(PLAYLOGS).exists()


def test_tables_that_exist_get_the_declared_columns_and_no_other_is_made(storage: Storage, declare) -> None:
    storage.table.open()
    declare(PLAYLOGS, **with_column(PLAYLOGS, Column("campaign", Type.TEXT, "Of a later release.")))
    storage.again().lake.follow_declarations()
    fields = storage.table.open_version(storage.table.newest().version).schema().fields
    assert "campaign" in [field.name for field in fields]
    assert [table.name for table in storage.lake.existing()] == ["playlogs"]


def test_a_table_with_a_damaged_log_keeps_no_other_from_its_columns(filled: Storage, declare) -> None:
    filled.lake.table(PLAYERS).open()
    declare(PLAYERS, **with_column(PLAYERS, Column("campaign", Type.TEXT, "Of a later release.")))
    for commit in log_of(filled).glob("*.json"):
        commit.write_bytes(b"")
    lake = Lake(str(filled.home / "lake"), clock=filled.clock)
    lake.follow_declarations()
    fields = lake.table(PLAYERS).open_version(lake.table(PLAYERS).newest().version).schema().fields
    assert "campaign" in [field.name for field in fields]
    with pytest.raises(TableDamaged, match="playlogs"):
        lake.check()


def test_a_folder_that_cannot_be_one_is_told(storage: Storage) -> None:
    (storage.home / "file").write_text("no folder")
    with pytest.raises(FileExistsError):
        Lake(str(storage.home / "file"), clock=storage.clock).check()
    storage.lake.check()
    assert (storage.home / "lake").is_dir()
