"""Creates, finds, changes, pauses and deletes the schedules of an account, and asks for runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from airtally.accounts.accounts import Account, check_name
from airtally.accounts.audit import note_change
from airtally.database.fitting import fitting_rows
from airtally.database.store import MetadataStore
from airtally.database.tables import schedule_runs, schedules
from airtally.jobs import turns
from airtally.jobs.queue import Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound, TooManyRequests, Unprocessable
from airtally.kit.loops import wake_all
from airtally.kit.zones import named_zone
from airtally.schedules.cron import CronExpression
from airtally.schedules.delivery import check_recipients
from airtally.schedules.planner import SlotPlanner
from airtally.schedules.products import Products
from airtally.schedules.run_queue import JOB_KIND, RunQueue
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.slots import CronSlots
from airtally.schedules.states import CatchUp, RunState, ScheduleState
from airtally.schedules.wanted import DeliverTo, Product

#: Schedules of one account, and runs of one schedule that were asked for and wait.
MOST_SCHEDULES = 200
MOST_ASKED = 10
MOST_JITTER = 6 * 3600
_MOST_LATE = 7 * 24 * 60
_MOST_FAILURES = 100


class TooManySchedules(TooManyRequests):
    """The account has as many schedules, or the schedule as many waiting runs, as it may; nothing was stored."""

    retry_after = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """What a caller says of a schedule. `timezone` is None for the account's; `most_failures` in a row pause it."""

    name: str
    cron: str
    product: Product
    deliver: DeliverTo = DeliverTo()
    timezone: str | None = None
    jitter_seconds: int = 0
    catch_up: CatchUp = CatchUp.LATEST
    late_minutes: int = 60
    most_failures: int = 5

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleSpec:
        """What was said of a schedule that is stored."""
        return cls(**{name: getattr(schedule, name) for name in cls.__slots__})

    def checked(self) -> ScheduleSpec:
        """With its expression in five fields. Raises Unprocessable, or BadRequest for the name."""
        check_name(self.name)
        self.deliver.check()
        for name, value, least, most in (
            ("jitter_seconds", self.jitter_seconds, 0, MOST_JITTER),
            ("late_minutes", self.late_minutes, 1, _MOST_LATE),
            ("most_failures", self.most_failures, 1, _MOST_FAILURES),
        ):
            if not least <= value <= most:
                raise Unprocessable(f"`{name}` is {least} to {most}, not {value}")
        try:
            if self.timezone is not None:
                named_zone(self.timezone)
            return replace(self, cron=CronExpression.parse(self.cron).text)
        except ValueError as error:
            raise Unprocessable(f"The schedule cannot be used: {error}") from None

    def columns(self) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return values | {name: msgspec.json.encode(values[name]).decode() for name in ("product", "deliver")}


