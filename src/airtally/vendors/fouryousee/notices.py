"""The report object that is asked for, listed and sent to webhooks.

docs/vendors/fouryousee.md#4, #6, #8: keys, order and texts are exact.
"""

from __future__ import annotations

import msgspec

from airtally.kit.time import iso_seconds
from airtally.reports.report import Report
from airtally.reports.requests import PlayFilter


class ReportError(msgspec.Struct, frozen=True):
    """Told to programs; the reason for people stands in the report's row."""

    code: int = 422
    message: str = "There was an error generating the report"


class ReportObject(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    type: str
    format: str
    filter: PlayFilter
    status: str
    url: str | None
    created_at: str
    updated_at: str


class FailedReportObject(ReportObject, frozen=True, rename="camel"):
    """A failed report asked for by itself: never in a listing."""

    error: ReportError = ReportError()


class FailureNotice(msgspec.Struct, frozen=True):
    id: int
    status: str
    error: ReportError
    filter: PlayFilter


def report_object(report: Report, url: str | None) -> ReportObject:
    return ReportObject(
        id=report.id,
        type=report.type,
        format=report.format,
        filter=report.filter,
        status=report.status,
        url=url,
        created_at=iso_seconds(report.created_at),
        updated_at=iso_seconds(report.updated_at),
    )


def single_report_object(report: Report, url: str | None) -> ReportObject:
    """With the ninth key `error` where the report failed."""
    plain = report_object(report, url)
    return FailedReportObject(*msgspec.structs.astuple(plain)) if report.status == "failed" else plain


def notice(report: Report, url: str | None) -> bytes:
    """What the webhook is sent, the same in every try."""
    if report.status == "failed":
        return msgspec.json.encode(FailureNotice(report.id, "failed", ReportError(), report.filter))
    return msgspec.json.encode(report_object(report, url))
