"""Follows what runs have begun: delivers exports and reports that are made, and ends runs whose delivery has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from airtally.accounts.accounts import IS_OPEN, account_within
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, exports, message_deliveries, messages, reports, schedule_runs
from airtally.exports.export import ExportState
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.loops import for_each
from airtally.reports.report import ReportState
from airtally.schedules.delivery import DELIVERED_EVENT, contents_of, recipients, why_undelivered
from airtally.schedules.endings import RunEndings
from airtally.schedules.outcomes import MadeFiles, Outcomes
from airtally.schedules.run_queue import held
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.states import RunState
from airtally.webhooks.messages import Messages
from airtally.webhooks.states import MessageState

_AT_ONCE = 100
_PENDING = (MessageState.DUE, MessageState.SENDING)
_MINE = accounts.c.id == schedule_runs.c.account_id


class RunFollower:
    """Thread-safe: it has no state of its own. Of several processes, one ends each run."""

    def __init__(
        self,
        store: MetadataStore,
        *,
        outcomes: Outcomes,
        endings: RunEndings,
        messages: Messages,
        faults: Faults = NO_FAULTS,
    ) -> None:
        self._store = store
        self._outcomes = outcomes
        self._endings = endings
        self._messages = messages
        self._faults = faults
        #: Made once: composing them takes longer than asking them, and an idle process asks every second.
        self._made, self._delivered = _made().limit(_AT_ONCE), _delivered().limit(_AT_ONCE)

    def step(self) -> float | None:
        """Take each run of an open account that can go on one step further; returns 0 where there may be more.

        Raises the first error once the others are done.
        """
        made, delivered = self._runs(self._made), self._runs(self._delivered)
        for_each([*made, *delivered], self._go_on, "a run of a schedule")
        return 0.0 if _AT_ONCE in {len(made), len(delivered)} else None

    def _go_on(self, run: ScheduleRun) -> None:
        (self._deliver if run.state is RunState.MAKING else self._end)(run)

    def _deliver(self, run: ScheduleRun) -> None:
        """One transaction ends the making of a run and adds the message that tells of it."""
        made = self._outcomes.of(run)
        with self._store.begin() as connection:
            schedule = held(connection, run.schedule_id)
            if schedule is None:
                return
            if isinstance(made, str):
                self._endings.fail(connection, schedule, run, made)
            elif schedule.deliver.is_empty:
                self._endings.succeed(connection, schedule, run)
            else:
                uid = self._add_message(connection, schedule, run, made)
                self._endings.made(connection, schedule, run, uid)
            self._faults.reach("schedule.deliver")

    def _add_message(self, connection: Connection, schedule: Schedule, run: ScheduleRun, made: MadeFiles) -> str:
        account, key = account_within(connection, schedule.account_id), f"{DELIVERED_EVENT}/{run.id}"
        payload, mail = contents_of(account, schedule, run, made)
        to = recipients(schedule.deliver)
        uid = self._messages.enqueue(connection, account, DELIVERED_EVENT, payload, key, to=to, mail=mail)
        if uid is not None:
            return uid
        known = select(messages.c.uid).where(messages.c.account_id == account.id, messages.c.key == key)
        return str(connection.execute(known).scalar_one())

    def _end(self, run: ScheduleRun) -> None:
        with self._store.begin() as connection:
            schedule = held(connection, run.schedule_id)
            if schedule is None:
                return
            of_message = message_deliveries.c.message_id == messages.c.id
            query = select(message_deliveries).join(messages, of_message).where(messages.c.uid == run.message_uid)
            why = why_undelivered(connection.execute(query.order_by(message_deliveries.c.id)).all())
            if why is None:
                self._endings.succeed(connection, schedule, run)
            else:
                self._endings.fail(connection, schedule, run, why)

    def _runs(self, query: Select[Any]) -> Sequence[ScheduleRun]:
        with self._store.read() as connection:
            return [ScheduleRun.from_row(row) for row in connection.execute(query)]


def _made() -> Select[Any]:
    """Runs whose export or report has ended, or is gone."""
    of_export, of_report = exports.c.id == schedule_runs.c.export_id, reports.c.id == schedule_runs.c.report_id
    joined = schedule_runs.join(accounts, _MINE).outerjoin(exports, of_export).outerjoin(reports, of_report)
    exported = _ended(schedule_runs.c.export_id, exports.c.id, exports.c.state != ExportState.QUEUED)
    reported = _ended(schedule_runs.c.report_id, reports.c.id, reports.c.status != ReportState.WAITING)
    making = schedule_runs.c.state == RunState.MAKING, IS_OPEN
    query = select(*schedule_runs.c).select_from(joined).where(*making, or_(exported, reported))
    return query.order_by(schedule_runs.c.id)


def _ended(named: ColumnElement[Any], found: ColumnElement[Any], over: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(named.is_not(None), or_(found.is_(None), over))


def _delivered() -> Select[Any]:
    """Runs whose message is no longer on its way to anybody."""
    of_message = message_deliveries.c.message_id == messages.c.id
    pending = exists().where(
        messages.c.uid == schedule_runs.c.message_uid, of_message, message_deliveries.c.state.in_(_PENDING)
    )
    delivering = schedule_runs.c.state == RunState.DELIVERING, IS_OPEN
    query = select(*schedule_runs.c).select_from(schedule_runs.join(accounts, _MINE))
    return query.where(*delivering, ~pending).order_by(schedule_runs.c.id)
