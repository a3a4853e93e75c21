"""Removes old runs, so that the list of a schedule's runs does not grow for ever."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from airtally.database.store import MetadataStore
from airtally.database.tables import schedule_runs
from airtally.jobs.queue import Jobs
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.schedules.run_queue import JOB_KIND
from airtally.schedules.states import UNENDED_RUNS

#: Runs are kept for so long, and of each schedule so many at most.
RUN_DAYS = 90
MOST_RUNS = 5000
_AT_ONCE = 500


class RunExpiry:
    """Thread-safe: it has no state of its own. What runs have made is not touched."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs

    def step(self) -> float | None:
        """Remove some runs; returns 0 where there may be more."""
        gone = self._old() or self._too_many()
        if not gone:
            return None
        with self._store.begin() as connection:
            for run_id in gone:
                self._jobs.forget(connection, JOB_KIND, str(run_id))
            connection.execute(schedule_runs.delete().where(schedule_runs.c.id.in_(gone)))
        return 0.0

    def _old(self) -> Sequence[int]:
        """A run is kept at least until its slot is as long ago, so that the slot is not run again."""
        before = self._clock.now_us() - RUN_DAYS * DAY_US
        over = schedule_runs.c.ended_at <= before, schedule_runs.c.slot_at <= before
        query = select(schedule_runs.c.id).where(*over).order_by(schedule_runs.c.ended_at).limit(_AT_ONCE)
        with self._store.read() as connection:
            return connection.execute(query).scalars().all()

    def _too_many(self) -> Sequence[int]:
        """The oldest of the schedule that has the most."""
        per_schedule = select(schedule_runs.c.schedule_id, func.count().label("number")).group_by(
            schedule_runs.c.schedule_id
        )
        most = per_schedule.having(func.count() > MOST_RUNS).order_by(func.count().desc()).limit(1)
        ended = schedule_runs.c.state.not_in(UNENDED_RUNS)
        with self._store.read() as connection:
            found = connection.execute(most).one_or_none()
            if found is None:
                return []
            of_schedule = schedule_runs.c.schedule_id == found.schedule_id
            query = select(schedule_runs.c.id).where(of_schedule, ended).order_by(schedule_runs.c.slot_at)
            return connection.execute(query.limit(min(found.number - MOST_RUNS, _AT_ONCE))).scalars().all()
