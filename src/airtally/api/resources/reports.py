"""`/api/v1/reports`: detailed reports of plays, as 4YouSee's clients ask for them, and the tries of their notices."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Response

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.files.serve import ServedFile, send
from airtally.jobs.queue import TooManyJobs
from airtally.kit.errors import Forbidden, NotFound, Unprocessable
from airtally.kit.outgoing import OutgoingRefused, check_url
from airtally.reports.deletion import ReportDeletion
from airtally.reports.outbox import NOTICE_HEADERS, Delivery
from airtally.reports.report import Report, ReportState, storage_name
from airtally.reports.requests import PlayFilter, ReportRequest, check_interval
from airtally.reports.service import progress_of
from airtally.services import Services

#: Seconds after which a caller who waits is to look again.
_LOOK_AGAIN = "1"
_GZIP = "application/gzip"


class PlayOrder(StrEnum):
    """By the time of the play."""

    NEWEST = "newest"
    OLDEST = "oldest"


_Ids = Annotated[tuple[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)], ...], msgspec.Meta(max_length=10_000)]


class AskedReport(msgspec.Struct, forbid_unknown_fields=True):
    """Plays in the players' wall clock, from the first second to the last one; an empty list of ids means all.

    `webhook`: a URL that is told once when the report has ended, as 4YouSee tells it; only keys with `admin` give one.
    """

    start_date: date
    end_date: date
    start_time: time = time(0, 0)
    end_time: time = time(23, 59, 59)
    media_ids: _Ids = ()
    player_ids: _Ids = ()
    order: PlayOrder = PlayOrder.NEWEST
    webhook: Annotated[str, msgspec.Meta(max_length=2048)] | None = None


class ReportAnswer(msgspec.Struct, frozen=True):
    """`url`: the link to the file, once there is one. `progress` in words. `filter` as it was asked for.

    `job` builds it: it can be cancelled, and begun anew. `rows_read` of `rows_to_read` are read; null until the job begins.
    """

    id: int
    type: str
    format: str
    filter: dict[str, Any]
    webhook: str | None
    state: str
    progress: str
    job: int | None
    rows_read: int | None
    rows_to_read: int | None
    error: str | None
    url: str | None
    rows: int | None
    bytes: int | None
    sha256: str | None
    data_through: str | None
    created_at: str
    file_expires_at: str | None


class ReportDelivery(msgspec.Struct, frozen=True):
    """One try of a notice. `attempt`: its number, from 1; 0 for one that was asked for. `request`: the body sent.

    `answer_headers` and `answer_body`: the beginning of what was answered, null where nothing was.
    """

    id: int
    report_id: int
    url: str
    request_headers: dict[str, str]
    request: str
    attempt: int
    state: str
    due_at: str
    sent_at: str | None
    status_code: int | None
    error: str | None
    duration_ms: float | None
    answer_headers: dict[str, str] | None
    answer_body: str | None


class ReportDeliveriesQuery(PageQuery):
    """`report`: of this one only."""

    report: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None


class ReportsQuery(PageQuery):
    """`state`: only those in one of these states; may be given several times."""

    state: list[ReportState] = msgspec.field(default_factory=list)


class ReportResource:
    def __init__(self, services: Services) -> None:
        self._reports = services.reports
        self._deliveries = services.deliveries
        self._deletion = ReportDeletion(services.reports, services.files)
        self._files = services.files
        self._clock = services.clock

    @operation(
        *("POST", "/reports", Permission.READ, "Ask for a report"),
        status=202,
        failures=(Forbidden, TooManyJobs),
        answer=ReportAnswer,
        headers={"Location": "Where the report is found.", "Retry-After": "Seconds until it is worth a look."},
        example={"start_date": "2026-10-01", "end_date": "2026-10-31", "player_ids": [7001]},
    )
    def create_report(self, call: OperationCall[NoFields, AskedReport]) -> OperationReply:
        """It is built with all rows received before, in the same way as 4YouSee's clients get it.

        One gzip file of JSON.
        """
        asked = call.body
        if asked.webhook is not None and not call.may(Permission.ADMIN):
            raise Forbidden("Only keys with the scope `admin` may give a `webhook`")
        report = self._reports.create(call.account, _request_of(asked))
        headers = {"Location": f"/api/v1/reports/{report.id}", "Retry-After": _LOOK_AGAIN}
        return OperationReply(self._answer(call, report), status=202, headers=headers)

    @operation("GET", "/reports", Permission.READ, "List reports")
    def list_reports(self, call: OperationCall[ReportsQuery, None]) -> ListingPage[ReportAnswer]:
        """The newest first."""
        query = call.query
        found = self._reports.newest(call.account, before=query.position, limit=query.limit + 1, states=query.state)
        return page_of(found, query.limit, lambda each: self._answer(call, each), lambda each: each.id)

    @operation("GET", "/reports/{report_id}", Permission.READ, "Get a report", failures=(NotFound,))
    def get_report(self, call: PlainCall) -> ReportAnswer:
        """Its state, and the link to its file."""
        return self._answer(call, self._reports.own(call.account, call.number("report_id")))

    @operation(
        *("GET", "/reports/{report_id}/file", Permission.READ, "Fetch a report's file"),
        failures=(NotFound,),
        media_types=(_GZIP,),
        answer=bytes,
        raw=True,
    )
    def fetch_report_file(self, call: OperationCall[NoFields, bytes]) -> Response[Any]:
        """What its link gives, for whoever has a key. 404 before the report is built, and once the file is not kept."""
        report = self._reports.own(call.account, call.number("report_id"))
        if report.file_name is None or not report.has_file(self._clock.now_us()):
            raise NotFound(f"Report {report.id} has no file", hint=f"It is {report.status}")
        stored = storage_name(call.account.slug, report.file_name)
        served = ServedFile(stored, report.file_name, report.file_bytes or 0, str(report.file_sha256), _GZIP)
        return send(call.request, self._files, served)

    @operation(
        *("DELETE", "/reports/{report_id}", Permission.ADMIN, "Delete a report"),
        status=204,
        failures=(NotFound,),
    )
    def delete_report(self, call: PlainCall) -> None:
        """With its file and the tries of its notice; one that is being built stops."""
        self._deletion.run(call.account, call.number("report_id"))

    @operation(
        *("GET", "/reports/{report_id}/deliveries", Permission.READ, "List the tries of a report's notice"),
        failures=(NotFound,),
        of_closed=True,
    )
    def list_report_deliveries(self, call: OperationCall[PageQuery, None]) -> ListingPage[ReportDelivery]:
        """The newest first."""
        query, report = call.query, self._reports.own(call.account, call.number("report_id"))
        found = self._deliveries.latest(
            call.account.id, report_id=report.id, before=query.position, limit=query.limit + 1
        )
        return page_of(found, query.limit, _delivery_answer, lambda each: each.id)

    @operation("GET", "/report-deliveries", Permission.READ, "List the tries of all notices of reports", of_closed=True)
    def list_all_report_deliveries(
        self, call: OperationCall[ReportDeliveriesQuery, None]
    ) -> ListingPage[ReportDelivery]:
        """The newest first."""
        query = call.query
        found = self._deliveries.latest(
            call.account.id, report_id=query.report, before=query.position, limit=query.limit + 1
        )
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
        job = self._reports.job(report)
        begun = job is not None and bool(job.progress_total)
        return ReportAnswer(
            id=report.id,
            type=report.type,
            format=report.format,
            filter=msgspec.to_builtins(report.filter),
            webhook=report.webhook,
            state=report.status,
            progress=progress_of(report, job),
            job=None if job is None else job.id,
            rows_read=job.progress_done if job is not None and begun else None,
            rows_to_read=job.progress_total if job is not None and begun else None,
            error=report.error,
            url=self._reports.url(call.account, report),
            rows=report.file_rows,
            bytes=report.file_bytes,
            sha256=report.file_sha256,
            data_through=shown_moment(report.data_through),
            created_at=shown_moment(report.created_at),
            file_expires_at=shown_moment(report.file_expires_at),
        )


def _request_of(asked: AskedReport) -> ReportRequest:
    """Raises Unprocessable for times with a fraction or a zone, for an interval that cannot be, and for no URL."""
    for name, given in (("start_time", asked.start_time), ("end_time", asked.end_time)):
        if given.microsecond or given.tzinfo is not None:
            raise Unprocessable(f"`{name}` is a time of day in whole seconds, such as 23:59:59")
    plays = PlayFilter(
        start_date=asked.start_date.isoformat(),
        start_time=asked.start_time.isoformat(),
        end_date=asked.end_date.isoformat(),
        end_time=asked.end_time.isoformat(),
        media_id=asked.media_ids,
        player_id=asked.player_ids,
        sort=-1 if asked.order is PlayOrder.NEWEST else 1,
    )
    check_interval(plays)
    if asked.webhook is not None:
        try:
            check_url(asked.webhook)
        except OutgoingRefused as refused:
            raise Unprocessable(f"`webhook` cannot be used: {refused.message}") from None
    return ReportRequest(plays, asked.webhook)


def _delivery_answer(delivery: Delivery) -> ReportDelivery:
    return ReportDelivery(
        id=delivery.id,
        report_id=delivery.report_id,
        url=delivery.url,
        request_headers=NOTICE_HEADERS,
        request=delivery.payload,
        attempt=delivery.attempt,
        state=delivery.state,
        due_at=shown_moment(delivery.due_at),
        sent_at=shown_moment(delivery.sent_at),
        status_code=delivery.status_code,
        error=delivery.error,
        duration_ms=None if delivery.duration_us is None else delivery.duration_us / 1000,
        answer_headers=None if delivery.answer_headers is None else msgspec.json.decode(delivery.answer_headers),
        answer_body=delivery.answer_body,
    )
