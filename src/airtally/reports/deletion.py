"""Deletes reports with their files."""

from __future__ import annotations

from airtally.accounts.accounts import Account
from airtally.accounts.acting import current_actor
from airtally.files.store import FileStore
from airtally.reports.report import storage_name
from airtally.reports.service import Reports


class ReportDeletion:
    """Thread-safe: it has no state of its own. What is cut off is done by deleting again."""

    def __init__(self, reports: Reports, files: FileStore) -> None:
        self._reports = reports
        self._files = files

    def run(self, account: Account, report_id: int) -> None:
        """Stop a report that is built; delete its file, then the report with the tries of its notice. Raises NotFound.

        The file goes before the row that names it, so that none is left which nobody knows.
        """
        self._reports.own(account, report_id)
        report = self._reports.stop(account, report_id, f"Deleted by {current_actor()}")
        if report.file_name is not None and report.file_deleted_at is None:
            self._files.delete(storage_name(account.slug, report.file_name))
        self._reports.forget(report)
