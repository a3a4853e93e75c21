"""The runs of a schedule: added for its slots, begun one after the other, ended.

Every method is called in a transaction that holds the schedule's row (`held`), so that whatever several processes do
to one schedule happens in some order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from airtally.database.store import MetadataStore
from airtally.database.tables import schedule_runs, schedules
from airtally.jobs.queue import Jobs
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import MINUTE_US
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.slots import CronSlots
from airtally.schedules.states import MOST_WAITING, CatchUp, RunState, ScheduleState

#: Kind of the jobs that make what runs deliver; the subject is the run's id.
JOB_KIND = "schedule"


def held(connection: Connection, schedule_id: int) -> Schedule | None:
    """The schedule as it is now, locked until the transaction ends; None if it was deleted. SQLite has one writer anyway."""
    query = select(schedules).where(schedules.c.id == schedule_id).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else Schedule.from_row(row)


class RunQueue:
    """Thread-safe: it has no state of its own."""

    def __init__(self, store: MetadataStore, clock: Clock, jobs: Jobs) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._jobs = jobs

    def add_slots(self, connection: Connection, schedule: Schedule, slots: Sequence[int]) -> None:
        """Add a waiting run for each slot; a slot that has one keeps it."""
        if not slots:
            return
        now = self._clock.now_us()
        rows = [self._row(schedule, slot, now, due_at=slot + schedule.jitter_us) for slot in slots]
        added = self._store.upserts.insert(schedule_runs).on_conflict_do_nothing()
        connection.execute(added, rows)

    def add_asked(self, connection: Connection, schedule: Schedule, as_of_us: int) -> int:
        """Add a run for which no slot came; returns its id. Slots are whole minutes, its time is none."""
        now = at = self._clock.now_us()
        added = self._store.upserts.insert(schedule_runs).on_conflict_do_nothing().returning(schedule_runs.c.id)
        while True:
            at += at % MINUTE_US == 0
            row = self._row(schedule, at, now, due_at=now) | {"asked": True, "as_of": as_of_us}
            run_id = connection.execute(added.values(row)).scalar_one_or_none()
            if run_id is not None:
                return int(run_id)
            at += 1

    def note_skipped(
        self, connection: Connection, schedule: Schedule, slots: CronSlots, ends: tuple[int, int], reason: str
    ) -> None:
        """Add one row for the slots in (ends[0], ends[1]], which will have no run; those that have one keep it."""
        last = slots.last(*ends, MOST_WAITING)
        of_schedule = schedule_runs.c.schedule_id == schedule.id
        taken = connection.execute(
            select(schedule_runs.c.slot_at).where(of_schedule, schedule_runs.c.slot_at.in_(last))
        )
        free = sorted(set(last).difference(taken.scalars()))
        first = slots.first_after(ends[0])
        if not free or first is None:
            return
        now = self._clock.now_us()
        row = self._row(schedule, free[-1], now, due_at=free[-1] + schedule.jitter_us)
        row |= {"state": RunState.SKIPPED, "reason": reason, "ended_at": now}
        row["first_slot_at"] = first if first < free[-1] else None
        connection.execute(insert(schedule_runs).values(row))
        metrics.SCHEDULE_RUNS.labels(RunState.SKIPPED).inc()

    def start_next(self, connection: Connection, schedule: Schedule) -> None:
        """Begin the next waiting run if none is being made; skip those that the schedule does not catch up with."""
        of_schedule = schedule_runs.c.schedule_id == schedule.id
        making = select(schedule_runs.c.id).where(of_schedule, schedule_runs.c.state == RunState.MAKING)
        waiting = self._waiting(connection, schedule)
        if not waiting:
            return
        waiting = self._skip_others(connection, schedule, waiting)
        if waiting and connection.execute(making.limit(1)).first() is None:
            self._begin(connection, waiting[0])

    def change(self, connection: Connection, run: ScheduleRun, values: dict[str, Any]) -> bool:
        """Change a run that is still in the state in which it was read; whether it was."""
        unchanged = (schedule_runs.c.id == run.id, schedule_runs.c.state == run.state)
        return bool(connection.execute(update(schedule_runs).where(*unchanged).values(values)).rowcount)

    def _waiting(self, connection: Connection, schedule: Schedule) -> list[ScheduleRun]:
        """Those that were asked for first, then slots in their order."""
        of_schedule = schedule_runs.c.schedule_id == schedule.id
        query = select(schedule_runs).where(of_schedule, schedule_runs.c.state == RunState.WAITING)
        ordered = query.order_by(schedule_runs.c.asked.desc(), schedule_runs.c.slot_at)
        return [ScheduleRun.from_row(row) for row in connection.execute(ordered)]

    def _skip_others(
        self, connection: Connection, schedule: Schedule, waiting: Sequence[ScheduleRun]
    ) -> list[ScheduleRun]:
        """Skip all but the last slots of those that wait."""
        asked, slots = [each for each in waiting if each.asked], [each for each in waiting if not each.asked]
        most = 1 if schedule.catch_up is CatchUp.LATEST else MOST_WAITING
        if schedule.state is ScheduleState.PAUSED:
            most = 0
        kept = slots[len(slots) - most :] if len(slots) > most else slots
        self._skip(connection, slots[: len(slots) - len(kept)], _why_skipped(schedule))
        return [*asked, *kept]

    def _skip(self, connection: Connection, runs: Sequence[ScheduleRun], reason: str) -> None:
        if not runs:
            return
        values = {"state": RunState.SKIPPED, "reason": reason, "ended_at": self._clock.now_us()}
        connection.execute(update(schedule_runs).where(_are(runs)).values(values))
        metrics.SCHEDULE_RUNS.labels(RunState.SKIPPED).inc(len(runs))

    def _begin(self, connection: Connection, run: ScheduleRun) -> None:
        if self.change(connection, run, {"state": RunState.MAKING}):
            self._jobs.add(connection, JOB_KIND, str(run.id), run.account_id)

    def _row(self, schedule: Schedule, slot_at: int, now: int, *, due_at: int) -> dict[str, Any]:
        return {
            "schedule_id": schedule.id,
            "account_id": schedule.account_id,
            "slot_at": slot_at,
            "asked": False,
            "as_of": slot_at,
            "due_at": due_at,
            "state": RunState.WAITING,
            "created_at": now,
        }


def _are(runs: Sequence[ScheduleRun]) -> ColumnElement[bool]:
    return schedule_runs.c.id.in_([each.id for each in runs])


def _why_skipped(schedule: Schedule) -> str:
    if schedule.state is ScheduleState.PAUSED:
        return f"The schedule is paused: {schedule.pause_reason}"
    if schedule.catch_up is CatchUp.LATEST:
        return "A later slot was due before this one could be run, and the schedule catches up with the latest only"
    return f"More than {MOST_WAITING} later slots were due before this one could be run"
