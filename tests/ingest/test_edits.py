"""Changes of single records: each sees the last version, and comes after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.edits import Change, Edits
from airtally.ingest.row_values import InvalidRow, RowValues
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull
from airtally.kit.faults import Faults
from airtally.kit.time import to_datetime
from airtally.query.changelog import VersionsQuery
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.settings import Settings
from airtally.streams import DEVICE_TAGS, DEVICES
from airtally.streams.declaration import Stream
from fixtures.migrated import migrated
from fixtures.storage import NOON_US

Row = dict[str, Any]
DEVICE = {"application": "A", "hwid": "d"}


class Disk(Faults):
    full = False

    def reach(self, point: str) -> None:
        if point == "buffer.write" and self.full:
            raise OSError(28, "No space left on device")


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON_US)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def services(tmp_path: Path, clock: MovableClock, disk: Disk) -> Iterator[Services]:
    services = open_services(migrated(Settings(home=tmp_path)), clock=clock, faults=disk, role=Role.ROWS)
    yield services
    services.close()


@pytest.fixture
def acme(services: Services) -> Account:
    return services.access.accounts.create("Acme", "acme")


@pytest.fixture
def edits(services: Services) -> Edits:
    edits: Edits | None = services.intake.edits
    assert edits is not None
    return edits


def versions(services: Services, stream: Stream) -> list[Row]:
    rows: list[Row] = services.queries.versions(VersionsQuery(stream, "acme")).to_pylist()
    return sorted(rows, key=lambda row: row["last_update_time_utc"])


def to(stream: Stream, *rows: RowValues) -> Change:
    """A change to these rows, whatever there was."""
    return lambda _: {stream.name: rows}


def test_a_version_comes_after_the_last_one_whatever_the_clock_says(
    edits: Edits, services: Services, acme: Account, clock: MovableClock
) -> None:
    for language, seconds in (("pt", 0), ("en", 0), ("de", -3600), ("fr", 7200)):
        clock.advance(seconds)
        edits.run(acme, [DEVICES], ("hwid", "d"), to(DEVICES, DEVICE | {"language": language}))
    found = versions(services, DEVICES)
    assert [row["language"] for row in found] == ["pt", "en", "de", "fr"]
    offsets_us = [0, 1_000, 2_000, 3_600_000_000]
    assert [row["last_update_time_utc"] for row in found] == [to_datetime(NOON_US + each) for each in offsets_us]
    assert {row["create_time_utc"] for row in found} == {to_datetime(NOON_US)}


def test_a_version_that_changes_nothing_is_left_out(
    edits: Edits, services: Services, acme: Account, clock: MovableClock
) -> None:
    for _ in range(2):
        edits.run(acme, [DEVICES], ("hwid", "d"), to(DEVICES, DEVICE | {"language": "pt"}))
        clock.advance(60)
    assert len(versions(services, DEVICES)) == 1


def test_of_many_changes_at_once_each_sees_the_one_before(edits: Edits, services: Services, acme: Account) -> None:
    def count(last: Mapping[str, list[Row]]) -> Mapping[str, Sequence[RowValues]]:
        before = max((row["timezone_seconds"] for row in last[DEVICES.name]), default=0)
        return {DEVICES.name: [DEVICE | {"timezone_seconds": before + 1}]}

    def run() -> None:
        for _ in range(5):
            edits.run(acme, [DEVICES], ("hwid", "d"), count)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row["timezone_seconds"] for row in versions(services, DEVICES)] == list(range(1, 21))


def test_streams_are_changed_together_or_not_at_all(
    edits: Edits, services: Services, acme: Account, disk: Disk
) -> None:
    tag = {"hwid": "d", "tag": "t", "application": "A", "value": "x"}
    both = lambda _: {DEVICES.name: [DEVICE], DEVICE_TAGS.name: [tag]}  # noqa: E731
    disk.full = True
    with pytest.raises(StorageFull):
        edits.run(acme, [DEVICES, DEVICE_TAGS], ("hwid", "d"), both)
    assert versions(services, DEVICES) == versions(services, DEVICE_TAGS) == []
    disk.full = False
    edits.run(acme, [DEVICES, DEVICE_TAGS], ("hwid", "d"), both)
    assert len(versions(services, DEVICES)) == len(versions(services, DEVICE_TAGS)) == 1


def test_a_row_that_the_stream_refuses_is_named_and_nothing_is_kept(
    edits: Edits, services: Services, acme: Account
) -> None:
    rows = DEVICE, DEVICE | {"hwid": "e", "push_token": "x" * 100_000}
    with pytest.raises(InvalidRow, match="push_token: longer than") as refused:
        edits.run(acme, [DEVICES], ("application", "A"), to(DEVICES, *rows))
    assert refused.value.field == "push_token"
    assert versions(services, DEVICES) == []


def test_nothing_wanted_is_nothing_written(edits: Edits, services: Services, acme: Account, disk: Disk) -> None:
    disk.full = True  # it would fail if anything were written
    edits.run(acme, [DEVICES], ("hwid", "d"), lambda _: {})
    assert versions(services, DEVICES) == []
