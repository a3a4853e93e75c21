"""Parquet files of a table: one a day, with the statistics that the log keeps of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.storage.buffer.batches import Stamp, with_account, with_day
from airtally.storage.lake.data_files import added, file_name, publish, write_parts
from airtally.storage.lake.table_storage import LocalStorage
from airtally.streams import PLAYERS
from airtally.streams.playlogs import PLAYLOGS
from fixtures.storage import NOON_US, playlogs


@pytest.fixture
def files(tmp_path: Path) -> LocalStorage:
    return LocalStorage(str(tmp_path / "table"))


def stored(*rows: tuple[int, str | None, int]) -> pa.Table:
    whole = with_day(PLAYLOGS, with_account(playlogs(*rows), "acme"))
    return Stamp("w1").stored(PLAYLOGS, whole, NOON_US, 1)


def parquets(files: LocalStorage) -> list[str]:
    return sorted(str(path.relative_to(files.folder)) for path in files.folder.rglob("*") if path.is_file())


def test_rows_are_written_as_one_file_a_day_without_the_day(files):
    written = write_parts(files, PLAYLOGS, stored((1, "a", 1), (2, "b", 0), (3, None, 1)), 1)
    assert [(each.day, each.rows) for each in written] == [("2026-11-01", 2), ("2026-11-02", 1)]
    assert parquets(files) == sorted(each.name for each in written)
    assert all(each.name.startswith(f"day={each.day}/part-") for each in written)
    first = pq.read_table(files.full(written[0].name), partitioning=None)
    assert first["media_id"].to_pylist() == [1, 3]
    assert "day" not in first.column_names
    assert written[0].size == (files.folder / written[0].name).stat().st_size


def test_a_stream_without_days_has_its_files_in_the_tables_folder(files):
    assert "/" not in file_name(None, "part-", 1)
    player = pa.Table.from_pylist([{"player_id": 1}], schema=PLAYERS.row_schema)
    rows = Stamp("w1").stored(PLAYERS, with_account(player, "acme"), NOON_US, 1)
    (written,) = write_parts(files, PLAYERS, rows, 1)
    assert (written.day, parquets(files)) == (None, [written.name])
    assert added(written, 5, data_change=True).partition_values == {}


def test_a_file_that_cannot_be_written_leaves_none_of_its_commit(files):
    """The second day's folder cannot be made: a file has its name."""
    files.folder.mkdir()
    (files.folder / "day=2026-11-02").write_text("in the way")
    with pytest.raises(OSError, match="day=2026-11-02"):
        write_parts(files, PLAYLOGS, stored((1, "a", 1), (2, "b", 0)), 1)
    assert parquets(files) == ["day=2026-11-02"]


def test_statistics_have_bounds_of_numbers_times_and_accounts_and_the_nulls(files):
    (written,) = write_parts(files, PLAYLOGS, stored((7, "a", 0), (3, None, 0)), 1)
    stats = msgspec.json.decode(written.stats)
    assert stats["numRecords"] == 2
    assert (stats["minValues"]["account"], stats["maxValues"]["writer_id"]) == ("acme", "w1")
    assert stats["minValues"]["played_at"] == stats["maxValues"]["played_at"] == "2026-11-02T12:00:00.000000Z"
    assert stats["nullCount"]["id"] == 1
    assert "id" not in stats["minValues"], "bounds of ids would only fill the log"


def test_bounds_are_those_of_all_row_groups(files, tmp_path):
    path = tmp_path / "groups.parquet"
    pq.write_table(stored((1, None, 0), (2, "a", 2), (3, None, 1)).drop_columns(["day"]), path, row_group_size=1)
    stats = msgspec.json.decode(publish(files, PLAYLOGS, "x.parquet", None, path).stats)
    assert stats["minValues"]["played_at"] == "2026-10-31T12:00:00.000000Z"
    assert stats["maxValues"]["played_at"] == "2026-11-02T12:00:00.000000Z"
    assert stats["nullCount"]["id"] == 2


def test_the_action_that_adds_a_file_names_its_day(files):
    (written,) = write_parts(files, PLAYLOGS, stored((1, "a", 0)), 1)
    action = added(written, 5, data_change=False)
    assert (action.path, action.size, action.modification_time) == (written.name, written.size, 5)
    assert action.partition_values == {"day": date(2026, 11, 2).isoformat()}
    assert not action.data_change
