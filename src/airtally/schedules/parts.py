"""Puts the parts of schedules together, for a process and for tests."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.accounts.accounts import Accounts
from airtally.database.store import MetadataStore
from airtally.exports.links import ExportLinks
from airtally.exports.service import Exports
from airtally.jobs.queue import Jobs
from airtally.jobs.worker import WaitUntilVisible, WorkerOptions
from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.reports.service import Reports
from airtally.schedules.endings import RunEndings
from airtally.schedules.expiry import RunExpiry
from airtally.schedules.follow import RunFollower
from airtally.schedules.late import LateSlots
from airtally.schedules.outcomes import Outcomes
from airtally.schedules.planner import SlotPlanner
from airtally.schedules.products import Products
from airtally.schedules.run_queue import RunQueue
from airtally.schedules.runs import Runs
from airtally.schedules.service import Schedules
from airtally.schedules.worker import ScheduleWorker
from airtally.webhooks.messages import Messages


@dataclass(frozen=True, slots=True)
class MadeBySchedules:
    """What schedules make, and how it is delivered."""

    exports: Exports
    links: ExportLinks
    reports: Reports
    messages: Messages


@dataclass(frozen=True, slots=True)
class ScheduleParts:
    """`schedules`, `runs` and `late` are what handlers use, the others are the worker's."""

    schedules: Schedules
    runs: Runs
    late: LateSlots
    planner: SlotPlanner
    products: Products
    follower: RunFollower
    expiry: RunExpiry

    def worker(
        self,
        jobs: Jobs,
        clock: Clock,
        *,
        wait_until_visible: WaitUntilVisible,
        options: WorkerOptions | None = None,
        faults: Faults = NO_FAULTS,
    ) -> ScheduleWorker:
        """The background work. It is woken when a run is asked for."""
        worker = ScheduleWorker(
            self.runs,
            jobs,
            self.products,
            clock,
            planner=self.planner,
            follower=self.follower,
            expiry=self.expiry,
            wait_until_visible=wait_until_visible,
            options=options,
            faults=faults,
        )
        self.schedules.on_change.append(worker.wake)
        return worker


def schedule_parts(
    store: MetadataStore,
    clock: Clock,
    jobs: Jobs,
    accounts: Accounts,
    made: MadeBySchedules,
    *,
    faults: Faults = NO_FAULTS,
) -> ScheduleParts:
    """`clock` is the one that all hosts share."""
    queue = RunQueue(store, clock, jobs)
    planner, products = SlotPlanner(store, clock, queue), Products(store, made.exports, made.reports)
    endings = RunEndings(clock, queue, made.messages)
    outcomes = Outcomes(accounts, made.exports, made.links, made.reports, clock)
    return ScheduleParts(
        schedules=Schedules(
            store, clock, jobs, planner=planner, queue=queue, products=products, mails=made.messages.mails
        ),
        runs=Runs(store, clock, jobs, endings),
        late=LateSlots(store),
        planner=planner,
        products=products,
        follower=RunFollower(store, outcomes=outcomes, endings=endings, messages=made.messages, faults=faults),
        expiry=RunExpiry(store, clock, jobs),
    )
