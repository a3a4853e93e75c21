"""Computing statistics in the test's thread, through trouble, takeovers and until they are removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.engine.protocol import Engine
from airtally.files.store import FileStore
from airtally.jobs.queue import Jobs
from airtally.jobs.worker import WaitUntilVisible, WorkerOptions
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.kit.time import HOUR_US
from airtally.query.service import Queries
from airtally.statistics.asked import EventStatistics, TagStatistics
from airtally.statistics.service import JOB_KIND, KEPT_US, Statistics
from airtally.statistics.worker import StatisticsWorker
from airtally.streams import APP_EVENTS
from fixtures.device_tags import TaggedDevices
from fixtures.snapshots import HandMade

#: What depends on the kind of metadata store is tested with the requests and the jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVENTS = EventStatistics("X", "Open", 0, 2 * HOUR_US)
TAGS = TagStatistics("T", ValueType.STRING, False, ("X",))
DAY_S = KEPT_US // 1_000_000
Start = Callable[..., StatisticsWorker]


class Rows(TaggedDevices):
    """Devices, their tags and the events of an application."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.events = HandMade(folder / "events", APP_EVENTS)

    def snapshot(self, stream, account, **more):
        if stream is APP_EVENTS:
            return self.events.snapshot(stream, account, **more)
        return super().snapshot(stream, account, **more)


@pytest.fixture
def rows(tmp_path: Path, account: Account) -> Rows:
    rows = Rows(tmp_path / "rows")
    event = {"application": "X", "event": "Open", "account": account.slug}
    rows.events.buffered([event | {"time": 5}, event | {"time": HOUR_US, "count": 3}])
    rows.device("X", "1", account=account.slug)
    rows.tag("X", "1", "red", account=account.slug)
    return rows


@pytest.fixture
def worker(
    statistics: Statistics, jobs: Jobs, rows: Rows, duckdb_engine: Engine, clock: MovableClock, tmp_path: Path
) -> Iterator[Start]:
    made: list[StatisticsWorker] = []

    def make(wait_until_visible: WaitUntilVisible = lambda _moment, _stop: None) -> StatisticsWorker:
        made.append(
            StatisticsWorker(
                statistics,
                jobs,
                Queries(duckdb_engine, rows),
                FileStore.open(str(tmp_path / "files")),
                clock,
                wait_until_visible=wait_until_visible,
                options=WorkerOptions(renew_seconds=0.05),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_events_are_counted_by_hour(worker: Start, statistics: Statistics, account: Account) -> None:
    request_id = statistics.ask(account, EVENTS)
    assert worker().step() == 0.0
    found = statistics.find(account, request_id)
    assert found is not None
    assert (found.status, found.data_through) == ("ready", 17)
    assert [hour["count"] for hour in json.loads(found.result or b"")] == [1, 3]
    assert worker().step() is None


def test_a_tags_file_is_stored_before_it_is_ready_and_removed_before_it_is_forgotten(
    worker: Start, statistics: Statistics, account: Account, clock: MovableClock, tmp_path: Path
) -> None:
    request_id = statistics.ask(account, TAGS)
    worker().step()
    found = statistics.find(account, request_id)
    assert found is not None
    (path,) = (path for path in (tmp_path / "files").rglob("*") if path.is_file())
    assert path.name == found.file_name
    assert path.read_text().splitlines() == ["X;red;1"]
    clock.advance(DAY_S - 1)
    assert worker().expire() is None
    assert path.exists()
    clock.advance(1)
    assert worker().expire() == 0.0
    assert not path.exists()
    assert worker().expire() is None


def test_rows_of_other_machines_are_waited_for_up_to_the_request(
    worker: Start, statistics: Statistics, account: Account, clock: MovableClock
) -> None:
    waited = []
    asked_at = clock.now_us()
    statistics.ask(account, EVENTS)
    clock.advance(7)
    worker(lambda moment, _stop: waited.append(moment)).step()
    assert waited == [asked_at]


def test_rows_that_do_not_come_fail_the_request_after_five_minutes(
    worker: Start, statistics: Statistics, account: Account, clock: MovableClock
) -> None:
    def behind(_moment: int, _stop: object) -> None:
        raise Unavailable("Rows received by the writer on far-away have not reached the lake in time")

    request_id = statistics.ask(account, EVENTS)
    late = worker(behind)
    late.step()
    assert statistics.find(account, request_id).status == "waiting"  # type: ignore[union-attr]
    clock.advance(300)
    late.step()
    assert statistics.find(account, request_id).status == "failed"  # type: ignore[union-attr]


def test_a_worker_that_lost_its_lease_leaves_the_result_to_the_next(
    worker: Start, statistics: Statistics, jobs: Jobs, account: Account, clock: MovableClock
) -> None:
    """Both write the file under one name."""
    request_id = statistics.ask(account, TAGS)

    def overtaken(_moment: int, _stop: object) -> None:
        clock.advance(61)
        assert worker().step() == 0.0
        clock.advance(1)

    worker(overtaken).step()
    found = statistics.find(account, request_id)
    assert found is not None
    assert found.status == "ready"
    assert found.ended_at == clock.now_us() - 1_000_000
    assert jobs.find(JOB_KIND, request_id).attempts == 2  # type: ignore[union-attr]
