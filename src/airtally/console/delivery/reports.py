"""Reports of plays: asked for, on their way, fetched; and the tries of their notices with what was answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airtally.console.declared import Place, console_form, console_page
from airtally.console.delivery.found_records import RecordChoice, chosen_records
from airtally.console.formats import moment_of
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, Table, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.time import to_datetime

_EMPTY = "No report has been generated yet. Ask for the first one below."
_NONE_WAITING = "Every report that was asked for is there."
_OTHER_STATES = ("waiting", "failed", "cancelled")
#: Streams that a report's plays can be narrowed by, with the field of the form.
_CHOICES = (("players", "player_id", "Players"), ("medias", "media_id", "Medias"))
#: Tries of a notice that a page shows.
_TRIES = 20
_SOON_US = 5_000_000


class ReportPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/admin/reports_api.php", Place.SITE)
    def own_reports(self, visit: Visit) -> View:
        """The address that 4YouSee's users know: the reports of one's own account. docs/vendors/fouryousee.md#9."""
        return self.reports(visit)

    @console_page("/reports")
    def reports(self, visit: Visit) -> View:
        if visit.wants_fragment and "stream" in visit.query:
            return self._found(visit)
        done = table_of(
            visit, "generated", _done_columns(visit), lambda *page: self._listed(visit, ["success"], *page), _EMPTY
        )
        others = table_of(
            visit, "others", _columns(visit), lambda *page: self._listed(visit, _OTHER_STATES, *page), _NONE_WAITING
        )
        waiting = any(each.state == "waiting" for each in others.items)
        yesterday = to_datetime(visit.now_us).astimezone(visit.account.zone).date() - timedelta(days=1)
        choices = [self._choice(visit, *each) for each in _CHOICES]
        return view(
            "delivery/reports.html",
            fragment="listing",
            done=done,
            others=others,
            notices=self._notices(visit),
            waiting=waiting,
            day=yesterday.isoformat(),
            choices=choices,
        )

    def _notices(self, visit: Visit) -> Table:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(
                visit, "list_all_report_deliveries", query={"cursor": cursor, "limit": min(limit, _TRIES)}
            )

        columns = (
            TableColumn(
                "Report", lambda each: each.report_id, link=lambda each: visit.path(f"/reports/{each.report_id}")
            ),
            TableColumn("Try", lambda each: each.attempt, CellKind.NUMBER),
            TableColumn("State", lambda each: each.state, CellKind.STATE),
            TableColumn("Answer", lambda each: each.status_code or each.error),
            TableColumn("Due", lambda each: each.due_at, CellKind.TIME),
        )
        return table_of(visit, "notices", columns, read, "No report was asked for with somebody to tell.")

    @console_form("/reports", again="reports")
    def ask_for_report(self, visit: Visit) -> Moved:
        form = visit.form
        body = {
            "start_date": form.text("start_date"),
            "end_date": form.text("end_date"),
            "start_time": _whole_time(form.text("start_time")),
            "end_time": _whole_time(form.text("end_time")),
            "player_ids": form.all("player_id"),
            "media_ids": form.all("media_id"),
            "order": form.text("order"),
            "webhook": form.text("webhook"),
        }
        made = self._operations.call(visit, "create_report", body=body)
        return Moved(visit.path(f"/reports/{made.id}"), f"Report {made.id} is under way.")

    @console_page("/reports/{report_id}")
    def report(self, visit: Visit) -> View:
        path = {"report_id": visit.name("report_id")}
        found = self._operations.call(visit, "get_report", path=path)
        tries = self._operations.call(visit, "list_report_deliveries", path=path, query={"limit": _TRIES})
        moving = found.state == "waiting" or any(_is_near(visit, each) for each in tries.items)
        return view(
            "delivery/report.html",
            fragment="state",
            report=found,
            interval=interval_text(found.filter),
            tries=tries,
            kept=is_kept(visit, found.file_expires_at),
            moving=moving,
        )

    @console_form("/reports/{report_id}/cancel", again="report")
    def cancel_report(self, visit: Visit) -> Moved:
        return self._with_job(visit, "cancel_job", "is cancelled")

    @console_form("/reports/{report_id}/retry", again="report")
    def retry_report(self, visit: Visit) -> Moved:
        return self._with_job(visit, "retry_job", "is begun anew, with all rows received by now")

    @console_form("/reports/{report_id}/delete", again="report")
    def delete_report_form(self, visit: Visit) -> Moved:
        report_id = visit.name("report_id")
        self._operations.call(visit, "delete_report", path={"report_id": report_id})
        return Moved(visit.path("/reports"), f"Report {report_id} is deleted, with its file.")

    @console_form("/reports/{report_id}/deliveries/{report_delivery_id}/redeliver", again="report")
    def redeliver_notice(self, visit: Visit) -> Moved:
        report_id, delivery_id = visit.name("report_id"), visit.name("report_delivery_id")
        self._operations.call(visit, "get_report", path={"report_id": report_id})
        path = {"report_delivery_id": delivery_id}
        self._operations.call(visit, "redeliver_report_notice", path=path)
        return Moved(visit.path(f"/reports/{report_id}"), "The notice is sent once more.")

    def _found(self, visit: Visit) -> View:
        """Records that the form offers, found by a part of their name; those that are ticked stay."""
        asked = visit.query["stream"]
        stream, name, _ = next((each for each in _CHOICES if each[0] == asked), _CHOICES[0])
        ticked = [str(each) for each in visit.request.query_params.getall(name, [])]
        choice = chosen_records(self._operations, visit, stream, ticked, visit.query.get(f"find-{stream}", ""))
        return view("delivery/report_records.html", choice=choice, name=name)

    def _with_job(self, visit: Visit, operation: str, words: str) -> Moved:
        report_id = visit.name("report_id")
        report = self._operations.call(visit, "get_report", path={"report_id": report_id})
        self._operations.call(visit, operation, path={"job_id": report.job or 0})
        return Moved(visit.path(f"/reports/{report_id}"), f"Report {report_id} {words}.")

    def _listed(self, visit: Visit, states: Any, cursor: str | None, limit: int) -> Any:
        query = {"state": list(states), "cursor": cursor, "limit": limit}
        return self._operations.call(visit, "list_reports", query=query)

    def _choice(self, visit: Visit, stream: str, name: str, label: str) -> tuple[str, str, str, RecordChoice]:
        return stream, name, label, chosen_records(self._operations, visit, stream, visit.form.all(name), "")


