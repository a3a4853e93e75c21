"""`/api/v1/reports`: detailed reports of plays, as 4YouSee's clients ask for them, and the tries of their notices."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import NotFound
from airtally.reports.outbox import Delivery
from airtally.reports.report import Report
from airtally.services import Services


class ReportAnswer(msgspec.Struct, frozen=True):
    """`url`: the link to the file, once there is one. `progress` in words. `filter` as it was asked for."""

    id: int
    type: str
    format: str
    filter: dict[str, Any]
    webhook: str | None
    state: str
    progress: str
    error: str | None
    url: str | None
    rows: int | None
    bytes: int | None
    sha256: str | None
    data_through: str | None
    created_at: str
    file_expires_at: str | None


class ReportDelivery(msgspec.Struct, frozen=True):
    """One try of a notice. `attempt`: its number, from 1; 0 for one that was asked for. `request`: the body sent."""

    id: int
    report_id: int
    url: str
    request: str
    attempt: int
    state: str
    due_at: str
    sent_at: str | None
    status_code: int | None
    error: str | None


class ReportResource:
    def __init__(self, services: Services) -> None:
        self._reports = services.reports
        self._deliveries = services.deliveries

    @operation("GET", "/reports", Permission.READ, "List reports")
    def list_reports(self, call: OperationCall[PageQuery, None]) -> ListingPage[ReportAnswer]:
        """The newest first."""
        query = call.query
        found = self._reports.newest(call.account, before=query.position, limit=query.limit + 1)
        return page_of(found, query.limit, lambda each: self._answer(call, each), lambda each: each.id)

    @operation("GET", "/reports/{report_id}", Permission.READ, "Get a report", failures=(NotFound,))
    def get_report(self, call: PlainCall) -> ReportAnswer:
        """Its state, and the link to its file."""
        return self._answer(call, self._reports.own(call.account, call.number("report_id")))

    @operation(
        *("GET", "/reports/{report_id}/deliveries", Permission.READ, "List the tries of a report's notice"),
        failures=(NotFound,),
    )
    def list_report_deliveries(self, call: OperationCall[PageQuery, None]) -> ListingPage[ReportDelivery]:
        """The newest first."""
        query, report = call.query, self._reports.own(call.account, call.number("report_id"))
        found = self._deliveries.latest(
            call.account.id, report_id=report.id, before=query.position, limit=query.limit + 1
        )
        return page_of(found, query.limit, _delivery_answer, lambda each: each.id)

    @operation("GET", "/report-deliveries", Permission.READ, "List the tries of all notices of reports")
    def list_all_report_deliveries(self, call: OperationCall[PageQuery, None]) -> ListingPage[ReportDelivery]:
        """The newest first."""
        query = call.query
        found = self._deliveries.latest(call.account.id, before=query.position, limit=query.limit + 1)
        return page_of(found, query.limit, _delivery_answer, lambda each: each.id)

    @operation(
        *(
            "POST",
            "/report-deliveries/{report_delivery_id}/redeliver",
            Permission.ADMIN,
            "Send a report's notice again",
        ),
        status=201,
        failures=(NotFound,),
    )
    def redeliver_report_notice(self, call: PlainCall) -> ReportDelivery:
        """One more try of the same notice, at once; no other follows it."""
        return _delivery_answer(self._deliveries.redeliver(call.number("report_delivery_id"), call.account.id))

    def _answer(self, call: OperationCall[Any, Any], report: Report) -> ReportAnswer:
        return ReportAnswer(
            id=report.id,
            type=report.type,
            format=report.format,
            filter=msgspec.to_builtins(report.filter),
            webhook=report.webhook,
            state=report.status,
            progress=self._reports.progress(report),
            error=report.error,
            url=self._reports.url(call.account, report),
            rows=report.file_rows,
            bytes=report.file_bytes,
            sha256=report.file_sha256,
            data_through=shown_moment(report.data_through),
            created_at=shown_moment(report.created_at),
            file_expires_at=shown_moment(report.file_expires_at),
        )


def _delivery_answer(delivery: Delivery) -> ReportDelivery:
    return ReportDelivery(
        id=delivery.id,
        report_id=delivery.report_id,
        url=delivery.url,
        request=delivery.payload,
        attempt=delivery.attempt,
        state=delivery.state,
        due_at=shown_moment(delivery.due_at),
        sent_at=shown_moment(delivery.sent_at),
        status_code=delivery.status_code,
        error=delivery.error,
    )
