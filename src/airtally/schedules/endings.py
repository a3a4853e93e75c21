"""Ends runs: counts failures, pauses a schedule that goes on failing, and tells its owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, update

from airtally.accounts.accounts import Account, account_within
from airtally.accounts.audit import note_change
from airtally.database.tables import schedules
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import iso_seconds
from airtally.schedules.run_queue import RunQueue
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.states import RunState, ScheduleState
from airtally.webhooks.messages import MailText, Messages, Recipients

_log = structlog.get_logger()

FAILED_EVENT = "schedule.failed"
#: Who is told of a failure: every endpoint that wants it, and the account's users.
_OWNERS = Recipients(every_endpoint=True, users=True)


class RunEndings:
    """Every method is called in a transaction that holds the schedule's row. Thread-safe: it has no state of its own."""

    def __init__(self, clock: Clock, queue: RunQueue, messages: Messages) -> None:
        """`clock` is the one that all hosts share."""
        self._clock = clock
        self._queue = queue
        self._messages = messages

    def made(self, connection: Connection, schedule: Schedule, run: ScheduleRun, message_uid: str) -> None:
        """What the run made is on its way; the next run may begin."""
        if self._queue.change(connection, run, {"state": RunState.DELIVERING, "message_uid": message_uid}):
            self._queue.start_next(connection, schedule)

    def succeed(self, connection: Connection, schedule: Schedule, run: ScheduleRun) -> None:
        """End a run as done, unless it has ended."""
        if not self._end(connection, run, RunState.DONE, None):
            return
        connection.execute(update(schedules).where(schedules.c.id == schedule.id).values(failures=0))
        self._queue.start_next(connection, schedule)

    def fail(self, connection: Connection, schedule: Schedule, run: ScheduleRun, reason: str) -> None:
        """End a run as failed, unless it has ended; the schedule is paused after too many in a row.

        A run that was asked for is not counted: whoever asked sees it.
        """
        if not self._end(connection, run, RunState.FAILED, reason):
            return
        failures = schedule.failures + (not run.asked)
        paused = schedule.state is ScheduleState.ACTIVE and not run.asked and failures >= schedule.most_failures
        values: dict[str, Any] = {"failures": failures}
        if paused:
            why = f"{failures} runs in a row have failed, the last one so: {reason}"
            values |= {"state": ScheduleState.PAUSED, "pause_reason": why, "updated_at": self._clock.now_us()}
        changed = update(schedules).where(schedules.c.id == schedule.id).values(values).returning(*schedules.c)
        now = Schedule.from_row(connection.execute(changed).one())
        if paused:
            at, target = self._clock.now_us(), f"schedule {schedule.id}"
            note_change(
                connection, at, "schedule.pause", target, account_id=schedule.account_id, reason=now.pause_reason
            )
        self._tell(connection, now, run, reason, paused=paused)
        self._queue.start_next(connection, now)

    def cancel(self, connection: Connection, schedule: Schedule, run: ScheduleRun, reason: str) -> None:
        """End a run as cancelled, unless it has ended. That is no failure; the next run may begin."""
        if self._end(connection, run, RunState.CANCELLED, reason):
            self._queue.start_next(connection, schedule)

    def _tell(self, connection: Connection, schedule: Schedule, run: ScheduleRun, reason: str, *, paused: bool) -> None:
        account = account_within(connection, schedule.account_id)
        payload = {**described(schedule, run), "error": reason, "failures": schedule.failures, "paused": paused}
        mail = _mail(account, schedule, run, reason, paused=paused)
        self._messages.enqueue(
            connection, account, FAILED_EVENT, payload, f"{FAILED_EVENT}/{run.id}", to=_OWNERS, mail=mail
        )
        _log.warning("a schedule failed", account=account.slug, schedule=schedule.id, run=run.id, reason=reason)

    def _end(self, connection: Connection, run: ScheduleRun, state: RunState, reason: str | None) -> bool:
        ended = {"state": state, "reason": reason, "ended_at": self._clock.now_us()}
        if not self._queue.change(connection, run, ended):
            return False
        metrics.SCHEDULE_RUNS.labels(state).inc()
        return True


def described(schedule: Schedule, run: ScheduleRun) -> Mapping[str, Any]:
    """A schedule and a run of it, as messages name them."""
    named = {"id": run.id, "slot": None if run.asked else iso_seconds(run.slot_at), "as_of": iso_seconds(run.as_of)}
    return {"schedule": {"id": schedule.id, "name": schedule.name}, "run": named}


def _mail(account: Account, schedule: Schedule, run: ScheduleRun, reason: str, *, paused: bool) -> MailText:
    of = "that was asked for" if run.asked else f"of {iso_seconds(run.slot_at)}"
    text = f"The run {of} of the schedule {schedule.name!r} (number {schedule.id}) has failed:\n\n  {reason}\n\n"
    if paused:
        text += f"{schedule.failures} runs in a row have failed. The schedule is paused: no further one is run until it is resumed.\n"
    elif run.asked:
        text += "The schedule goes on at its next slot.\n"
    else:
        left = schedule.most_failures - schedule.failures
        text += f"It goes on at its next slot. After {left} more failures in a row it will be paused.\n"
    return MailText(f"A schedule of {account.name} {'is paused' if paused else 'has failed'}: {schedule.name}", text)
