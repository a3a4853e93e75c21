from __future__ import annotations

import threading

import pytest

from airtally.database.store import MetadataStore
from airtally.jobs import turns
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict
from airtally.kit.time import SECOND_US


@pytest.fixture
def jobs(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "one")


@pytest.fixture
def others(metadata: MetadataStore, clock: MovableClock) -> Jobs:
    return Jobs(metadata, clock, "two")


def add(jobs: Jobs, subject: str, *, kind: str = "report", run_at: int | None = None) -> int:
    with jobs._store.begin() as connection:
        return jobs.add(connection, kind, subject, None, run_at)


def claimed(jobs: Jobs, kind: str = "report") -> Job:
    job = jobs.claim([kind], 60)
    assert job is not None
    return job


def finish(jobs: Jobs, job: Job) -> None:
    with jobs._store.begin() as connection:
        jobs.finish(connection, job)


def test_jobs_are_handed_back_only_of_processes_known_to_be_gone(jobs: Jobs, others: Jobs) -> None:
    """Of two containers with one host name neither knows the other's to be gone: the lease must end first."""
    add(jobs, "1")
    claimed(jobs)
    assert others.release_gone(lambda _: False) == 0
    assert others.claim(["report"], 60) is None
    assert others.release_gone(lambda owner: owner == "one") == 1
    assert claimed(others).attempts == 2


def test_a_job_is_taken_once_and_done(jobs: Jobs, others: Jobs) -> None:
    job_id = add(jobs, "1")
    job = claimed(jobs)
    assert (job.id, job.subject, job.state, job.attempts, job.lease_owner) == (job_id, "1", "running", 1, "one")
    assert others.claim(["report"]) is None
    finish(jobs, job)
    done = jobs.find("report", "1")
    assert done is not None
    assert (done.state, done.lease_owner) == ("done", None)
    assert jobs.claim(["report"]) is None
    assert jobs.counts() == {("report", "done"): 1}


def test_only_kinds_asked_for_are_taken(jobs: Jobs) -> None:
    add(jobs, "1", kind="dataset")
    assert jobs.claim(["report"]) is None
    assert jobs.claim(["report", "dataset"]) is not None


def test_earliest_due_first_and_none_before_its_time(jobs: Jobs, clock: MovableClock) -> None:
    now = clock.now_us()
    add(jobs, "later", run_at=now + 10 * SECOND_US)
    add(jobs, "second", run_at=now - 1)
    add(jobs, "first", run_at=now - 2)
    assert [claimed(jobs).subject, claimed(jobs).subject] == ["first", "second"]
    assert jobs.claim(["report"]) is None
    clock.advance(10)
    assert claimed(jobs).subject == "later"


def test_a_subject_has_one_job_of_a_kind(jobs: Jobs) -> None:
    add(jobs, "1")
    with pytest.raises(Conflict):
        add(jobs, "1")
    add(jobs, "1", kind="dataset")


def test_a_dead_workers_job_is_taken_over_and_lost_to_it(jobs: Jobs, others: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    mine = claimed(jobs)
    clock.advance(59)
    assert others.claim(["report"]) is None
    clock.advance(1)
    theirs = claimed(others)
    assert (theirs.id, theirs.attempts) == (mine.id, 2)
    for attempt in (
        lambda: finish(jobs, mine),
        lambda: jobs.renew(mine),
        lambda: jobs.progress(mine, 1),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    jobs.release(mine)
    finish(others, theirs)


def test_what_the_loser_wrote_beside_the_job_is_undone(jobs: Jobs, others: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    mine = claimed(jobs)
    clock.advance(61)
    claimed(others)
    with pytest.raises(LeaseLost), jobs._store.begin() as connection:  # noqa: PT012 (the second is refused)
        jobs.add(connection, "notice", "1", None)
        jobs.finish(connection, mine)
    assert jobs.find("notice", "1") is None


def test_the_same_process_cannot_end_an_earlier_taking(jobs: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    earlier = claimed(jobs)
    clock.advance(61)
    later = claimed(jobs)
    with pytest.raises(LeaseLost):
        finish(jobs, earlier)
    finish(jobs, later)


def test_a_renewed_lease_holds(jobs: Jobs, others: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    job = claimed(jobs)
    clock.advance(50)
    jobs.progress(job, 3, 10)
    clock.advance(50)
    assert others.claim(["report"]) is None
    kept = jobs.get(job.id)
    assert kept is not None
    assert (kept.progress_done, kept.progress_total) == (3, 10)
    jobs.renew(job, 10)
    clock.advance(11)
    assert others.claim(["report"]) is not None


def test_retry_waits_and_failure_is_final(jobs: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    job = claimed(jobs)
    with jobs._store.begin() as connection:
        jobs.retry(connection, job, clock.now_us() + 30 * SECOND_US, "the bucket does not answer")
    assert jobs.claim(["report"]) is None
    clock.advance(30)
    job = claimed(jobs)
    assert (job.attempts, job.error) == (2, "the bucket does not answer")
    with jobs._store.begin() as connection:
        jobs.fail(connection, job, "the bucket does not exist")
    clock.advance(10_000)
    assert jobs.claim(["report"]) is None
    failed = jobs.get(job.id)
    assert failed is not None
    assert (failed.state, failed.error) == ("failed", "the bucket does not exist")


def test_released_jobs_are_ready_at_once(jobs: Jobs, others: Jobs) -> None:
    add(jobs, "1")
    add(jobs, "2")
    jobs.release(claimed(jobs))
    claimed(jobs), claimed(jobs)
    assert jobs.release_all() == 2
    assert {claimed(others).subject, claimed(others).subject} == {"1", "2"}


def test_workers_together_take_each_job_once(metadata: MetadataStore, clock: MovableClock, jobs: Jobs) -> None:
    for number in range(40):
        add(jobs, str(number))
    taken: list[str] = []

    def work(owner: str) -> None:
        mine = Jobs(metadata, clock, owner)
        while job := mine.claim(["report"]):
            taken.append(job.subject)
            finish(mine, job)

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(40)]


def test_looking_for_work_is_a_look_into_the_index(sqlite_url: str, clock: MovableClock) -> None:
    """However many jobs wait: for each account with waiting jobs a few looks."""
    store = MetadataStore.open(sqlite_url)
    with store.read() as connection:
        asked = {"kind": "report", "owner": "one", "now": clock.now_us(), "each": 2}
        query = turns.NEXT_JOB.params(asked)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    assert "ix_jobs_kind_state_account_id_run_at_id" in plan
    assert "SCAN jobs" not in plan
    store.close()


def test_one_job_is_taken_by_name_unless_another_has_it(jobs: Jobs, others: Jobs, clock: MovableClock) -> None:
    add(jobs, "1", run_at=clock.now_us() + 3600 * SECOND_US)
    assert jobs.take("report", "2") is None
    job = jobs.take("report", "1", 60)
    assert job is not None
    assert others.take("report", "1") is None
    clock.advance(60)
    taken_over = others.take("report", "1")
    assert taken_over is not None
    with pytest.raises(LeaseLost):
        finish(jobs, job)


def test_a_job_that_comes_back(jobs: Jobs, clock: MovableClock) -> None:
    add(jobs, "1")
    job = claimed(jobs)
    with jobs._store.begin() as connection:
        jobs.again(connection, job, clock.now_us() + 10 * SECOND_US)
    assert jobs.claim(["report"]) is None
    clock.advance(10)
    assert claimed(jobs).attempts == 2
