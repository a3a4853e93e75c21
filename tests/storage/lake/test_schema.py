"""How a table follows its stream's declaration: what a file holds is known by its name and the table's properties."""

from __future__ import annotations

from copy import copy

import pytest

from airtally.kit.errors import NewerHome
from airtally.storage.lake.schema import STATISTICS, SchemaHistory, follow, suffix
from airtally.streams import PLAYLOGS
from airtally.streams.declaration import Column, Type
from airtally.streams.evolution import Renamed
from fixtures.declared import with_column
from fixtures.storage import Storage

CAMPAIGN = Column("campaign", Type.TEXT, "A column of a later release.")


def history(storage: Storage) -> SchemaHistory:
    return SchemaHistory.of(PLAYLOGS, storage.table.open_version(storage.table.newest().version))


def test_a_new_table_has_the_declared_columns_and_nothing_to_follow(storage):
    handle = storage.table.open()
    assert not follow(PLAYLOGS, handle)
    assert history(storage).newest == 1
    assert history(storage).of_file(f"day=2026-11-02/part-1{suffix(1)}") is None


def test_older_files_have_the_columns_of_their_schema(storage, declare):
    storage.table.open()
    declare(PLAYLOGS, **with_column(PLAYLOGS, CAMPAIGN))
    storage.table.open()
    now = history(storage)
    assert now.newest == 2
    old = now.of_file(f"part-1{suffix(1)}")
    assert old is not None
    assert "campaign" not in old
    assert now.of_file(f"part-2{suffix(2)}") is None


def test_statistics_are_kept_under_each_name_of_a_column(storage, declare):
    """Delta gives readers of the log no others than its property names: older files are pruned by the older name."""
    storage.table.open()
    columns = tuple(
        Column("screen_id", Type.INT64, "", required=True) if each.name == "player_id" else each
        for each in PLAYLOGS.columns
    )
    step = Renamed("player_id", "screen_id")
    declare(PLAYLOGS, columns=columns, entity=("screen_id",), steps=(step,), version=PLAYLOGS.version + 1)
    kept = storage.table.open().metadata().configuration[STATISTICS].split(",")
    assert {"player_id", "screen_id", "writer_id"} <= set(kept)


def test_of_two_processes_that_follow_one_looks_again(storage, declare):
    storage.table.open()
    declare(PLAYLOGS, **with_column(PLAYLOGS, CAMPAIGN))
    version = storage.table.newest().version
    first, second = storage.table.open_version(version), storage.table.open_version(version)
    assert follow(PLAYLOGS, first)
    assert follow(PLAYLOGS, second), "whether it lost or not, it is to look again"
    assert not follow(PLAYLOGS, storage.table.open())
    assert history(storage).newest == 2


def test_a_table_of_a_newer_program_is_refused(storage, declare):
    declare(PLAYLOGS, **with_column(PLAYLOGS, CAMPAIGN))
    handle = storage.table.open()
    declare(PLAYLOGS, columns=tuple(each for each in PLAYLOGS.columns if each.name != "campaign"))
    with pytest.raises(NewerHome, match="campaign"):
        SchemaHistory.of(PLAYLOGS, handle)


def test_a_table_that_a_newer_program_made_is_refused(storage, declare):
    """Also where it has no column that the older one does not know: one may have been removed."""
    older = copy(PLAYLOGS)
    declare(PLAYLOGS, version=PLAYLOGS.version + 1)
    handle = storage.table.open()
    with pytest.raises(NewerHome, match=f"it has version {older.version + 1} of the stream; this program knows"):
        SchemaHistory.of(older, handle)
