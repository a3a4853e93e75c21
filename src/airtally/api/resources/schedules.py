"""`/api/v1/schedules`: exports and reports at the times of a cron expression, and their runs. docs/reference/schedules-api.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.exports.routes import requested_by
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of, page_that_fits
from airtally.api.times import read_moment, shown_moment
from airtally.exports.spec import ExportSpec
from airtally.kit.errors import NotFound
from airtally.schedules.cron import CronExpression
from airtally.schedules.schedule import Schedule, ScheduleRun
from airtally.schedules.service import ScheduleSpec, TooManySchedules
from airtally.schedules.states import CatchUp, RunState, ScheduleState
from airtally.schedules.wanted import AskedPlays, DeliverTo, Product
from airtally.services import Services
from airtally.sql.dsl.refusal import StatementRefused

#: Next slots that the answer for one schedule shows.
_NEXT = 5
_EXAMPLE = {
    "name": "Plays of yesterday",
    "cron": "0 6 * * MON-FRI",
    "export": {"rows": {"stream": "playlogs", "range": "yesterday"}, "format": "csv"},
    "deliver": {"email": ["ana@example.com"]},
}


class NewSchedule(msgspec.Struct, forbid_unknown_fields=True):
    """`cron` has five fields, in `timezone` (the account's, if left out). One of `export` and `report` is made.

    The run of a slot begins up to `jitter_seconds` later, always as much. Of slots that were missed, `catch_up` runs
    the latest or all. A slot is late `late_minutes` after it was due; after `most_failures` failed runs in a row the
    schedule is paused.
    """

    name: str
    cron: str
    timezone: str | None = None
    export: ExportSpec | None = None
    report: AskedPlays | None = None
    deliver: DeliverTo = DeliverTo()
    jitter_seconds: int = 0
    catch_up: CatchUp = CatchUp.LATEST
    late_minutes: int = 60
    most_failures: int = 5


class ScheduleChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is left out stays. Of `export` and `report` the one that is given takes the place of both."""

    name: str | UnsetType = UNSET
    cron: str | UnsetType = UNSET
    timezone: str | UnsetType | None = UNSET
    export: ExportSpec | UnsetType = UNSET
    report: AskedPlays | UnsetType = UNSET
    deliver: DeliverTo | UnsetType = UNSET
    jitter_seconds: int | UnsetType = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    late_minutes: int | UnsetType = UNSET
    most_failures: int | UnsetType = UNSET


class AskedRun(msgspec.Struct, forbid_unknown_fields=True):
    """Ranges such as `yesterday` refer to `as_of`, RFC 3339; to now, if it is left out."""

    as_of: str | None = None


class NextSlot(msgspec.Struct, frozen=True):
    """`due_at`: when its run begins, the jitter included."""

    slot: str
    due_at: str


class ScheduleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`timezone` is null for the account's. `failures`: runs that failed since the last that succeeded.

    `next_at`: when the next run is due, the jitter included; null while paused. `pause_reason`: null while active.
    """

    id: int
    name: str
    state: ScheduleState
    pause_reason: str | None
    failures: int
    cron: str
    timezone: str | None
    next_at: str | None
    export: ExportSpec | None
    report: AskedPlays | None
    deliver: DeliverTo
    jitter_seconds: int
    catch_up: CatchUp
    late_minutes: int
    most_failures: int
    requested_by: str
    created_at: str
    updated_at: str


class ScheduleDetails(ScheduleAnswer, frozen=True, kw_only=True):
    """With the next slots; none while paused."""

    next_slots: list[NextSlot]


class ScheduleRunAnswer(msgspec.Struct, frozen=True):
    """A slot that came due. `slot` is null for a run that was asked for. Times are RFC 3339, UTC.

    `state`: `waiting` for the run before it; `making`; `delivering`; `done`, `failed` or `skipped`. `reason` says why it
    failed or was skipped; a skipped one may stand for all slots from `first_slot` to `slot`. Ranges refer to `as_of`.
    `export_id` and `report_id` name what was made, `message_id` is the `webhook-id` of the message that tells of it.
    """

    id: int
    slot: str | None
    first_slot: str | None
    as_of: str
    due_at: str
    state: RunState
    reason: str | None
    export_id: int | None
    report_id: int | None
    message_id: str | None
    started_at: str | None
    ended_at: str | None


class SchedulesQuery(PageQuery):
    """`state`: only those in this state."""

    state: list[ScheduleState] = msgspec.field(default_factory=list)


class RunsQuery(PageQuery):
    """`state`: only those in one of these states; may be given several times."""

    state: list[RunState] = msgspec.field(default_factory=list)


class SlotsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`cron` has five fields, in `timezone`; the account's, if left out. `number` of slots are shown."""

    cron: Annotated[str, msgspec.Meta(max_length=256)]
    timezone: str | None = None
    number: Annotated[int, msgspec.Meta(ge=1, le=50)] = _NEXT


class ComingSlots(msgspec.Struct, frozen=True):
    """RFC 3339, UTC. `cron` as it would be stored."""

    cron: str
    timezone: str
    slots: list[str]


class ScheduleResource:
    def __init__(self, services: Services) -> None:
        self._schedules = services.schedules.schedules
        self._runs = services.schedules.runs

    @operation(
        *("POST", "/schedules", Permission.ADMIN, "Create a schedule"),
        status=201,
        failures=(NotFound, TooManySchedules, StatementRefused),
        example=_EXAMPLE,
    )
    def create_schedule(self, call: OperationCall[NoFields, NewSchedule]) -> ScheduleDetails:
        """Its first slot is the next one."""
        asked = call.body
        given = {name: getattr(asked, name) for name in asked.__struct_fields__ if name not in {"export", "report"}}
        spec = ScheduleSpec(**given, product=Product(asked.export, asked.report))
        made = self._schedules.create(call.account, spec, requested_by=requested_by(call.principal))
        return self._details(call.account, made)

    @operation("GET", "/schedules", Permission.READ, "List schedules")
    def list_schedules(self, call: OperationCall[SchedulesQuery, None]) -> ListingPage[ScheduleAnswer]:
        """The newest first. A page has fewer than `limit` where what they make is long."""
        asked, account = call.query, call.account

        def page(after: int | None, limit: int) -> list[Schedule]:
            return self._schedules.page(account, after=after, limit=limit, states=asked.state)

        return page_that_fits(asked, page, schedule_answer, lambda each: each.id)

    @operation("GET", "/schedule-slots", Permission.READ, "Preview the slots of a cron expression")
    def preview_slots(self, call: OperationCall[SlotsQuery, None]) -> ComingSlots:
        """The next ones from now on. Nothing is stored."""
        asked = call.query
        found = self._schedules.slots_of(call.account, asked.cron, asked.timezone, asked.number)
        cron = CronExpression.parse(asked.cron).text
        return ComingSlots(cron, asked.timezone or call.account.timezone, [shown_moment(each) for each in found])

    @operation("GET", "/schedules/{schedule_id}", Permission.READ, "Get a schedule", failures=(NotFound,))
    def get_schedule(self, call: PlainCall) -> ScheduleDetails:
        """With its next slots."""
        return self._details(call.account, self._schedules.get(call.account, call.number("schedule_id")))

    @operation(
        *("PATCH", "/schedules/{schedule_id}", Permission.ADMIN, "Change a schedule"),
        failures=(NotFound, StatementRefused),
        example={"cron": "0 7 * * *", "timezone": "Europe/Berlin"},
    )
    def change_schedule(self, call: OperationCall[NoFields, ScheduleChange]) -> ScheduleDetails:
        """Counts from now on: slots up to now are run as it was before. Runs under way go on."""
        schedule_id = call.number("schedule_id")
        changed = self._schedules.change(call.account, schedule_id, lambda spec: _changed(spec, call.body))
        return self._details(call.account, changed)

    @operation(
        *("DELETE", "/schedules/{schedule_id}", Permission.ADMIN, "Delete a schedule"),
        status=204,
        failures=(NotFound,),
    )
    def delete_schedule(self, call: PlainCall) -> None:
        """With its runs. The exports and reports that they made stay."""
        self._schedules.delete(call.account, call.number("schedule_id"))

    @operation("POST", "/schedules/{schedule_id}/pause", Permission.ADMIN, "Pause a schedule", failures=(NotFound,))
    def pause_schedule(self, call: PlainCall) -> ScheduleDetails:
        """No slot is run from now on. Runs under way go on, those that wait are skipped. Again, it is no error."""
        reason = f"paused by {requested_by(call.principal)}"
        paused = self._schedules.pause(call.account, call.number("schedule_id"), reason)
        return self._details(call.account, paused)

    @operation("POST", "/schedules/{schedule_id}/resume", Permission.ADMIN, "Resume a schedule", failures=(NotFound,))
    def resume_schedule(self, call: PlainCall) -> ScheduleDetails:
        """It goes on with its next slot; a skipped run stands for those of the pause. Failures are counted anew."""
        return self._details(call.account, self._schedules.resume(call.account, call.number("schedule_id")))

    @operation(
        *("POST", "/schedules/{schedule_id}/runs", Permission.ADMIN, "Run a schedule now"),
        status=202,
        failures=(NotFound, TooManySchedules),
        answer=ScheduleRunAnswer,
        headers={"Location": "Where the run is found."},
        example={"as_of": "2026-11-01T00:00:00Z"},
    )
    def run_schedule(self, call: OperationCall[NoFields, AskedRun]) -> OperationReply:
        """One more run, also of a paused schedule; with `as_of` a slot is run again that has failed or was skipped."""
        schedule_id, as_of = call.number("schedule_id"), call.body.as_of
        as_of_us = None if as_of is None else read_moment(as_of, "as_of")
        run = self._schedules.run_now(call.account, schedule_id, as_of_us)
        location = f"/api/v1/schedules/{schedule_id}/runs/{run.id}"
        return OperationReply(run_answer(run), status=202, headers={"Location": location})

    @operation("GET", "/schedules/{schedule_id}/runs", Permission.READ, "List runs", failures=(NotFound,))
    def list_schedule_runs(self, call: OperationCall[RunsQuery, None]) -> ListingPage[ScheduleRunAnswer]:
        """The newest first. Runs are kept for 90 days, of each schedule 5,000 at most."""
        asked, schedule = call.query, self._schedules.get(call.account, call.number("schedule_id"))
        found = self._runs.page(
            call.account, schedule.id, after=asked.position, limit=asked.limit + 1, states=asked.state
        )
        return page_of(found, asked.limit, run_answer, lambda each: each.id)

    @operation("GET", "/schedules/{schedule_id}/runs/{run_id}", Permission.READ, "Get a run", failures=(NotFound,))
    def get_schedule_run(self, call: PlainCall) -> ScheduleRunAnswer:
        """Its state, and what it made."""
        return run_answer(self._runs.get(call.account, call.number("schedule_id"), call.number("run_id")))

    def _details(self, account: Account, schedule: Schedule) -> ScheduleDetails:
        slots = self._schedules.next_times(account, schedule, _NEXT)
        shown = [NextSlot(shown_moment(slot), shown_moment(due)) for slot, due in slots]
        return ScheduleDetails(**msgspec.structs.asdict(schedule_answer(schedule)), next_slots=shown)


def schedule_answer(schedule: Schedule) -> ScheduleAnswer:
    active = schedule.state is ScheduleState.ACTIVE
    return ScheduleAnswer(
        id=schedule.id,
        name=schedule.name,
        state=schedule.state,
        pause_reason=schedule.pause_reason,
        failures=schedule.failures,
        cron=schedule.cron,
        timezone=schedule.timezone,
        next_at=shown_moment(schedule.next_at) if active else None,
        export=schedule.product.export,
        report=schedule.product.report,
        deliver=schedule.deliver,
        jitter_seconds=schedule.jitter_seconds,
        catch_up=schedule.catch_up,
        late_minutes=schedule.late_minutes,
        most_failures=schedule.most_failures,
        requested_by=schedule.requested_by,
        created_at=shown_moment(schedule.created_at),
        updated_at=shown_moment(schedule.updated_at),
    )


def run_answer(run: ScheduleRun) -> ScheduleRunAnswer:
    return ScheduleRunAnswer(
        id=run.id,
        slot=None if run.asked else shown_moment(run.slot_at),
        first_slot=shown_moment(run.first_slot_at),
        as_of=shown_moment(run.as_of),
        due_at=shown_moment(run.due_at),
        state=run.state,
        reason=run.reason,
        export_id=run.export_id,
        report_id=run.report_id,
        message_id=run.message_uid,
        started_at=shown_moment(run.started_at),
        ended_at=shown_moment(run.ended_at),
    )


def _changed(spec: ScheduleSpec, asked: ScheduleChange) -> ScheduleSpec:
    given = {name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not UNSET}
    if "export" in given or "report" in given:
        given["product"] = Product(given.pop("export", None), given.pop("report", None))
    return replace(spec, **given)
