"""Begins runs: waits until the rows received before the slot are visible, then begins its export or report."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from airtally.jobs.lease import KeptLease
from airtally.jobs.queue import Job, Jobs
from airtally.jobs.worker import WaitUntilVisible, Worker, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.loops import Loop
from airtally.schedules.expiry import RunExpiry
from airtally.schedules.follow import RunFollower
from airtally.schedules.planner import SlotPlanner
from airtally.schedules.products import Products
from airtally.schedules.run_queue import JOB_KIND
from airtally.schedules.runs import Runs

_PLAN_SECONDS = 1.0
_FOLLOW_SECONDS = 1.0
_EXPIRE_SECONDS = 3600.0


class ScheduleWorker(Worker):
    """Plans slots, begins their runs, and follows what these have begun to its end."""

    name = "schedules"
    kinds = (JOB_KIND,)
    thing = "run"
    doing = "This run"

    def __init__(
        self,
        runs: Runs,
        jobs: Jobs,
        products: Products,
        clock: Clock,
        *,
        planner: SlotPlanner,
        follower: RunFollower,
        expiry: RunExpiry,
        wait_until_visible: WaitUntilVisible,
        options: WorkerOptions | None = None,
        faults: Faults = NO_FAULTS,
    ) -> None:
        super().__init__(jobs, clock, options or WorkerOptions(workers=2))
        self._runs = runs
        self._products = products
        self._wait_until_visible = wait_until_visible
        self._faults = faults
        self._loops.append(Loop("schedules-plan", planner.step, _PLAN_SECONDS, longest=5.0))
        self._loops.append(Loop("schedules-follow", follower.step, _FOLLOW_SECONDS, longest=5.0))
        self._loops.append(Loop("schedules-expire", expiry.step, _EXPIRE_SECONDS))

    def work(self, job: Job, lease: KeptLease) -> None:
        """The job ends when its export or report has begun; `RunFollower` sees to what comes after."""
        account, schedule, run = self._runs.of_job(job)
        self._runs.note_started(run)
        self._faults.reach("schedule.wait")
        self.wait_for_rows_of(job, self._wait_until_visible)
        self.check(lease)

        def note(connection: Connection, begun: Mapping[str, int]) -> None:
            self._faults.reach("schedule.begin")
            self._jobs.finish(connection, job)
            self._runs.note_begun(connection, run, begun)

        self._products.begin(account, schedule, run, note)

    def give_up(self, job: Job, reason: str) -> None:
        self._runs.fail(job, reason)
