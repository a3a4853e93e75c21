"""Runs in the metadata store, as workers read and change them, and as their account lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sqlalchemy import ColumnElement, Connection, func, select, update

from airtally.accounts.accounts import ACCOUNT_COLUMNS, Account
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, schedule_runs, schedules
from airtally.jobs.interrupt import AfterChange, begin_job_anew, cancel_job
from airtally.jobs.leased_table import LeaseLost
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, NotFound
from airtally.schedules.endings import RunEndings
from airtally.schedules.run_queue import JOB_KIND, held
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.states import RunState


class Runs:
    """Thread-safe: every call is a transaction."""

    job_kinds: ClassVar[tuple[str, ...]] = (JOB_KIND,)

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs, endings: RunEndings) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._endings = endings

    def page(
        self,
        account: Account,
        schedule_id: int,
        *,
        after: int | None = None,
        limit: int = 100,
        states: Sequence[RunState] = (),
    ) -> list[ScheduleRun]:
        """Of one schedule, the newest first; with `after` those added before the run of that id."""
        where = [schedule_runs.c.account_id == account.id, schedule_runs.c.schedule_id == schedule_id]
        if after is not None:
            where.append(schedule_runs.c.id < after)
        if states:
            where.append(schedule_runs.c.state.in_(states))
        query = select(schedule_runs).where(*where).order_by(schedule_runs.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [ScheduleRun.from_row(row) for row in connection.execute(query)]

    def get(self, account: Account, schedule_id: int, run_id: int) -> ScheduleRun:
        """Raises NotFound, also for another account's."""
        mine = schedule_runs.c.account_id == account.id, schedule_runs.c.schedule_id == schedule_id
        found = self._one(*mine, schedule_runs.c.id == run_id)
        if found is None:
            raise NotFound(f"There is no run {run_id} of schedule {schedule_id}")
        return found

    def of_job(self, job: Job) -> tuple[Account, Schedule, ScheduleRun]:
        """What a job is about. Raises LeaseLost if the schedule was deleted meanwhile."""
        run = self._one(schedule_runs.c.id == int(job.subject))
        if run is None:
            raise LeaseLost(f"Run {job.subject} was deleted with its schedule")
        of_run = select(*ACCOUNT_COLUMNS).where(accounts.c.id == run.account_id)
        with self._store.read() as connection:
            account = Account.from_row(connection.execute(of_run).one())
            row = connection.execute(select(schedules).where(schedules.c.id == run.schedule_id)).one_or_none()
        if row is None:
            raise LeaseLost(f"Schedule {run.schedule_id} was deleted")
        return account, Schedule.from_row(row), run

    def note_started(self, run: ScheduleRun) -> None:
        """Record when the run was first taken up."""
        started = func.coalesce(schedule_runs.c.started_at, self._clock.now_us())
        with self._store.begin() as connection:
            connection.execute(update(schedule_runs).where(schedule_runs.c.id == run.id).values(started_at=started))

    def note_begun(self, connection: Connection, run: ScheduleRun, begun: Mapping[str, int]) -> None:
        """Record which export or report the run has begun. Raises LeaseLost if the schedule was deleted meanwhile."""
        noted = update(schedule_runs).where(schedule_runs.c.id == run.id, schedule_runs.c.state == RunState.MAKING)
        if connection.execute(noted.values(**begun)).rowcount != 1:
            raise LeaseLost(f"Run {run.id} was deleted with its schedule")

    def fail(self, job: Job, reason: str) -> None:
        """End job and run as failed, with the reason in words for a person. Raises LeaseLost."""
        run = self._one(schedule_runs.c.id == int(job.subject))
        if run is None:
            raise LeaseLost(f"Run {job.subject} was deleted with its schedule")
        with self._store.begin() as connection:
            schedule = held(connection, run.schedule_id)
            self._jobs.fail(connection, job, reason)
            if schedule is not None:
                self._endings.fail(connection, schedule, run, reason)

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says. The schedule is held first, as whoever else ends a run does."""
        run, schedule = self._held(connection, job)
        cancel_job(connection, job, reason, self._jobs.now_us())
        self._endings.cancel(connection, schedule, run, reason)
        return lambda: None

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says. Raises Conflict while another run of the schedule is being made, too."""
        run, schedule = self._held(connection, job)
        of_schedule = schedule_runs.c.schedule_id == schedule.id
        making = select(schedule_runs.c.id).where(of_schedule, schedule_runs.c.state == RunState.MAKING)
        if connection.execute(making.limit(1)).first() is not None:
            raise Conflict(f"Another run of schedule {schedule.id} is being made", retry_after=5)
        begin_job_anew(connection, job, self._jobs.now_us())
        values = {"state": RunState.MAKING, "reason": None, "ended_at": None}
        connection.execute(update(schedule_runs).where(schedule_runs.c.id == run.id).values(values))
        return lambda: None

    def _held(self, connection: Connection, job: Job) -> tuple[ScheduleRun, Schedule]:
        """Raises Conflict for a schedule that was deleted meanwhile."""
        of_job = select(schedule_runs).where(schedule_runs.c.id == int(job.subject))
        row = connection.execute(of_job).one_or_none()
        schedule = None if row is None else held(connection, row.schedule_id)
        if schedule is None:
            raise Conflict(f"The schedule of job {job.id} is deleted")
        return ScheduleRun.from_row(connection.execute(of_job).one()), schedule

    def _one(self, *where: ColumnElement[bool]) -> ScheduleRun | None:
        with self._store.read() as connection:
            row = connection.execute(select(schedule_runs).where(*where)).one_or_none()
        return None if row is None else ScheduleRun.from_row(row)
