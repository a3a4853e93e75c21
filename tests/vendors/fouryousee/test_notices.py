"""Report objects and notices, byte for byte: docs/vendors/fouryousee.md#4, #8."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from airtally.reports.report import Report, ReportState
from airtally.reports.requests import PlayFilter
from airtally.vendors.fouryousee.notices import notice, report_object, single_report_object

FILTER = PlayFilter("2026-10-01", "00:00:00", "2026-10-01", "23:59:59")
CREATED_US = 1_793_610_900_000_000  # 2026-11-02T09:15:00Z
REPORT = Report(
    id=7301,
    account_id=1,
    type="detailed",
    format="json",
    filter=FILTER,
    webhook=None,
    status=ReportState.SUCCESS,
    error=None,
    file_name="7301-a.gz",
    file_rows=4,
    file_bytes=90,
    file_sha256="ab" * 32,
    file_expires_at=None,
    file_deleted_at=None,
    data_through=None,
    created_at=CREATED_US,
    updated_at=CREATED_US + 61_999_999,
)
FAILED = replace(REPORT, status=ReportState.FAILED, error="a reason for people", file_name=None)
ECHO = (
    b'"filter":{"startDate":"2026-10-01","startTime":"00:00:00","endDate":"2026-10-01","endTime":"23:59:59",'
    b'"mediaId":[],"playerId":[],"sort":-1}'
)
ERROR = b'"error":{"code":422,"message":"There was an error generating the report"}'


def test_the_notice_of_a_success_is_its_object() -> None:
    assert notice(REPORT, "https://x/7301-a.gz") == (
        b'{"id":7301,"type":"detailed","format":"json",' + ECHO + b',"status":"success","url":"https://x/7301-a.gz",'
        b'"createdAt":"2026-11-02T09:15:00+00:00","updatedAt":"2026-11-02T09:16:01+00:00"}'
    )


def test_the_notice_of_a_failure_keeps_its_reason_for_people() -> None:
    assert notice(FAILED, None) == b'{"id":7301,"status":"failed",' + ERROR + b"," + ECHO + b"}"


def test_a_failed_report_has_its_error_where_it_is_asked_for_by_itself_alone() -> None:
    listed = msgspec.json.encode(report_object(FAILED, None))
    assert msgspec.json.encode(single_report_object(FAILED, None)) == listed[:-1] + b"," + ERROR + b"}"
    assert single_report_object(REPORT, "u") == report_object(REPORT, "u")
    assert b'"url":null' in listed
