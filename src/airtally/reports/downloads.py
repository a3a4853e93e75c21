"""`GET /{slug}/{id}-{13 hex}.gz`: the file of a report, for whoever has its link.

4YouSee contract, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.params import FromPath
from litestar.response import Stream

from airtally.accounts.accounts import Account
from airtally.kit.errors import NotFound
from airtally.kit.quality import quality_headers
from airtally.reports.files import FileStore
from airtally.reports.report import SIGNATURE_NAME, Report, storage_name
from airtally.reports.service import Reports

_NAME = re.compile(r"[1-9][0-9]{0,18}-[0-9a-f]{13}\.gz")
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_MEDIA_TYPE = "application/gzip"


def routes(services: Any) -> list[Any]:
    """`services` has `reports` and `files`."""

    @route("/{slug:str}/{name:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], sync_to_thread=True)
    def download(request: Request[Any, Any, Any], slug: FromPath[str], name: FromPath[str]) -> Response[Any]:
        return file_response(request, services.reports, services.files, slug, name)

    return [download]


def file_response(
    request: Request[Any, Any, Any], reports: Reports, files: FileStore, slug: str, name: str
) -> Response[Any]:
    """Whole or in a range; the link is the only permission. Raises NotFound."""
    if not _NAME.fullmatch(name):
        raise NotFound("Resource not found.")
    account, report = reports.by_link(slug, name, request.query_params.get(SIGNATURE_NAME, ""))
    size = report.file_bytes or 0
    headers = _headers(account, report)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(None, status_code=304, headers=headers)
    start, end, status = _asked(request, headers["ETag"], size)
    if status == 416:
        return Response(b"", status_code=416, headers={"Content-Range": f"bytes */{size}"}, media_type=_MEDIA_TYPE)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    chunks: Iterator[bytes] = iter(())
    if request.method == HttpMethod.GET:
        chunks = files.read(storage_name(account.slug, name), start, end)
    return Stream(chunks, status_code=status, headers=headers, media_type=_MEDIA_TYPE)


def _asked(request: Request[Any, Any, Any], etag: str, size: int) -> tuple[int, int, int]:
    """Start, end and status; a range that cannot be read is as none."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or not (match[1] or match[2]) or request.headers.get("if-range", etag) != etag:
        return 0, size, 200
    if not match[1]:
        start, end = max(size - int(match[2]), 0), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    return (start, end, 206) if start < end else (0, 0, 416)


def _headers(account: Account, report: Report) -> dict[str, str]:
    return {
        "ETag": f'"{report.file_sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Disposition": f'attachment; filename="{report.file_name}"',
        "Airtally-Rows": str(report.file_rows),
        "Airtally-Sha256": str(report.file_sha256),
        **quality_headers(
            data_through_us=report.data_through, generated_at_us=report.updated_at, timezone=account.timezone
        ),
    }
