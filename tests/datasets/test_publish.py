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
from fixtures.datasets import BEFORE_NOON_US, HOUR, Desk, current

NOON_US = BEFORE_NOON_US + 1_000_000


class Failing(Faults):
    """Fails once at each of the given points."""

    def __init__(self, *points: str, error: Callable[[], Exception] = lambda: Unavailable("cut off")) -> None:
        self.left, self.error = list(points), error

    def reach(self, point: str) -> None:
        if point in self.left:
            self.left.remove(point)
            raise self.error()


def compact(desk: Desk) -> int:
    [table] = [each for each in desk.services.storage.lake.existing() if each.stream.name == "subscriptions"]
    return Compactor(table, InProcess()).run(EAGER)


def test_a_file_has_what_came_since_the_last(desk: Desk) -> None:
    desk.events("a", "b")
    assert desk.publish() == ["data987-20261102T120000Z-000"]
    desk.clock.advance(4 * HOUR)
    desk.events("c")
    assert desk.publish() == ["data987-20261102T160000Z-000"]
    first, second = desk.files()
    assert (first.rows, first.published_at, first.name) == (
        2,
        NOON_US,
        "subscription_event_log_20261102T120000Z_000.csv",
    )
    assert (first.report_date_begin, first.report_date_end) == ("2026-11-02", "2026-11-02")
    assert len(desk.content(first)) == first.bytes
    assert second.rows == 1
    assert desk.published() == ["a", "b", "c"]


def test_nothing_new_is_no_file(desk: Desk) -> None:
    assert desk.publish(None) == []
    desk.events("a")
    assert len(desk.publish(None)) == 1
    assert desk.publish(None) == []
    assert compact(desk) == 0 or desk.publish(None) == []


def test_compaction_brings_nothing_again(desk: Desk) -> None:
    for name in "abc":
        desk.events(name)
        desk.publish()
        desk.services.storage.event_store.flush()
    desk.events("d")
    desk.services.storage.event_store.flush()
    assert compact(desk) == 1
    desk.events("e")
    desk.publish()
    assert desk.published() == ["a", "b", "c", "d", "e"]
    compact(desk)
    assert desk.publish() == []


def test_rows_of_an_adopted_buffer_come_late_and_once(desk: Desk) -> None:
    later = desk.again()
    desk.events("early")
    desk.abandon()
    desk.clock.advance(4 * HOUR)
    later.events("x")
    later.publish()
    assert later.published() == ["x"]
    later.services.storage.buffer.adopt_orphans()
    later.publish()
    assert later.published() == ["early", "x"]


def test_a_business_has_its_own(desk: Desk) -> None:
    desk.business("other", {"subscription": "data1"})
    rival = desk.services.access.accounts.create("Rival")
    slate_services(desk.services).register.create_business(rival, _business("abc123", {"subscription": "data987"}))
    desk.events("mine")
    desk.send({"business_id": "other", "subscription_event_id": "theirs"})
    desk.send({"subscription_event_id": "rivals"}, account=rival)
    desk.publish(None)
    assert desk.published() == ["mine"]
    assert [row["subscription_event_id"] for row in desk.rows("data1")] == ["theirs"]
    [done] = [each for each in desk.services.on_demand().run(rival) if each.files]
    assert done.files[0].rows == 1


def _business(business: str, ids: dict[str, str]) -> Any:
    from airtally.vendors.slate.entries import NewBusiness

    return NewBusiness("7890", business, business, datasets=ids)


@pytest.mark.parametrize("point", ["dataset.publish", "files.write", "dataset.commit", "dataset.settle"])
def test_cut_off_anywhere(tmp_path, point: str) -> None:
    faults = Failing(point)
    with ExitStack() as closing:
        desk = Desk(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing, faults)
        desk.events("a", "b")
        with pytest.raises(Unavailable):
            desk.publish()
        desk.clock.advance(HOUR)
        desk.events("c")
        desk.publish()
        assert desk.published() == ["a", "b", "c"]
        stored = desk.services.files.names("datasets")
        assert len(stored) == len(desk.files()), "an object that no file names is left"


def test_a_full_disk_puts_a_slot_off(tmp_path) -> None:
    with ExitStack() as closing:
        desk = Desk(tmp_path / "home", MovableClock(NOON_US), closing, Failing("files.write", error=_full))
        desk.services.datasets.publisher.publication_store.enrol()
        desk.events("a")
        desk.clock.advance(4 * HOUR)
        worker = desk.worker()
        while worker.step() is not None:
            pass
        assert desk.files() == []
        desk.clock.advance(60)
        while worker.step() is not None:
            pass
        assert desk.published() == ["a"]


