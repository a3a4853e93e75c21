"""Finds slots that have not ended long after their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, schedule_runs, schedules
from airtally.kit.time import MINUTE_US
from airtally.schedules.schedule import jitter_us
from airtally.schedules.states import UNENDED_RUNS, ScheduleState

#: Late slots that are named at most.
MOST_LATE = 1000

_WAITS = "Nothing has planned it: no process that runs jobs is up, or it cannot reach the database"
_NAMES = {"waiting": "an earlier run is under way", "making": "it is being made", "delivering": "it is being delivered"}


@dataclass(frozen=True, slots=True)
class LateSlot:
    """A slot that has not ended; `why` says where it is, in words. Times in microseconds UTC."""

    account_id: int
    schedule_id: int
    schedule_name: str
    run_id: int | None
    slot_at: int
    due_at: int
    why: str


class LateSlots:
    """Thread-safe: it has no state of its own."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def late(self, now_us: int, *, account_id: int | None = None, limit: int = MOST_LATE) -> list[LateSlot]:
        """Slots that have not ended `late_minutes` of their schedule after they were due, the oldest first.

        Of all accounts without `account_id`.
        """
        own = () if account_id is None else (schedules.c.account_id == account_id,)
        with self._store.read() as connection:
            unplanned = connection.execute(_unplanned(now_us).where(*own).limit(limit)).all()
            unended = connection.execute(_unended(now_us).where(*own).limit(limit)).all()
        found = [
            LateSlot(
                *(row.account_id, row.id, row.name, None),
                *(row.next_at - jitter_us(row.id, row.jitter_seconds), row.next_at, _WAITS),
            )
            for row in unplanned
        ]
        found += [
            LateSlot(*(row.account_id, row.id, row.name, row.run_id, row.slot_at, row.due_at), _where(row))
            for row in unended
        ]
        return sorted(found, key=lambda each: (each.due_at, each.schedule_id))[:limit]


def _where(row: Any) -> str:
    words = _NAMES[row.run_state]
    return f"It waits: {words}" if row.run_state == "waiting" else words[0].upper() + words[1:]


def _unplanned(now: int) -> Select[Any]:
    """Schedules whose next slot should have had a run by now."""
    late = schedules.c.next_at + schedules.c.late_minutes * MINUTE_US <= now
    columns = (
        schedules.c.account_id,
        schedules.c.id,
        schedules.c.name,
        schedules.c.jitter_seconds,
        schedules.c.next_at,
    )
    active = schedules.c.state == ScheduleState.ACTIVE, schedules.c.next_at <= now
    return _of_open_accounts(select(*columns)).where(*active, late).order_by(schedules.c.next_at)


def _unended(now: int) -> Select[Any]:
    late = schedule_runs.c.due_at + schedules.c.late_minutes * MINUTE_US <= now
    columns = (
        *(schedules.c.account_id, schedules.c.id, schedules.c.name, schedule_runs.c.id.label("run_id")),
        *(schedule_runs.c.slot_at, schedule_runs.c.due_at, schedule_runs.c.state.label("run_state")),
    )
    slots = schedule_runs.c.state.in_(UNENDED_RUNS), schedule_runs.c.asked.is_(False)
    joined = select(*columns).select_from(schedule_runs).join(schedules, schedules.c.id == schedule_runs.c.schedule_id)
    return _of_open_accounts(joined).where(*slots, late).order_by(schedule_runs.c.due_at)


def _of_open_accounts(query: Select[Any]) -> Select[Any]:
    return query.join(accounts, accounts.c.id == schedules.c.account_id).where(accounts.c.closed_at.is_(None))
