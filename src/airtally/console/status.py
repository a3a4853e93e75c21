"""The operator's pages: the server, all accounts, the lake, and what the doctor finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airtally.console.declared import Place, console_form, console_page
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.troubles import trouble_count
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.lake_care.actions import LakeAction
from airtally.streams import STREAMS

#: Accounts of one page of the status, sorted by their troubles.
_ACCOUNTS = 200
#: For how many days the data of a closed account is kept, unless somebody says otherwise.
_CLOSED_DAYS = 30
_NUMBER, _TIME, _SIZE = CellKind.NUMBER, CellKind.TIME, CellKind.SIZE


class StatusPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("", Place.SERVER)
    def status(self, visit: Visit) -> View:
        """For htmx the figures alone, which the page asks for anew while it is looked at."""
        server = self._operations.call(visit, "get_status")
        writers = self._operations.call(visit, "list_writers").items
        return view(
            "status.html",
            fragment="figures",
            server=server,
            writers=writers,
            problems=[each for each in server.checks if each.problem],
            stopped=[each for each in server.background if not each.alive or each.failures],
            **self._accounts(visit),
        )

    def _accounts(self, visit: Visit) -> Mapping[str, Any]:
        def read(cursor: str | None, _limit: int) -> Any:
            page = self._operations.call(visit, "list_account_status", query={"cursor": cursor, "limit": _ACCOUNTS})
            page.items.sort(
                key=lambda each: (each.closed_at is not None, -trouble_count(each.standing), -each.rows_today)
            )
            return page

        listed = table_of(visit, "accounts", _STATUS_COLUMNS, read, "There is no account.")
        return {"accounts": listed, "in_trouble": sum(1 for each in listed.items if trouble_count(each.standing))}

    @console_page("/accounts", Place.SERVER)
    def server_accounts(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_accounts", query={"cursor": cursor, "limit": limit})

        listed = table_of(visit, "accounts", _ACCOUNT_COLUMNS, read, "There is no account.")
        return view("status_accounts.html", accounts=listed, days=_CLOSED_DAYS)

    @console_form("/accounts", Place.SERVER, again="server_accounts")
    def make_account(self, visit: Visit) -> Moved:
        body = {name: visit.form.text(name) for name in ("name", "slug", "timezone", "currency")}
        made = self._operations.call(visit, "create_account", body=body)
        return Moved(f"/accounts/{made.slug}/users", f"The account {made.name} is made. Add its first user.")

    @console_form("/accounts/{closed}/close", Place.SERVER, again="server_accounts")
    def close(self, visit: Visit) -> Moved:
        days = visit.form.text("days")
        path = {"slug": visit.name("closed")}
        closed = self._operations.call(visit, "close_account", path=path, body={"days": days})
        words = f"The account {closed.account.name} is closed. Its data is deleted on {closed.delete_at[:10]} (UTC)."
        return Moved("/status/accounts", words)

    @console_form("/accounts/{closed}/reopen", Place.SERVER, again="server_accounts")
    def reopen(self, visit: Visit) -> Moved:
        opened = self._operations.call(visit, "reopen_account", path={"slug": visit.name("closed")}, body={})
        return Moved("/status/accounts", f"The account {opened.name} is open again.")

    @console_page("/lake", Place.SERVER)
    def lake(self, visit: Visit) -> View:
        def rollups(_cursor: str | None, _limit: int) -> Any:
            return self._operations.call(visit, "list_lake_rollups")

        def tasks(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_lake_tasks", query={"cursor": cursor, "limit": limit})

        tables = self._operations.call(visit, "list_lake_tables")
        return view(
            "status_lake.html",
            tables=tables.items,
            damaged=tables.damaged,
            rollups=table_of(visit, "rollups", _ROLLUP_COLUMNS, rollups, "There is no rollup."),
            tasks=table_of(visit, "tasks", _TASK_COLUMNS, tasks, "Nobody has asked for work on the lake."),
            actions=_ACTIONS,
            streams=[("", "all"), *((name, name) for name in STREAMS)],
        )

    @console_form("/lake", Place.SERVER, again="lake")
    def ask_lake(self, visit: Visit) -> Moved:
        body = {"action": visit.form.text("action"), "stream": visit.form.text("stream")}
        task = self._operations.call(visit, "create_lake_task", body=body)
        return Moved("/status/lake", f"Task {task.id} is under way: {task.action} of {task.stream or 'all streams'}.")

    @console_page("/doctor", Place.SERVER)
    def doctor(self, visit: Visit) -> View:
        found = self._operations.call(visit, "get_doctor")
        order = ["error", "warning", "ok"]
        findings = sorted(found.items, key=lambda each: order.index(each.state))
        return view("status_doctor.html", state=found.state, findings=findings)


def _overview_path(account: Any) -> str | None:
    return None if account.closed_at else f"/accounts/{account.slug}/overview"


_STATUS_COLUMNS = (
    TableColumn("Account", lambda each: each.name, link=_overview_path),
    TableColumn("Rows today", lambda each: each.rows_today, _NUMBER),
    TableColumn("Last received", lambda each: each.last_received, _TIME),
    TableColumn("Rows refused", lambda each: each.standing.rows_refused, _NUMBER),
    TableColumn(
        "Failing deliveries", lambda each: each.standing.deliveries_failing + each.standing.notices_failing, _NUMBER
    ),
    TableColumn("Jobs failed", lambda each: each.standing.jobs_failed, _NUMBER),
    TableColumn("Jobs waiting", lambda each: each.standing.jobs_waiting, _NUMBER),
    TableColumn("Alarms firing", lambda each: each.standing.alarms_firing, _NUMBER),
    TableColumn("Closed", lambda each: each.closed_at, _TIME),
)
_ACCOUNT_COLUMNS = (
    TableColumn("Slug", lambda each: each.slug, CellKind.CODE, link=_overview_path),
    TableColumn("Name", lambda each: each.name),
    TableColumn("Time zone", lambda each: each.timezone),
    TableColumn("Currency", lambda each: each.currency),
    TableColumn("Closed", lambda each: each.closed_at, _TIME),
)
_ROLLUP_COLUMNS = (
    TableColumn("Rollup", lambda each: each.rollup),
    TableColumn("Stream", lambda each: each.stream),
    TableColumn("Rows", lambda each: each.rows, _NUMBER),
    TableColumn("Size", lambda each: each.size, _SIZE),
    TableColumn("Files", lambda each: each.files, _NUMBER),
    TableColumn("Months", lambda each: each.months, _NUMBER),
    TableColumn("Stale months", lambda each: each.stale_months, _NUMBER),
    TableColumn("Kept", lambda each: "for ever" if each.kept_days is None else f"{each.kept_days} days"),
)
_TASK_COLUMNS = (
    TableColumn("Task", lambda each: each.id, _NUMBER),
    TableColumn("What", lambda each: each.action),
    TableColumn("Stream", lambda each: each.stream or "all"),
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("Steps done", lambda each: len(each.results), _NUMBER),
    TableColumn("Why it failed", lambda each: each.error),
    TableColumn("Asked by", lambda each: each.requested_by),
    TableColumn("Asked at", lambda each: each.created_at, _TIME),
    TableColumn("Ended", lambda each: each.ended_at, _TIME),
)
_ACTIONS = (
    (LakeAction.COMPACT, "Compact files"),
    (LakeAction.EXPIRE, "Remove expired rows"),
    (LakeAction.ROLLUPS, "Build stale rollups"),
    (LakeAction.REBUILD_ROLLUPS, "Build rollups anew"),
)