def _full() -> Exception:
    return StorageFull("no room")


def test_every_slot_is_published(desk: Desk) -> None:
    worker = desk.worker()
    worker.care()
    for hour in range(0, 24, 2):
        desk.events(f"e{hour:02}")
        desk.clock.advance(2 * HOUR)
        while worker.step() is not None:
            pass
    assert desk.published() == [f"e{hour:02}" for hour in range(0, 22, 2)]  # the last one waits for noon
    stamps = [file.published_at for file in desk.files()]
    assert len(stamps) == 6
    assert {(after - before) // 1_000_000 for before, after in itertools.pairwise(stamps)} == {4 * HOUR}


def test_two_publish_at_once(desk: Desk) -> None:
    """One waits for the other's job; each row is in one file."""
    other = desk.again()
    desk.events(*(f"a{number}" for number in range(50)))
    threads = [threading.Thread(target=each.publish) for each in (desk, other, desk, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.published()) == 50


def test_who_lost_the_job_publishes_nothing(desk: Desk) -> None:
    publication_store = desk.services.datasets.publisher.publication_store
    publication_store.enrol()
    desk.events("a")
    [subject] = [each for each in publication_store.subjects() if each.dataset.id == "data987"]
    job = desk.services.jobs.take("publication", str(subject.dataset.row_id))
    assert job is not None
    desk.services.jobs.release(job)
    with pytest.raises(LeaseLost):
        desk.services.datasets.publisher.publish(subject, job, lambda: None)
    assert desk.files() == []
    desk.publish()
    assert desk.published() == ["a"]
    assert len(desk.services.files.names("datasets")) == 1


def test_files_live_two_years(desk: Desk) -> None:
    desk.events("a")
    desk.publish()
    desk.clock.advance(732 * 24 * HOUR)
    desk.events("b")
    desk.publish()
    worker = desk.worker()
    assert worker.expire_files() == 0.0
    assert worker.expire_files() is None
    old, new = desk.files()
    assert old.deleted_at is not None
    assert new.deleted_at is None
    assert len(desk.services.files.names("datasets")) == 1
    desk.events("c")
    desk.publish()
    assert desk.services.queries.current(_stream(), "acme").total == 3  # the rows stay


def _stream() -> Any:
    from airtally.streams import SUBSCRIPTIONS

    return SUBSCRIPTIONS


def test_versions_deletions_and_restores(desk: Desk) -> None:
    at = "2026-11-02T10:00:00Z"
    row = {"subscription_event_id": "a", "offer_id": "one", "last_update_time_utc": at}
    desk.send(row, row, {"subscription_event_id": "b", "offer_id": "b"})
    desk.publish()
    desk.send(row, row | {"offer_id": "two"})  # a retry, and another content of the same time
    desk.publish()
    desk.clock.advance(HOUR)
    desk.send({"subscription_event_id": "a", "is_deleted": 1}, {"subscription_event_id": "b", "is_deleted": 1})
    desk.publish()
    desk.clock.advance(HOUR)
    desk.send({"subscription_event_id": "b", "offer_id": "again"})
    desk.publish()
    versions = [row for row in desk.rows() if row["subscription_event_id"] == "a"]
    assert [(row["offer_id"], row["last_update_time_utc"], row["is_deleted"]) for row in versions] == [
        ("one", "2026-11-02 10:00:00.000", "0"),
        ("two", "2026-11-02 10:00:00.001", "0"),
        ("two", "2026-11-02 12:59:59.000", "1"),
    ]
    assert {row["create_time_utc"] for row in versions} == {"2026-11-02 10:00:00.000"}
    assert {name: row["offer_id"] for name, row in current(desk.rows(), "subscription_event_id").items()} == {
        "b": "again"
    }


def test_on_postgresql(tmp_path, empty_postgres_url: str) -> None:
    with ExitStack() as closing:
        desk = Desk(tmp_path / "home", MovableClock(BEFORE_NOON_US), closing, database=empty_postgres_url)
        desk.events("a")
        desk.publish()
        desk.events("b")
        worker = desk.worker()
        worker.care()
        desk.clock.advance(4 * HOUR)
        while worker.step() is not None:
            pass
        assert desk.published() == ["a", "b"]
        assert desk.services.datasets.publisher.publication_store.late(desk.clock.now_us()) == []