def interval_text(asked: Any) -> str:
    return f"{asked['startDate']} {asked['startTime']} to {asked['endDate']} {asked['endTime']}"


def report_words(report: Any) -> str:
    """How far it is, or why there is none."""
    return f"{report.state.capitalize()}: {report.error}" if report.error else str(report.progress)


def _columns(visit: Visit) -> tuple[TableColumn, ...]:
    return (
        TableColumn("Report", lambda each: each.id, link=lambda each: visit.path(f"/reports/{each.id}")),
        TableColumn("Interval", lambda each: interval_text(each.filter)),
        TableColumn("Asked for", lambda each: each.created_at, CellKind.TIME),
        TableColumn("State", lambda each: each.state, CellKind.STATE),
        TableColumn("How far", report_words),
    )


def _done_columns(visit: Visit) -> tuple[TableColumn, ...]:
    return (
        *_columns(visit)[:3],
        TableColumn("Plays", lambda each: each.rows, CellKind.NUMBER),
        TableColumn("Size", lambda each: each.bytes, CellKind.SIZE),
        TableColumn("File", lambda each: _file_words(visit, each), link=lambda each: _file_link(visit, each)),
    )


def is_kept(visit: Visit, expires_at: str | None) -> bool:
    """Whether a file that expires at this time, RFC 3339, is still there."""
    return expires_at is not None and moment_of(expires_at) > to_datetime(visit.now_us)


def _file_words(visit: Visit, report: Any) -> str:
    return "Download" if is_kept(visit, report.file_expires_at) else "no longer kept"


def _file_link(visit: Visit, report: Any) -> str | None:
    return report.url if is_kept(visit, report.file_expires_at) else None


def _is_near(visit: Visit, tried: Any) -> bool:
    """Whether a try is under way, or about to be."""
    soon = to_datetime(visit.now_us + _SOON_US)
    return tried.state == "sending" or (tried.state == "due" and moment_of(tried.due_at) < soon)


def _whole_time(text: str | None) -> str | None:
    """Browsers leave out seconds that are zero."""
    return f"{text}:00" if text is not None and len(text) == 5 else text
