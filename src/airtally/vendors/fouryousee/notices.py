"""The report object, as calls return it and webhooks receive it.

docs/vendors/fouryousee.md#4, #6, #8: keys, order and texts are exact.
"""

from __future__ import annotations

import msgspec

from airtally.kit.time import iso_seconds
from airtally.reports.report import Report
from airtally.reports.requests import PlayFilter


class ReportError(msgspec.Struct, frozen=True):
    """The vendor's one error for failed reports; the actual reason is in the report's row."""

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
    """A failed report as a call for this one report returns it, never a listing."""

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
        status=report.status.on_wire,
        url=url,
        created_at=iso_seconds(report.created_at),
        updated_at=iso_seconds(report.updated_at),
    )


def single_report_object(report: Report, url: str | None) -> ReportObject:
    """The report object of a call for one report: with a ninth key `error` if the report failed."""
    plain = report_object(report, url)
    return FailedReportObject(*msgspec.structs.astuple(plain)) if plain.status == "failed" else plain


def notice(report: Report, url: str | None) -> bytes:
    """The body that is sent to the webhook, the same in every try."""
    if report.status.on_wire == "failed":
        return msgspec.json.encode(FailureNotice(report.id, "failed", ReportError(), report.filter))
    return msgspec.json.encode(report_object(report, url))
