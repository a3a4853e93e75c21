"""What becomes of a job by what its work raises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airtally.database.store import MetadataStore
from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import GivenUp, Stopping, Worker, WorkerOptions
from airtally.kit.clock import MovableClock
from airtally.kit.errors import NotFound, StorageFull, Unavailable

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Task(Worker):
    """Does what the test says."""

    name = "task"
    kinds = ("task",)
    thing = "task"
    doing = "This task"

    def __init__(self, store: MetadataStore, clock: MovableClock, does: Callable[[Task, Job], object]) -> None:
        super().__init__(Jobs(store, clock, "worker-1"), clock, WorkerOptions(poll_seconds=0.01))
        self._store = store
        self._does = does

    def work(self, job: Job, lease: KeptLease) -> None:
        self._does(self, job)
        self.check(lease)
        with self._store.begin() as connection:
            self._jobs.finish(connection, job)

    def give_up(self, job: Job, reason: str) -> None:
        with self._store.begin() as connection:
            self._jobs.fail(connection, job, reason)


@pytest.fixture
def run(metadata: MetadataStore, clock: MovableClock) -> Callable[..., Job]:
    """Adds a job, steps once, and gives what became of it."""

    def step(does: Callable[[Task, Job], object], *, age: float = 0) -> Job:
        jobs = Jobs(metadata, clock, "other")
        with metadata.begin() as connection:
            job_id = jobs.add(connection, "task", "one", None)
        clock.advance(age)
        assert Task(metadata, clock, does).step() == 0.0
        found = jobs.get(job_id)
        assert found is not None
        return found

    return step


def fails(error: Exception) -> Callable[[Task, Job], None]:
    def does(_task: Task, _job: Job) -> None:
        raise error

    return does


def test_done(run: Callable[..., Job]) -> None:
    job = run(lambda _task, _job: None)
    assert (job.state, job.error, job.lease_owner) == ("done", None, None)


@pytest.mark.parametrize("error", [Unavailable("away"), StorageFull("no room", hint="Make some.")])
def test_what_may_pass_is_waited_out_for_an_hour(
    run: Callable[..., Job], clock: MovableClock, error: Exception
) -> None:
    job = run(fails(error), age=3599)
    assert (job.state, job.run_at) == ("ready", clock.now_us() + 2_000_000)
    assert job.error is not None


@pytest.mark.parametrize(
    ("error", "reason", "age"),
    [
        (Unavailable("away"), "away", 3600),
        (GivenUp("no use"), "no use", 0),
        (NotFound("no such thing", hint="Look."), "no such thing Look.", 0),
        (ValueError("secret"), "A fault in the server (ValueError); its log has the details under this task's number.", 0),
    ],
)  # fmt: skip
def test_the_rest_is_given_up(run: Callable[..., Job], error: Exception, reason: str, age: float) -> None:
    job = run(fails(error), age=age)
    assert (job.state, job.error) == ("failed", reason)


@pytest.mark.parametrize("error", [None, Stopping(), ValueError("torn out of its work")])
def test_at_a_stop_it_goes_back_as_it_is(run: Callable[..., Job], error: Exception | None) -> None:
    def does(task: Task, _job: Job) -> None:
        task._stopping.set()
        if error is not None:
            raise error

    job = run(does)
    assert (job.state, job.error, job.lease_owner) == ("ready", None, None)


def test_rows_that_do_not_come_are_waited_for_five_minutes(run: Callable[..., Job]) -> None:
    def behind(moment: int, _stop: object) -> None:
        raise Unavailable(f"Rows received by {moment} have not come")

    job = run(lambda task, job: task.wait_for_rows_of(job, behind), age=300)
    assert (job.state, job.error) == ("failed", f"Rows received by {job.created_at} have not come")
