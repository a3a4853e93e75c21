"""Schedules: what is delivered when and to whom, and what came of each slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.delivery.export_specs import COMPRESSIONS, FORMATS, RANGES, rows_of, stream_choices
from airtally.console.forms import FormFields
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.errors import Failure

_EMPTY = "Nothing is made at set times yet. Make the first schedule below."
_NO_RUNS = "No slot has come due yet. Run it now to see what it makes."
_UNENDED = ("waiting", "making", "delivering")
_PRODUCTS = (("export", "Rows as files"), ("report", "A report of plays"))
_DEFAULT_CRON = "0 6 * * *"


class SchedulePages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/schedules")
    def schedules(self, visit: Visit) -> View:
        """`?cron=` fills the form with an expression; htmx gets its next slots alone, while it is typed."""
        given = visit.form or visit.query
        cron, zone = given.get("cron", _DEFAULT_CRON), given.get("timezone") or None
        coming = self._coming(visit, cron, zone)
        if visit.wants_fragment:
            return view("delivery/schedule_slots.html", coming=coming)

        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_schedules", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("Schedule", lambda each: each.name, link=lambda each: visit.path(f"/schedules/{each.id}")),
            TableColumn("State", lambda each: each.state, CellKind.STATE),
            TableColumn("Cron", lambda each: each.cron, CellKind.CODE),
            TableColumn("Zone", lambda each: each.timezone or visit.account.timezone),
            TableColumn("Makes", _product_words),
            TableColumn("Next run", lambda each: each.next_at, CellKind.TIME),
            TableColumn("Failed in a row", lambda each: each.failures, CellKind.NUMBER),
        )
        product = visit.form.get("product") or visit.query.get("product", "export")
        return view(
            "delivery/schedules.html",
            schedules=table_of(visit, "schedules", columns, read, _EMPTY),
            streams=stream_choices(self._operations, visit),
            products=_PRODUCTS,
            product=product if product in dict(_PRODUCTS) else "export",
            formats=FORMATS,
            compressions=COMPRESSIONS,
            ranges=RANGES,
            cron=cron,
            coming=coming,
        )

    @console_form("/schedules", again="schedules")
    def make_schedule(self, visit: Visit) -> Moved:
        form = visit.form
        body = {**_timing(form), "deliver": _recipients(form)}
        if form.get("product") == "report":
            body["report"] = {"range": form.text("range") or "yesterday"}
        else:
            spec = {"rows": rows_of(form), "format": form.text("format"), "compression": form.text("compression")}
            body["export"] = {name: value for name, value in spec.items() if value is not None}
        made = self._operations.call(visit, "create_schedule", body=body)
        return Moved(visit.path(f"/schedules/{made.id}"), f"{made.name} is made; its first slot is the next one.")

    @console_page("/schedules/{schedule_id}")
    def schedule(self, visit: Visit) -> View:
        path = {"schedule_id": visit.name("schedule_id")}
        found = self._operations.call(visit, "get_schedule", path=path)

        def read(cursor: str | None, limit: int) -> Any:
            query = {"cursor": cursor, "limit": limit}
            return self._operations.call(visit, "list_schedule_runs", path=path, query=query)

        runs = table_of(visit, "runs", _run_columns(visit), read, _NO_RUNS)
        return view(
            "delivery/schedule.html",
            fragment="runs",
            schedule=found,
            makes=_product_words(found),
            runs=runs,
            moving=any(each.state in _UNENDED for each in runs.items),
        )

    @console_form("/schedules/{schedule_id}", again="schedule")
    def change_schedule_form(self, visit: Visit) -> Moved:
        """Name, times and recipients; what it makes, and webhooks that it names one by one, stay."""
        stored = self._operations.call(visit, "get_schedule", path={"schedule_id": visit.name("schedule_id")})
        body = {**_timing(visit.form), "deliver": _recipients(visit.form, stored.deliver.endpoints)}
        body["timezone"] = body["timezone"] or visit.account.timezone
        return self._asked(visit, "change_schedule", "The schedule is changed from now on.", body)

    @console_form("/schedules/{schedule_id}/pause", again="schedule")
    def pause_schedule_form(self, visit: Visit) -> Moved:
        return self._asked(visit, "pause_schedule", "The schedule is paused: no slot is run from now on.")

    @console_form("/schedules/{schedule_id}/resume", again="schedule")
    def resume_schedule_form(self, visit: Visit) -> Moved:
        return self._asked(visit, "resume_schedule", "The schedule goes on with its next slot.")

    @console_form("/schedules/{schedule_id}/runs", again="schedule")
    def run_schedule_form(self, visit: Visit) -> Moved:
        body = {"as_of": visit.form.text("as_of")}
        return self._asked(visit, "run_schedule", "A run is under way.", body)

    @console_form("/schedules/{schedule_id}/delete", again="schedule")
    def delete_schedule_form(self, visit: Visit) -> Moved:
        self._asked(visit, "delete_schedule", "")
        return Moved(visit.path("/schedules"), "The schedule is deleted. What it made stays.")

    def _asked(self, visit: Visit, operation: str, words: str, body: dict[str, Any] | None = None) -> Moved:
        schedule_id = visit.name("schedule_id")
        self._operations.call(visit, operation, path={"schedule_id": schedule_id}, body=body)
        return Moved(visit.path(f"/schedules/{schedule_id}"), words)

    def _coming(self, visit: Visit, cron: str, zone: str | None) -> Any:
        """The next slots, or why there are none."""
        try:
            return self._operations.call(visit, "preview_slots", query={"cron": cron, "timezone": zone})
        except Failure as failure:
            return failure


def _timing(form: FormFields) -> dict[str, Any]:
    return {"name": form.get("name", ""), "cron": form.get("cron", ""), "timezone": form.text("timezone")}


def _recipients(form: FormFields, endpoints: Sequence[int] = ()) -> dict[str, Any]:
    addresses = (form.text("email") or "").replace(",", " ").split()
    return {"webhooks": "webhooks" in form, "email": addresses, "endpoints": endpoints}


def _product_words(schedule: Any) -> str:
    if schedule.report is not None:
        return f"a report of the plays of {schedule.report.range}"
    spec = schedule.export
    if spec.rows is not None:
        return f"rows of {spec.rows.stream}, {spec.rows.range or 'all of them'}, as {spec.format}"
    return f"a statement's rows as {spec.format}" if spec.sql is not None else f"a question's figures as {spec.format}"


def _run_columns(visit: Visit) -> tuple[TableColumn, ...]:
    return (
        TableColumn("Slot", lambda each: each.slot or each.as_of, CellKind.TIME),
        TableColumn("Began by", lambda each: "its slot" if each.slot else "somebody"),
        TableColumn("State", lambda each: each.state, CellKind.STATE),
        TableColumn("Why not", lambda each: each.reason),
        TableColumn("Made", _made_words, link=lambda each: _made_link(visit, each)),
        TableColumn("Due", lambda each: each.due_at, CellKind.TIME),
        TableColumn("Ended", lambda each: each.ended_at, CellKind.TIME),
    )


def _made_words(run: Any) -> str | None:
    if run.export_id is not None:
        return f"export {run.export_id}"
    return None if run.report_id is None else f"report {run.report_id}"


def _made_link(visit: Visit, run: Any) -> str | None:
    if run.export_id is not None:
        return visit.path(f"/exports/{run.export_id}")
    return None if run.report_id is None else visit.path(f"/reports/{run.report_id}")
