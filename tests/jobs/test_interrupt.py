"""Jobs that are cancelled and begun anew, by several processes on one store."""

from __future__ import annotations

import pytest

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.jobs.interrupt import begin_job_anew, cancel_job, put_job_off
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import LEASE_SECONDS, Job, Jobs
from airtally.jobs.retry_policy import RetryPolicy
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict


@pytest.fixture
def mine(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "mine")


@pytest.fixture
def other(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "other")


def added(jobs: Jobs, metadata: MetadataStore, account: Account) -> Job:
    with metadata.begin() as connection:
        job_id = jobs.add(connection, "report", "7", account.id)
    return now(jobs, job_id)


def now(jobs: Jobs, job_id: int) -> Job:
    found = jobs.get(job_id)
    assert found is not None
    return found


def cancel(jobs: Jobs, metadata: MetadataStore, job: Job) -> None:
    with metadata.begin() as connection:
        cancel_job(connection, job, "Cancelled by key 1", jobs.now_us())


def begin_anew(jobs: Jobs, metadata: MetadataStore, job: Job) -> None:
    with metadata.begin() as connection:
        begin_job_anew(connection, job, jobs.now_us())


def test_a_waiting_job_ends_at_once_and_nobody_gets_it(mine: Jobs, metadata: MetadataStore, account: Account) -> None:
    job = added(mine, metadata, account)
    with pytest.raises(Conflict, match="is ready"):
        begin_anew(mine, metadata, job)
    cancel(mine, metadata, job)
    assert (now(mine, job.id).state, now(mine, job.id).error) == ("cancelled", "Cancelled by key 1")
    assert mine.claim(("report",)) is None
    with pytest.raises(Conflict, match="is cancelled"):
        cancel(mine, metadata, job)
    begin_anew(mine, metadata, job)
    again = mine.claim(("report",))
    assert again is not None
    assert (again.id, again.tries, again.error) == (job.id, 1, None)


def test_the_worker_of_a_cancelled_job_can_write_nothing_more(
    mine: Jobs, other: Jobs, metadata: MetadataStore, account: Account, clock: MovableClock
) -> None:
    """Until it has let go nobody begins the job anew: another process's saying so does not count."""
    job = added(mine, metadata, account)
    held = mine.claim(("report",))
    assert held is not None
    cancel(other, metadata, job)
    with pytest.raises(LeaseLost):
        mine.renew(held)
    with pytest.raises(LeaseLost), metadata.begin() as connection:
        mine.finish(connection, held)
    with pytest.raises(Conflict, match="about to stop") as refused:
        begin_anew(other, metadata, job)
    assert refused.value.retry_after
    other.let_go(held)
    with pytest.raises(Conflict, match="about to stop"):
        begin_anew(other, metadata, job)
    mine.let_go(held)
    clock.advance(5)
    begin_anew(other, metadata, job)
    again = other.claim(("report",))
    assert again is not None
    assert (again.attempts, again.tries, again.created_at) == (2, 1, clock.now_us())
    mine.let_go(held)
    with pytest.raises(LeaseLost):
        mine.progress(held, 1)
    with metadata.begin() as connection:
        other.finish(connection, again)
    with pytest.raises(Conflict, match="is done"):
        begin_anew(mine, metadata, job)
    with pytest.raises(Conflict, match="is done"):
        cancel(mine, metadata, job)


def test_a_worker_that_died_is_waited_for_until_its_lease_ends(
    mine: Jobs, other: Jobs, metadata: MetadataStore, account: Account, clock: MovableClock
) -> None:
    job = added(mine, metadata, account)
    assert mine.claim(("report",)) is not None
    cancel(other, metadata, job)
    clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(Conflict, match="about to stop"):
        begin_anew(other, metadata, job)
    clock.advance(1)
    begin_anew(other, metadata, job)
    assert other.claim(("report",)) is not None


def test_a_worker_that_is_known_to_be_dead_is_not_waited_for(
    mine: Jobs, other: Jobs, metadata: MetadataStore, account: Account
) -> None:
    job = added(mine, metadata, account)
    assert mine.claim(("report",)) is not None
    cancel(other, metadata, job)
    other.release_gone(lambda _owner: False)
    with pytest.raises(Conflict, match="about to stop"):
        begin_anew(other, metadata, job)
    other.release_gone(lambda owner: owner == "mine")
    begin_anew(other, metadata, job)


def test_a_job_that_ran_out_of_tries_has_all_of_them_again(
    mine: Jobs, metadata: MetadataStore, account: Account
) -> None:
    policy, job = RetryPolicy((1,), attempts=2), added(mine, metadata, account)
    for _ in range(3):
        held = mine.claim(("report",))
        assert held is not None
        mine.release(held)
    last = mine.claim(("report",))
    assert last is not None
    assert not policy.allows(last.tries)
    with metadata.begin() as connection:
        mine.fail(connection, last, "no use")
    begin_anew(mine, metadata, job)
    again = mine.claim(("report",))
    assert again is not None
    assert policy.allows(again.tries)
    assert (again.attempts, again.attempts_before) == (5, 4)


def test_a_recurring_job_is_due_again(
    mine: Jobs, metadata: MetadataStore, account: Account, clock: MovableClock
) -> None:
    job, due = added(mine, metadata, account), clock.now_us() + 10_000_000
    with pytest.raises(Conflict, match="is ready"), metadata.begin() as connection:
        put_job_off(connection, job, due, "Cancelled", clock.now_us())
    held = mine.claim(("report",))
    assert held is not None
    with metadata.begin() as connection:
        put_job_off(connection, job, due, "Cancelled", clock.now_us())
    with pytest.raises(LeaseLost):
        mine.renew(held)
    assert mine.claim(("report",)) is None
    clock.advance(10)
    assert mine.claim(("report",)) is not None
