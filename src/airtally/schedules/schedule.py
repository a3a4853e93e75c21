"""A schedule and its runs, as they are stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import schedule_runs, schedules
from airtally.kit.time import SECOND_US
from airtally.kit.zones import named_zone
from airtally.schedules.cron import CronExpression
from airtally.schedules.slots import CronSlots
from airtally.schedules.states import CatchUp, RunState, ScheduleState
from airtally.schedules.wanted import DeliverTo, Product


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it was when read. Times in microseconds UTC.

    `timezone` is None for the account's zone; `planned_zone` is the one in which `next_at` was found. Every slot up to
    `planned_through` has a run, or will have none; that was so at `planned_at`.
    """

    id: int
    account_id: int
    name: str
    cron: str
    timezone: str | None
    jitter_seconds: int
    product: Product
    deliver: DeliverTo
    catch_up: CatchUp
    late_minutes: int
    most_failures: int
    state: ScheduleState
    pause_reason: str | None
    failures: int
    requested_by: str
    planned_zone: str
    planned_through: int
    planned_at: int
    next_at: int | None
    created_at: int
    updated_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> Schedule:
        """From a row with all columns of `schedules`; it may have others."""
        values = values_of(row, schedules.c)
        read = {
            "product": msgspec.json.decode(values["product"], type=Product),
            "deliver": msgspec.json.decode(values["deliver"], type=DeliverTo),
            "catch_up": CatchUp(values["catch_up"]),
            "state": ScheduleState(values["state"]),
        }
        return cls(**values | read)

    @property
    def jitter_us(self) -> int:
        """How long after a slot its run is due."""
        return jitter_us(self.id, self.jitter_seconds)

    def slots_in(self, zone: str) -> CronSlots:
        """The slots, where the account's zone is `zone`."""
        return CronSlots(CronExpression(self.cron), named_zone(self.timezone or zone))


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """A run as it was when read. Times in microseconds UTC.

    `slot_at` is the slot, or for a run that was asked for the moment of asking. A skipped run may stand for several
    slots, from `first_slot_at` to `slot_at`. `reason` says why it failed or was skipped, in words for a person.
    """

    id: int
    schedule_id: int
    account_id: int
    slot_at: int
    first_slot_at: int | None
    asked: bool
    as_of: int
    due_at: int
    state: RunState
    reason: str | None
    export_id: int | None
    report_id: int | None
    message_uid: str | None
    started_at: int | None
    ended_at: int | None
    created_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> ScheduleRun:
        """From a row with all columns of `schedule_runs`; it may have others."""
        values = values_of(row, schedule_runs.c)
        return cls(**values | {"state": RunState(values["state"])})


def jitter_us(schedule_id: int, seconds: int) -> int:
    """From 0 to `seconds`, the same in every process and after every restart, spread over schedules."""
    drawn = int.from_bytes(hashlib.sha256(f"schedule {schedule_id}".encode()).digest()[:8])
    return drawn % (seconds * SECOND_US + 1) // SECOND_US * SECOND_US
