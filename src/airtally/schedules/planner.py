"""Plans the slots that have come due: each gets a run, or a row that says why it has none.

A slot is planned when its jitter is over. The row of a schedule says how far it is planned, and the key (schedule,
slot) of its runs that none is planned twice, whichever process plans it and whatever the clock did since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Connection, or_, select, update

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, schedule_runs, schedules
from airtally.jobs.setback import Setback
from airtally.kit.clock import Clock
from airtally.kit.loops import for_each
from airtally.kit.time import SECOND_US
from airtally.schedules.run_queue import RunQueue, held
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.states import MOST_WAITING, RunState, ScheduleState

_log = structlog.get_logger()

#: Schedules that are planned in one step.
_AT_ONCE = 100
_OTHER_ZONE = schedules.c.timezone.is_(None) & (schedules.c.planned_zone != accounts.c.timezone)


class SlotPlanner:
    """Thread-safe. `step` is called every second or so, in as many processes as there are."""

    def __init__(self, store: MetadataStore, clock: Clock, queue: RunQueue) -> None:
        """`clock` is the one that all hosts share."""
        self._store = store
        self._clock = clock
        self._queue = queue
        self._setback = Setback()

    def step(self) -> float | None:
        """Plan the schedules that are due; returns 0 where there may be more.

        Raises the first error once the others are done.
        """
        now = self._clock.now_us()
        if self._setback.happened(now):
            self._follow_setback(now)
        found = self._due(now)
        for_each(found, self._plan_due, "a schedule")
        return 0.0 if len(found) == _AT_ONCE else None

    def held(self, connection: Connection, schedule_id: int) -> Schedule | None:
        """The schedule, locked until the transaction ends, planned no further than the clock is now."""
        schedule = held(connection, schedule_id)
        if schedule is None or schedule.planned_at <= self._clock.now_us() + SECOND_US:
            return schedule
        self._plan_anew(connection, schedule)
        return held(connection, schedule_id)

    def plan(self, connection: Connection, schedule: Schedule, *, early: bool = False) -> None:
        """Plan the slots that are due, and with `early` those whose jitter is not over; begin the next run.

        The transaction holds the schedule's row.
        """
        now = self._clock.now_us()
        through = now if early else now - schedule.jitter_us
        slots = schedule.slots_in(zone_of(connection, schedule))
        found = slots.last(schedule.planned_through, through, MOST_WAITING + 1)
        if len(found) > MOST_WAITING:
            missed = f"Nothing ran when these slots were due; only the last {MOST_WAITING} are looked at afterwards"
            self._queue.note_skipped(connection, schedule, slots, (schedule.planned_through, found[0]), missed)
            found = found[1:]
        self._queue.add_slots(connection, schedule, found)
        self.note_planned(connection, schedule, through)
        self._queue.start_next(connection, schedule)

    def note_planned(self, connection: Connection, schedule: Schedule, through: int) -> None:
        """Store how far a schedule is planned, at least, and when its next slot is due."""
        through = max(through, schedule.planned_through)
        zone = zone_of(connection, schedule)
        slot = schedule.slots_in(zone).first_after(through)
        values = {
            "planned_zone": zone,
            "planned_through": through,
            "planned_at": self._clock.now_us(),
            "next_at": None if slot is None else slot + schedule.jitter_us,
        }
        connection.execute(update(schedules).where(schedules.c.id == schedule.id).values(values))

    def skip_through(self, connection: Connection, schedule: Schedule, through: int, reason: str) -> None:
        """Plan the slots up to a moment as skipped, in one row. The transaction holds the schedule's row."""
        slots = schedule.slots_in(zone_of(connection, schedule))
        self._queue.note_skipped(connection, schedule, slots, (schedule.planned_through, through), reason)
        self.note_planned(connection, schedule, through)

    def _plan_due(self, schedule_id: int) -> None:
        with self._store.begin() as connection:
            schedule = self.held(connection, schedule_id)
            if schedule is not None and schedule.state is ScheduleState.ACTIVE:
                self._plan_or_pause(connection, schedule)

    def _plan_or_pause(self, connection: Connection, schedule: Schedule) -> None:
        """A schedule that cannot be planned is paused, so that it is in no other's way."""
        try:
            self.plan(connection, schedule)
        except ValueError as error:
            _log.exception("a schedule cannot be planned", schedule=schedule.id)
            values = {"state": ScheduleState.PAUSED, "pause_reason": f"It cannot be planned: {error}"}
            connection.execute(update(schedules).where(schedules.c.id == schedule.id).values(values))

    def _due(self, now: int) -> Sequence[int]:
        """Of open accounts: with a due slot, or found in another zone than the account's is now."""
        query = (
            select(schedules.c.id)
            .join(accounts, accounts.c.id == schedules.c.account_id)
            .where(schedules.c.state == ScheduleState.ACTIVE, or_(schedules.c.next_at <= now, _OTHER_ZONE))
            .where(accounts.c.closed_at.is_(None))
            .order_by(schedules.c.next_at)
            .limit(_AT_ONCE)
        )
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def _follow_setback(self, now: int) -> None:
        with self._store.read() as connection:
            found = connection.execute(select(schedules.c.id).where(schedules.c.planned_at > now + SECOND_US))
            ahead = found.scalars().all()
        for schedule_id in ahead:
            with self._store.begin() as connection:
                self.held(connection, schedule_id)

    def _plan_anew(self, connection: Connection, schedule: Schedule) -> None:
        """After the clock went back: slots ahead of it that were not begun come again, those that ran do not."""
        through = self._clock.now_us() - schedule.jitter_us
        unbegun = schedule_runs.c.state.in_((RunState.SKIPPED, RunState.WAITING)), schedule_runs.c.asked.is_(False)
        ahead = (schedule_runs.c.schedule_id == schedule.id, schedule_runs.c.slot_at > through, *unbegun)
        rows = connection.execute(schedule_runs.delete().where(*ahead).returning(*schedule_runs.c)).all()
        slots = schedule.slots_in(zone_of(connection, schedule))
        for each in map(ScheduleRun.from_row, rows):
            if each.first_slot_at is not None and each.reason is not None:
                ends = each.first_slot_at - 1, through
                self._queue.note_skipped(connection, schedule, slots, ends, each.reason)
        back = replace(schedule, planned_through=min(through, schedule.planned_through))
        self.note_planned(connection, back, back.planned_through)


def zone_of(connection: Connection, schedule: Schedule) -> str:
    """The zone of a schedule: its own, or the account's as it is now."""
    if schedule.timezone is not None:
        return schedule.timezone
    query = select(accounts.c.timezone).where(accounts.c.id == schedule.account_id)
    return str(connection.execute(query).scalar_one())
