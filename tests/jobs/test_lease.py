"""A lease is renewed while its work runs, and the work learns when it is lost."""

from __future__ import annotations

import time

import pytest

from airtally.database.store import MetadataStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.kit.faults import Faults


class Away(Faults):
    """The store cannot be written to while `away`."""

    away = False
    refused = 0

    def reach(self, point: str) -> None:
        if self.away and point == "metadata.write":
            self.refused += 1
            raise Unavailable("away")


@pytest.fixture
def faults() -> Away:
    return Away()


@pytest.fixture
def jobs(database_url: str, metadata: MetadataStore, clock: MovableClock, faults: Away) -> Jobs:
    store = MetadataStore.open(database_url, faults=faults)
    yield Jobs(store, clock, "one")
    store.close()


@pytest.fixture
def job(jobs: Jobs) -> Job:
    with jobs._store.begin() as connection:
        jobs.add(connection, "report", "1", None)
    job = jobs.claim(["report"], 60)
    assert job is not None
    return job


def lease_until(jobs: Jobs, job: Job) -> int:
    found = jobs.get(job.id)
    assert found is not None
    return found.lease_until or 0


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_lease_is_renewed_for_as_long_as_the_block_runs(jobs: Jobs, job: Job, clock: MovableClock) -> None:
    with KeptLease(jobs, job, lease_seconds=60, every_seconds=0.01) as lease:
        for _ in range(3):
            clock.advance(30)
            wait_for(lambda: lease_until(jobs, job) == clock.now_us() + 60_000_000)
        lease.check()
    clock.advance(30)
    time.sleep(0.05)
    assert lease_until(jobs, job) == clock.now_us() + 30_000_000


def test_a_store_that_is_away_for_a_moment_loses_no_lease(
    jobs: Jobs, job: Job, clock: MovableClock, faults: Away
) -> None:
    with KeptLease(jobs, job, lease_seconds=60, every_seconds=0.01) as lease:
        faults.away = True
        wait_for(lambda: faults.refused > 2)
        lease.check()
        faults.away = False
        clock.advance(30)
        wait_for(lambda: lease_until(jobs, job) == clock.now_us() + 60_000_000)


def test_a_job_that_was_taken_over_is_lost(jobs: Jobs, job: Job, metadata: MetadataStore, clock: MovableClock) -> None:
    other = Jobs(metadata, clock, "two")
    with KeptLease(jobs, job, lease_seconds=60, every_seconds=3600) as lease:
        clock.advance(61)
        assert other.claim(["report"]) is not None
        lease.check()  # nobody has asked yet
    with KeptLease(jobs, job, lease_seconds=60, every_seconds=0.01) as lease:

        def lost() -> bool:
            try:
                lease.check()
            except LeaseLost:
                return True
            return False

        wait_for(lost)
