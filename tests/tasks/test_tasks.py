"""Tasks: asked for twice, worked on by several processes, taken over, failed, expired."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from airtally.accounts.audit import AuditTrail
from airtally.database.store import MetadataStore
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import WorkerOptions
from airtally.kit.clock import MovableClock
from airtally.kit.errors import Conflict, NotFound
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.tasks.task import Task, TaskResult
from airtally.tasks.tasks import KEPT_US, NewTask, Tasks
from airtally.tasks.worker import Check, TaskWorker

SWEEP = NewTask("sweep", "floors", "1", "floor 1")


class Sweeping(TaskWorker):
    """Three rooms are the steps of a task; `swept` is called for each."""

    name = "sweeping"
    kinds = ("sweep",)

    def __init__(
        self, store: MetadataStore, clock: MovableClock, owner: str, swept: Callable[[int], object], faults: Faults
    ) -> None:
        jobs = Jobs(store, clock, owner)
        options = WorkerOptions(workers=1, poll_seconds=0.01)
        super().__init__(Tasks(store, clock, jobs), jobs, clock, options=options, faults=faults)
        self._swept = swept

    def steps(self, task: Task, check: Check) -> Iterator[TaskResult]:
        for room in range(len(task.results), 3):
            self._swept(room)
            yield {"room": room}
            check()


@pytest.fixture
def tasks(metadata: MetadataStore, clock: MovableClock) -> Tasks:
    return Tasks(metadata, clock, Jobs(metadata, clock, "asking"))


@pytest.fixture
def worker(metadata: MetadataStore, clock: MovableClock) -> Callable[..., Sweeping]:
    def made(
        owner: str = "worker", swept: Callable[[int], object] = lambda _: None, faults: Faults = NO_FAULTS
    ) -> Sweeping:
        return Sweeping(metadata, clock, owner, swept, faults)

    return made


def test_what_waits_is_not_asked_for_twice(
    metadata: MetadataStore, clock: MovableClock, tasks: Tasks, worker: Callable[..., Sweeping]
) -> None:
    """Once it has begun, what is asked for is another: it may have read already what was changed since."""
    first = tasks.request(SWEEP)
    assert tasks.request(SWEEP) == first
    asked = []
    assert worker(swept=lambda _: asked.append(tasks.request(SWEEP).id)).step() == 0.0
    (second,) = set(asked)
    assert (len(asked), second > first.id) == (3, True)
    done = tasks.get("sweep", first.id)
    assert (done.state, done.results, done.error) == ("done", tuple({"room": room} for room in range(3)), None)
    assert [each.id for each in tasks.page("sweep")] == [second, first.id]
    assert [each.id for each in tasks.page("sweep", after=second, subject="1")] == [first.id]
    assert tasks.page("sweep", subject="2") == []
    with pytest.raises(NotFound):
        tasks.get("sweep", first.id, subject="2")
    entries = AuditTrail(metadata, clock, days=1).entries(None)
    assert [(each.action, each.target) for each in entries] == [("sweep.floors", "floor 1")] * 2


def test_a_takeover_goes_on_after_the_last_step(
    tasks: Tasks, worker: Callable[..., Sweeping], metadata: MetadataStore, clock: MovableClock
) -> None:
    made = tasks.request(SWEEP)
    dying = Jobs(metadata, clock, "dying")
    job = dying.claim(("sweep",), 60)
    assert job is not None
    Tasks(metadata, clock, dying).begin(job)
    Tasks(metadata, clock, dying).note_result(job, {"room": 0})
    clock.advance(61)
    rooms: list[int] = []
    assert worker("other", rooms.append).step() == 0.0
    assert rooms == [1, 2]
    assert len(tasks.get("sweep", made.id).results) == 3
    _refuses_all(Tasks(metadata, clock, dying), job)
    assert len(tasks.get("sweep", made.id).results) == 3


def _refuses_all(late: Tasks, job: Job) -> None:
    """What a process that lost its lease may not do."""
    for change in (
        late.begin,
        late.finish,
        lambda job: late.note_result(job, {"room": 9}),
        lambda job: late.fail(job, "late"),
    ):
        with pytest.raises(LeaseLost):
            change(job)


def test_many_processes_do_each_task_once(tasks: Tasks, worker: Callable[..., Sweeping]) -> None:
    made = [tasks.request(NewTask("sweep", "floors", str(floor), "floor")) for floor in range(6)]
    swept: list[int] = []
    workers = [worker(f"process-{number}", swept.append) for number in range(3)]

    def work(each: Sweeping) -> None:
        while each.step() == 0.0:
            continue

    threads = [threading.Thread(target=work, args=(each,)) for each in workers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {tasks.get("sweep", each.id).state for each in made} == {"done"}
    assert sorted(swept) == sorted(list(range(3)) * 6)


def test_what_fails_says_why_and_keeps_what_was_done(tasks: Tasks, worker: Callable[..., Sweeping]) -> None:
    class SecondRoom(Faults):
        def __init__(self) -> None:
            self.rooms = 0

        def reach(self, point: str) -> None:
            self.rooms += point == "task.step"
            if self.rooms == 2:
                raise Conflict("The door is locked", hint="Open it")

    made = tasks.request(SWEEP)
    worker(faults=SecondRoom()).step()
    failed = tasks.get("sweep", made.id)
    assert (failed.state, failed.error, failed.results) == ("failed", "The door is locked Open it", ({"room": 0},))
    assert tasks.request(SWEEP).id > made.id


def test_old_ones_go(
    tasks: Tasks, worker: Callable[..., Sweeping], metadata: MetadataStore, clock: MovableClock
) -> None:
    made = tasks.request(SWEEP)
    worker().step()
    waiting = tasks.request(SWEEP)
    clock.advance(KEPT_US / 1_000_000)
    tasks.expire()
    assert len(tasks.page("sweep")) == 2
    clock.advance(1)
    tasks.expire()
    assert [each.id for each in tasks.page("sweep")] == [waiting.id]
    jobs = Jobs(metadata, clock, "x")
    assert jobs.find("sweep", str(made.id)) is None
    assert jobs.find("sweep", str(waiting.id)) is not None