class Schedules:
    """Thread-safe: every call is a transaction. `on_change` are called after what may make a run due."""

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        jobs: Jobs,
        *,
        planner: SlotPlanner,
        queue: RunQueue,
        products: Products,
        mails: bool,
    ) -> None:
        """`clock` is the one that all hosts share; `mails`: whether there is a mail server."""
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._planner = planner
        self._queue = queue
        self._products = products
        self._mails = mails
        self.on_change: list[Callable[[], None]] = []

    def create(self, account: Account, spec: ScheduleSpec, *, requested_by: str) -> Schedule:
        """Store a schedule; its first slot is the next one. Raises Unprocessable, NotFound, TooManySchedules."""
        spec = spec.checked()
        now = self._clock.now_us()
        self._products.check(account, spec.product, now)
        values = spec.columns() | {
            "account_id": account.id,
            "requested_by": requested_by,
            "state": ScheduleState.ACTIVE,
        }
        values |= {"failures": 0, "planned_zone": account.timezone, "planned_through": now, "planned_at": now}
        values |= {"created_at": now, "updated_at": now}
        with self._store.begin() as connection:
            self._check_room(connection, account)
            check_recipients(connection, account, spec.deliver, mails=self._mails)
            row = connection.execute(insert(schedules).values(values).returning(*schedules.c)).one()
            self._planner.note_planned(connection, Schedule.from_row(row), now)
            self._audit(connection, "create", account, row.id, name=spec.name, cron=spec.cron)
            return self._stored(connection, row.id)

    def get(self, account: Account, schedule_id: int) -> Schedule:
        """Raises NotFound, also for another account's."""
        query = select(schedules).where(schedules.c.account_id == account.id, schedules.c.id == schedule_id)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _missing(schedule_id)
        return Schedule.from_row(row)

    def page(
        self, account: Account, *, after: int | None = None, limit: int = 100, states: Sequence[ScheduleState] = ()
    ) -> list[Schedule]:
        """The newest first; with `after` those older than the schedule of that id. Fewer where they are large."""
        where = [schedules.c.account_id == account.id]
        if after is not None:
            where.append(schedules.c.id < after)
        if states:
            where.append(schedules.c.state.in_(states))
        query = select(schedules).where(*where).order_by(schedules.c.id.desc())
        with self._store.read() as connection:
            return [Schedule.from_row(row) for row in fitting_rows(connection, query, schedules.c.product, limit)]

    def next_times(self, account: Account, schedule: Schedule, number: int = 5) -> list[tuple[int, int]]:
        """The next slots, each with when its run is due; none while the schedule is paused."""
        if schedule.state is ScheduleState.PAUSED:
            return []
        slots = schedule.slots_in(account.timezone).after(schedule.planned_through)
        return [(slot, slot + schedule.jitter_us) for slot in islice(slots, number)]

    def slots_of(self, account: Account, cron: str, timezone: str | None, number: int = 5) -> list[int]:
        """The next slots that an expression would have in a zone, None for the account's. Raises Unprocessable."""
        try:
            slots = CronSlots(CronExpression.parse(cron), named_zone(timezone or account.timezone))
        except ValueError as error:
            raise Unprocessable(f"The schedule cannot be used: {error}") from None
        return list(islice(slots.after(self._clock.now_us()), number))

    def change(self, account: Account, schedule_id: int, amend: Callable[[ScheduleSpec], ScheduleSpec]) -> Schedule:
        """Say anew what was said of a schedule: `amend` gets that as it is in the transaction.

        Slots up to now are planned as it was before. Raises Unprocessable, BadRequest and NotFound.
        """

        def changed(connection: Connection, schedule: Schedule) -> dict[str, Any]:
            spec = amend(ScheduleSpec.of(schedule)).checked()
            self._products.check(account, spec.product, self._clock.now_us())
            check_recipients(connection, account, spec.deliver, mails=self._mails)
            self._plan_through_now(connection, schedule)
            return spec.columns()

        return self._change(account, schedule_id, changed, "change")

    def pause(self, account: Account, schedule_id: int, reason: str = "somebody paused it") -> Schedule:
        """Run no slot from now on; runs under way go on, those that wait are skipped. Raises NotFound."""

        def paused(connection: Connection, schedule: Schedule) -> dict[str, Any]:
            if schedule.state is ScheduleState.PAUSED:
                return {}
            self._plan_through_now(connection, schedule)
            return {"state": ScheduleState.PAUSED, "pause_reason": reason}

        return self._change(account, schedule_id, paused, "pause")

    def resume(self, account: Account, schedule_id: int) -> Schedule:
        """Go on with the next slot; those that passed meanwhile share one row that says why. Raises NotFound."""

        def resumed(connection: Connection, schedule: Schedule) -> dict[str, Any]:
            if schedule.state is ScheduleState.ACTIVE:
                return {}
            self._plan_through_now(connection, schedule)
            return {"state": ScheduleState.ACTIVE, "pause_reason": None, "failures": 0}

        return self._change(account, schedule_id, resumed, "resume")

    def delete(self, account: Account, schedule_id: int) -> None:
        """Delete a schedule with its runs; what they have made stays. Raises NotFound."""
        with self._store.begin() as connection:
            self._held(connection, account, schedule_id)
            of_schedule = schedule_runs.c.schedule_id == schedule_id
            making = select(schedule_runs.c.id).where(of_schedule)
            for run_id in connection.execute(making).scalars().all():
                self._jobs.forget(connection, JOB_KIND, str(run_id))
            connection.execute(schedule_runs.delete().where(of_schedule))
            connection.execute(schedules.delete().where(schedules.c.id == schedule_id))
            self._audit(connection, "delete", account, schedule_id)

    def run_now(self, account: Account, schedule_id: int, as_of_us: int | None = None) -> ScheduleRun:
        """Ask for a run, also of a paused schedule; ranges such as `yesterday` refer to `as_of_us`, by default to now.

        Raises NotFound, TooManySchedules where many wait, Unprocessable for a moment that has not come.
        """
        now = self._clock.now_us()
        if as_of_us is not None and as_of_us > now:
            raise Unprocessable("A run can be of the past or of now, not of a moment that has not come")
        with self._store.begin() as connection:
            schedule = self._held(connection, account, schedule_id)
            asked = schedule_runs.c.asked.is_(True), schedule_runs.c.state.in_((RunState.WAITING, RunState.MAKING))
            waiting = select(func.count()).where(schedule_runs.c.schedule_id == schedule_id, *asked)
            if connection.execute(waiting).scalar_one() >= MOST_ASKED:
                raise TooManySchedules(f"{MOST_ASKED} runs of this schedule that were asked for wait already")
            run_id = self._queue.add_asked(connection, schedule, now if as_of_us is None else as_of_us)
            self._audit(connection, "run", account, schedule_id)
            self._queue.start_next(connection, schedule)
            row = connection.execute(select(schedule_runs).where(schedule_runs.c.id == run_id)).one()
        wake_all(self.on_change)
        return ScheduleRun.from_row(row)

    def _change(
        self,
        account: Account,
        schedule_id: int,
        change: Callable[[Connection, Schedule], dict[str, Any]],
        action: str,
    ) -> Schedule:
        """`change` returns the values to store; none if there is nothing to do."""
        with self._store.begin() as connection:
            values = change(connection, self._held(connection, account, schedule_id))
            if values:
                self._audit(connection, action, account, schedule_id)
                values |= {"updated_at": self._clock.now_us()}
                connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))
                now = self._stored(connection, schedule_id)
                self._planner.note_planned(connection, now, now.planned_through)
                self._queue.start_next(connection, now)
            found = self._stored(connection, schedule_id)
        wake_all(self.on_change)
        return found

    def _audit(self, connection: Connection, action: str, account: Account, schedule_id: int, **details: str) -> None:
        at, target = self._clock.now_us(), f"schedule {schedule_id}"
        note_change(connection, at, f"schedule.{action}", target, account_id=account.id, **details)

    def _plan_through_now(self, connection: Connection, schedule: Schedule) -> None:
        if schedule.state is ScheduleState.ACTIVE:
            return self._planner.plan(connection, schedule, early=True)
        why = f"The schedule was paused: {schedule.pause_reason}"
        return self._planner.skip_through(connection, schedule, self._clock.now_us(), why)

    def _held(self, connection: Connection, account: Account, schedule_id: int) -> Schedule:
        found = self._planner.held(connection, schedule_id)
        if found is None or found.account_id != account.id:
            raise _missing(schedule_id)
        return found

    def _stored(self, connection: Connection, schedule_id: int) -> Schedule:
        return Schedule.from_row(connection.execute(select(schedules).where(schedules.c.id == schedule_id)).one())

    def _check_room(self, connection: Connection, account: Account) -> None:
        turns.lock_adds(connection, account.id)
        number = select(func.count()).where(schedules.c.account_id == account.id)
        if connection.execute(number).scalar_one() >= MOST_SCHEDULES:
            raise TooManySchedules(f"The account has {MOST_SCHEDULES} schedules already", hint="Delete some")


def _missing(schedule_id: int) -> NotFound:
    return NotFound(f"There is no schedule {schedule_id}")
