"""Each version in exactly one file, whatever happens between rows, lake, files and metadata store."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from airtally.engine.child_process import InProcess
from airtally.jobs.leased_table import LeaseLost
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull, Unavailable
from airtally.kit.faults import Faults
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.vendors.slate.services import slate_services
from fixtures.datasets import BEFORE_NOON_US, HOUR, DatasetHome, current

NOON_US = BEFORE_NOON_US + 1_000_000


class Failing(Faults):
    """Fails once at each of the given points."""

    def __init__(self, *points: str, error: Callable[[], Exception] = lambda: Unavailable("cut off")) -> None:
        self.left, self.error = list(points), error

    def reach(self, point: str) -> None:
        if point in self.left:
            self.left.remove(point)
            raise self.error()


def compact(dataset_home: DatasetHome) -> int:
    [table] = [each for each in dataset_home.services.storage.lake.existing() if each.stream.name == "subscriptions"]
    return Compactor(table, InProcess()).run(EAGER)


def test_a_file_has_what_came_since_the_last(dataset_home: DatasetHome) -> None:
    dataset_home.events("a", "b")
    assert dataset_home.publish() == ["data987-20261102T120000Z-000"]
    dataset_home.clock.advance(4 * HOUR)
    dataset_home.events("c")
    assert dataset_home.publish() == ["data987-20261102T160000Z-000"]
    first, second = dataset_home.files()
    assert (first.rows, first.published_at, first.name) == (
        2,
        NOON_US,
        "subscription_event_log_20261102T120000Z_000.csv",
    )
    assert (first.report_date_begin, first.report_date_end) == ("2026-11-02", "2026-11-02")
    assert len(dataset_home.content(first)) == first.bytes
    assert second.rows == 1
    assert dataset_home.published() == ["a", "b", "c"]


def test_nothing_new_is_no_file(dataset_home: DatasetHome) -> None:
    assert dataset_home.publish(None) == []
    dataset_home.events("a")
    assert len(dataset_home.publish(None)) == 1
    assert dataset_home.publish(None) == []
    assert compact(dataset_home) == 0 or dataset_home.publish(None) == []


def test_compaction_brings_nothing_again(dataset_home: DatasetHome) -> None:
    for name in "abc":
        dataset_home.events(name)
        dataset_home.publish()
        dataset_home.services.storage.event_store.flush()
    dataset_home.events("d")
    dataset_home.services.storage.event_store.flush()
    assert compact(dataset_home) == 1
    dataset_home.events("e")
    dataset_home.publish()
    assert dataset_home.published() == ["a", "b", "c", "d", "e"]
    compact(dataset_home)
    assert dataset_home.publish() == []


def test_rows_of_an_adopted_buffer_come_late_and_once(dataset_home: DatasetHome) -> None:
    later = dataset_home.again()
    dataset_home.events("early")
    dataset_home.abandon()
    dataset_home.clock.advance(4 * HOUR)
    later.events("x")
    later.publish()
    assert later.published() == ["x"]
    later.services.storage.buffer.adopt_orphans()
    later.publish()
    assert later.published() == ["early", "x"]


def test_a_business_has_its_own(dataset_home: DatasetHome) -> None:
    dataset_home.business("other", {"subscription": "data1"})
    rival = dataset_home.services.access.accounts.create("Rival")
    slate_services(dataset_home.services).register.create_business(
        rival, _business("abc123", {"subscription": "data987"})
    )
    dataset_home.events("mine")
    dataset_home.send({"business_id": "other", "subscription_event_id": "theirs"})
    dataset_home.send({"subscription_event_id": "rivals"}, account=rival)
    dataset_home.publish(None)
    assert dataset_home.published() == ["mine"]
    assert [row["subscription_event_id"] for row in dataset_home.rows("data1")] == ["theirs"]
    [done] = [each for each in dataset_home.services.on_demand().run(rival) if each.files]
    assert done.files[0].rows == 1


def _business(business: str, ids: dict[str, str]) -> Any:
    from airtally.vendors.slate.entries import NewBusiness

    return NewBusiness("7890", business, business, datasets=ids)


@pytest.mark.parametrize("point", ["dataset.publish", "files.write", "dataset.commit", "dataset.settle"])
def test_cut_off_anywhere(tmp_path, point: str) -> None:
    faults = Failing(point)
    with ExitStack() as closing:
        dataset_home = DatasetHome(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing, faults)
        dataset_home.events("a", "b")
        with pytest.raises(Unavailable):
            dataset_home.publish()
        dataset_home.clock.advance(HOUR)
        dataset_home.events("c")
        dataset_home.publish()
        assert dataset_home.published() == ["a", "b", "c"]
        stored = dataset_home.services.files.names("datasets")
        assert len(stored) == len(dataset_home.files()), "an object that no file names is left"


def test_a_full_disk_puts_a_slot_off(tmp_path) -> None:
    with ExitStack() as closing:
        dataset_home = DatasetHome(
            tmp_path / "home", MovableClock(NOON_US), closing, Failing("files.write", error=_full)
        )
        dataset_home.services.datasets.publisher.publication_store.enrol()
        dataset_home.events("a")
        dataset_home.clock.advance(4 * HOUR)
        worker = dataset_home.worker()
        while worker.step() is not None:
            pass
        assert dataset_home.files() == []
        dataset_home.clock.advance(60)
        while worker.step() is not None:
            pass
        assert dataset_home.published() == ["a"]


def _full() -> Exception:
    return StorageFull("no room")


def test_every_slot_is_published(dataset_home: DatasetHome) -> None:
    worker = dataset_home.worker()
    worker.care()
    for hour in range(0, 24, 2):
        dataset_home.events(f"e{hour:02}")
        dataset_home.clock.advance(2 * HOUR)
        while worker.step() is not None:
            pass
    assert dataset_home.published() == [f"e{hour:02}" for hour in range(0, 22, 2)]  # the last one waits for noon
    stamps = [file.published_at for file in dataset_home.files()]
    assert len(stamps) == 6
    assert {(after - before) // 1_000_000 for before, after in itertools.pairwise(stamps)} == {4 * HOUR}


def test_two_publish_at_once(dataset_home: DatasetHome) -> None:
    """One waits for the other's job; each row is in one file."""
    other = dataset_home.again()
    dataset_home.events(*(f"a{number}" for number in range(50)))
    threads = [threading.Thread(target=each.publish) for each in (dataset_home, other, dataset_home, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(dataset_home.published()) == 50


def test_who_lost_the_job_publishes_nothing(dataset_home: DatasetHome) -> None:
    publication_store = dataset_home.services.datasets.publisher.publication_store
    publication_store.enrol()
    dataset_home.events("a")
    [subject] = [each for each in publication_store.subjects() if each.dataset.id == "data987"]
    job = dataset_home.services.jobs.take("publication", str(subject.dataset.row_id))
    assert job is not None
    dataset_home.services.jobs.release(job)
    with pytest.raises(LeaseLost):
        dataset_home.services.datasets.publisher.publish(subject, job, lambda: None)
    assert dataset_home.files() == []
    dataset_home.publish()
    assert dataset_home.published() == ["a"]
    assert len(dataset_home.services.files.names("datasets")) == 1


def test_files_live_two_years(dataset_home: DatasetHome) -> None:
    dataset_home.events("a")
    dataset_home.publish()
    dataset_home.clock.advance(732 * 24 * HOUR)
    dataset_home.events("b")
    dataset_home.publish()
    worker = dataset_home.worker()
    assert worker.expire_files() == 0.0
    assert worker.expire_files() is None
    old, new = dataset_home.files()
    assert old.deleted_at is not None
    assert new.deleted_at is None
    assert len(dataset_home.services.files.names("datasets")) == 1
    dataset_home.events("c")
    dataset_home.publish()
    assert dataset_home.services.queries.current(_stream(), "acme").total == 3  # the rows stay


def _stream() -> Any:
    from airtally.streams import SUBSCRIPTIONS

    return SUBSCRIPTIONS


def test_versions_deletions_and_restores(dataset_home: DatasetHome) -> None:
    at = "2026-11-02T10:00:00Z"
    row = {"subscription_event_id": "a", "offer_id": "one", "last_update_time_utc": at}
    dataset_home.send(row, row, {"subscription_event_id": "b", "offer_id": "b"})
    dataset_home.publish()
    dataset_home.send(row, row | {"offer_id": "two"})  # a retry, and another content of the same time
    dataset_home.publish()
    dataset_home.clock.advance(HOUR)
    dataset_home.send({"subscription_event_id": "a", "is_deleted": 1}, {"subscription_event_id": "b", "is_deleted": 1})
    dataset_home.publish()
    dataset_home.clock.advance(HOUR)
    dataset_home.send({"subscription_event_id": "b", "offer_id": "again"})
    dataset_home.publish()
    versions = [row for row in dataset_home.rows() if row["subscription_event_id"] == "a"]
    assert [(row["offer_id"], row["last_update_time_utc"], row["is_deleted"]) for row in versions] == [
        ("one", "2026-11-02 10:00:00.000", "0"),
        ("two", "2026-11-02 10:00:00.001", "0"),
        ("two", "2026-11-02 12:59:59.000", "1"),
    ]
    assert {row["create_time_utc"] for row in versions} == {"2026-11-02 10:00:00.000"}
    assert {name: row["offer_id"] for name, row in current(dataset_home.rows(), "subscription_event_id").items()} == {
        "b": "again"
    }


def test_on_postgresql(tmp_path, empty_postgres_url: str) -> None:
    with ExitStack() as closing:
        dataset_home = DatasetHome(
            tmp_path / "home", MovableClock(BEFORE_NOON_US), closing, database=empty_postgres_url
        )
        dataset_home.events("a")
        dataset_home.publish()
        dataset_home.events("b")
        worker = dataset_home.worker()
        worker.care()
        dataset_home.clock.advance(4 * HOUR)
        while worker.step() is not None:
            pass
        assert dataset_home.published() == ["a", "b"]
        assert dataset_home.services.datasets.publisher.publication_store.late(dataset_home.clock.now_us()) == []
