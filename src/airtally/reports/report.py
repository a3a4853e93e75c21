"""A report, and the link to its file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import reports
from airtally.kit.signing import LinkSigner
from airtally.reports.requests import PlayFilter

#: Some clients look for this word in the link before they accept a notice.
SIGNATURE_NAME = "playlogs-reports"


class ReportState(StrEnum):
    """The state of a report, in the words of the vendor's wire, and one more."""

    WAITING = "waiting"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"  # on the vendor's wire a failed one

    @property
    def on_wire(self) -> ReportState:
        """As the vendor's wire knows it."""
        return ReportState.FAILED if self is ReportState.CANCELLED else self


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was when read. `error` tells a person why it failed. Times in microseconds UTC."""

    id: int
    account_id: int
    type: str
    format: str
    filter: PlayFilter
    webhook: str | None
    status: ReportState
    error: str | None
    file_name: str | None
    file_rows: int | None
    file_bytes: int | None
    file_sha256: str | None
    file_expires_at: int | None
    file_deleted_at: int | None
    data_through: int | None
    created_at: int
    updated_at: int

    @classmethod
    def from_row(cls, row: AnyRow) -> Report:
        """From a row with all columns of `reports`; it may have others."""
        values = values_of(row, reports.c)
        asked = msgspec.json.decode(values["filter"], type=PlayFilter)
        return cls(**values | {"filter": asked, "status": ReportState(values["status"])})

    def has_file(self, now_us: int) -> bool:
        expires = self.file_expires_at
        return self.file_deleted_at is None and expires is not None and now_us < expires


def storage_name(slug: str, file_name: str) -> str:
    """The name of a report's file in the file store."""
    return f"reports/{slug}/{file_name}"


class ReportLinks:
    """Makes and checks signed links, which need no other credential. They are valid as long as the file is kept."""

    def __init__(self, public_url: str, signer: LinkSigner) -> None:
        self._public_url = public_url.rstrip("/")
        self._signer = signer

    def url(self, slug: str, file_name: str) -> str:
        path = f"/{slug}/{file_name}"
        return f"{self._public_url}{path}?{SIGNATURE_NAME}={self._signer.sign(path)}"

    def is_valid(self, slug: str, file_name: str, signature: str) -> bool:
        return self._signer.is_signed(f"/{slug}/{file_name}", signature)
