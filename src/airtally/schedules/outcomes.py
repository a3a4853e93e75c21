"""What a run's export or report has become: its files, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airtally.accounts.accounts import Accounts
from airtally.exports.export import Export, ExportPart, media_type
from airtally.exports.links import ExportLinks
from airtally.exports.service import Exports
from airtally.kit.clock import Clock
from airtally.kit.errors import Forbidden, NotFound
from airtally.kit.time import iso_seconds
from airtally.reports.report import Report, ReportState, storage_name
from airtally.reports.service import Reports
from airtally.schedules.schedule import ScheduleRun

#: Files that a message names; the listing of an export's parts has all.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class MadeFile:
    """`url` needs no other permission. `stored_name` is the file's name in the file store."""

    name: str
    url: str
    rows: int
    bytes: int
    sha256: str
    stored_name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class MadeFiles:
    """The files of an export or a report. `about` is what a message says of it beside its files; `files` are the first."""

    kind: str
    about: Mapping[str, Any]
    files: tuple[MadeFile, ...]
    number: int
    rows: int
    bytes: int


class Outcomes:
    """Thread-safe: it has no state of its own."""

    def __init__(
        self, accounts: Accounts, exports: Exports, links: ExportLinks, reports: Reports, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._exports = exports
        self._links = links
        self._reports = reports
        self._clock = clock

    def of(self, run: ScheduleRun) -> MadeFiles | str:
        """The files of a run whose export or report has ended; a text in words where there are none."""
        account = self._accounts.by_id(run.account_id)
        try:
            if run.export_id is not None:
                return self._of_export(self._exports.get(account, run.export_id))
            return self._of_report(account.slug, self._reports.get(account, run.report_id or 0))
        except (NotFound, Forbidden):
            return "What the run made was deleted before it could be delivered"

    def _of_export(self, export: Export) -> MadeFiles | str:
        if not export.has_files:
            return export.error or f"The export {export.id} was {export.state}"
        parts = self._exports.parts(export, limit=MOST_NAMED)
        about = {"id": export.id, "format": export.spec.format, "data_through": _time(export.data_through)}
        about |= {"expires_at": _time(export.expires_at)}
        files = tuple(self._part(export, each) for each in parts)
        return MadeFiles("export", about, files, export.parts, export.rows, export.bytes)

    def _part(self, export: Export, part: ExportPart) -> MadeFile:
        url = self._links.lasting_link(export, part.number, self._clock.now_us()).url
        return MadeFile(
            part.file_name(export.spec),
            url,
            part.rows,
            part.bytes,
            part.sha256,
            part.stored_name,
            media_type(export.spec),
        )

    def _of_report(self, slug: str, report: Report) -> MadeFiles | str:
        name, account = report.file_name, self._accounts.by_slug(slug)
        if report.status is not ReportState.SUCCESS or name is None:
            return report.error or f"The report {report.id} has failed"
        url = self._reports.url(account, report) or ""
        size = report.file_rows or 0, report.file_bytes or 0
        file = MadeFile(name, url, *size, report.file_sha256 or "", storage_name(slug, name), "application/gzip")
        about = {"id": report.id, "type": report.type, "data_through": _time(report.data_through)}
        about |= {"expires_at": _time(report.file_expires_at)}
        return MadeFiles("report", about, (file,), 1, *size)


def _time(us: int | None) -> str | None:
    return None if us is None else iso_seconds(us)
