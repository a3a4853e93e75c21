"""What an arriving changelog row becomes, over versions kept in a plain list."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.versions import ChangelogVersions
from airtally.kit.time import from_datetime
from airtally.streams import STREAMS

ACCOUNT = Account(1, "acme", "Acme", "UTC", "USD")
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)


class Log:
    """All versions so far, as the lake would give them back."""

    def __init__(self) -> None:
        self.stream = STREAMS["players"]
        self.rows = self.stream.row_schema.empty_table()
        self.versions = ChangelogVersions(lambda stream, account, keys: self.rows)

    def send(self, *rows: dict, at: datetime = NOON) -> list[dict]:
        filled = [{"is_deleted": 0} | row for row in rows]
        table = pa.Table.from_pylist(filled, schema=self.stream.row_schema)
        with self.versions.resolved(self.stream, ACCOUNT, table, from_datetime(at)) as new:
            self.rows = pa.concat_tables([self.rows, new])
            return new.to_pylist()


@pytest.fixture
def log():
    return Log()


def test_times_absent_on_arrival_are_stamped_to_the_millisecond(log):
    (row,) = log.send({"player_id": 1, "name": "A"}, at=NOON + timedelta(microseconds=1234))
    assert row["last_update_time_utc"] == NOON + MS
    assert row["create_time_utc"] == NOON + MS


def test_a_later_version_keeps_the_first_creation(log):
    log.send({"player_id": 1, "name": "A"})
    (row,) = log.send({"player_id": 1, "name": "B"}, at=NOON + MS)
    assert row["create_time_utc"] == NOON
    assert row["last_update_time_utc"] == NOON + MS


def test_an_equal_row_is_a_retry(log):
    row = {"player_id": 1, "name": "A", "last_update_time_utc": NOON}
    assert len(log.send(row, row)) == 1
    assert log.send(row, at=NOON + MS) == []


def test_equal_time_with_other_content_moves_after_the_last_version(log):
    log.send({"player_id": 1, "name": "A", "last_update_time_utc": NOON})
    log.send({"player_id": 1, "name": "C", "last_update_time_utc": NOON + 5 * MS})
    (row,) = log.send({"player_id": 1, "name": "B", "last_update_time_utc": NOON})
    assert row["last_update_time_utc"] == NOON + 6 * MS


def test_a_bare_deletion_takes_the_last_versions_columns(log):
    log.send({"player_id": 1, "name": "A", "group_id": 7})
    (row,) = log.send({"player_id": 1, "is_deleted": 1}, at=NOON + MS)
    assert (row["name"], row["group_id"], row["is_deleted"]) == ("A", 7, 1)
    assert row["create_time_utc"] == NOON


def test_a_deletion_of_an_unknown_key_is_kept(log):
    (row,) = log.send({"player_id": 9, "is_deleted": 1})
    assert (row["player_id"], row["is_deleted"], row["name"]) == (9, 1, None)


def test_a_record_comes_back(log):
    log.send({"player_id": 1, "name": "A"})
    log.send({"player_id": 1, "is_deleted": 1}, at=NOON + MS)
    (row,) = log.send({"player_id": 1, "name": "A"}, at=NOON + 2 * MS)
    assert row["is_deleted"] == 0


def test_two_batches_at_once_see_each_other(log):
    """The lock is held until the caller has stored the rows: no version is overwritten."""
    barrier = threading.Barrier(8)

    def send(number: int) -> None:
        barrier.wait()
        log.send({"player_id": 1, "name": str(number), "last_update_time_utc": NOON})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = log.rows.column("last_update_time_utc").to_pylist()
    assert sorted(times) == [NOON + n * MS for n in range(8)]


def test_events_pass_unchanged():
    stream = STREAMS["playlogs"]
    table = stream.row_schema.empty_table()
    with ChangelogVersions(lambda *_: pytest.fail("not asked")).resolved(stream, ACCOUNT, table, 0) as rows:
        assert rows is table
