"""`GET /{slug}/{id}-{13 hex}.gz`: the file of a report, for whoever has its link.

docs/vendors/fouryousee.md#7.
"""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response, route
from litestar.params import FromPath

from airtally.accounts.accounts import Account
from airtally.files.serve import ServedFile, send
from airtally.kit.errors import NotFound
from airtally.kit.http import METHODS
from airtally.kit.quality import quality_headers
from airtally.reports.report import SIGNATURE_NAME, Report, storage_name
from airtally.services import Services

_NAME = re.compile(r"[1-9][0-9]{0,18}-[0-9a-f]{13}\.gz")


def routes(services: Services) -> list[Any]:
    @route("/{slug:str}/{name:str}", http_method=METHODS, sync_to_thread=True)
    def download(request: Request[Any, Any, Any], slug: FromPath[str], name: FromPath[str]) -> Response[Any]:
        """The link is the only permission."""
        if not _NAME.fullmatch(name):
            raise NotFound("Resource not found.")
        account, report = services.reports.by_link(slug, name, request.query_params.get(SIGNATURE_NAME, ""))
        return send(request, services.files, _file(account, report, name), _headers(account, report))

    return [download]


def _file(account: Account, report: Report, name: str) -> ServedFile:
    return ServedFile(
        storage_name(account.slug, name), name, report.file_bytes or 0, str(report.file_sha256), "application/gzip"
    )


def _headers(account: Account, report: Report) -> dict[str, str]:
    return {
        "Airtally-Rows": str(report.file_rows),
        **quality_headers(
            data_through_us=report.data_through, generated_at_us=report.updated_at, timezone=account.timezone
        ),
    }
