"""An export and its parts, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import msgspec

from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import export_parts, exports, jobs
from airtally.exports.spec import ExportFormat, ExportSpec

_JOB = (
    jobs.c.state.label("job_state"),
    jobs.c.progress_done,
    jobs.c.progress_total,
    jobs.c.error.label("job_error"),
)
#: The columns that `Export.from_row` needs: of the export, and of its job where it has one.
EXPORT_COLUMNS = (*exports.c, *_JOB)


#: Kinds of the jobs that make exports; the subject is the export's id. Large ones have workers of their own, so that
#: small ones never wait for them.
SMALL_KIND, LARGE_KIND = "export", "large_export"
KINDS = (SMALL_KIND, LARGE_KIND)

#: How the keys begin of exports of questions that were too large to be answered at once.
QUESTION_KEY = "query:"

_PART = export_parts.c
#: The columns that `ExportPart.from_row` needs.
PART_COLUMNS = (_PART.export_id, _PART.number, _PART.stored_name, _PART.rows, _PART.bytes, _PART.sha256)


class ExportState(StrEnum):
    """`expired`: it was done, and its files are no longer kept."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: The states of exports that may still become files.
COMING = (ExportState.QUEUED, ExportState.RUNNING)


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """Of an account: `waiting` exports under way and `kept_bytes` of files. Files are kept for `days`."""

    waiting: int = 20
    kept_bytes: int = 64 << 30
    days: int = 7


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it was when read. Times in microseconds UTC.

    `progress` is from 0 to 1; `parts`, `rows` and `bytes` are those written so far. `error` says why it failed, of a
    queued one why it was put off, in words for a person. `as_of` is the moment that ranges such as `yesterday` refer to.
    """

    id: int
    account_id: int
    key: str | None
    spec: ExportSpec
    requested_by: str
    as_of: int
    state: ExportState
    error: str | None
    progress: float
    parts: int
    rows: int
    bytes: int
    data_through: int | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    expires_at: int | None

    @classmethod
    def from_row(cls, row: AnyRow, now_us: int) -> Export:
        """From a row with EXPORT_COLUMNS; it may have others."""
        values = values_of(row, EXPORT_COLUMNS)
        state = _state_now(values["state"], values["job_state"], values["expires_at"], now_us)
        waits = state is ExportState.QUEUED and values["job_error"]
        derived: dict[str, Any] = {
            "spec": msgspec.json.decode(values["spec"], type=ExportSpec),
            "state": state,
            "error": values["job_error"] if waits else values["error"],
            "progress": _progress(state, values["progress_done"], values["progress_total"]),
        }
        names = [each.name for each in fields(cls)]
        return cls(**{name: derived[name] if name in derived else values[name] for name in names})

    @property
    def is_asked_for(self) -> bool:
        """Whether a caller asked for it, and not a schedule or an export of the whole account."""
        return self.key is None or self.key.startswith(QUESTION_KEY)

    @property
    def has_files(self) -> bool:
        return self.state is ExportState.DONE


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A file of an export that is done, numbered from 1. `stored_name` is its name in the file store."""

    export_id: int
    number: int
    stored_name: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def from_row(cls, row: AnyRow) -> ExportPart:
        """From a row with PART_COLUMNS."""
        return cls(**values_of(row, PART_COLUMNS))

    def file_name(self, spec: ExportSpec) -> str:
        """The name that clients save it under: `export-12-0001.csv.gz`."""
        return f"export-{self.export_id}-{self.number:04d}{spec.ending}"


def media_type(spec: ExportSpec) -> str:
    """Of the files; a compressed text is the compressed file, as no client is to unpack it on the way."""
    if spec.format is ExportFormat.PARQUET:
        return "application/vnd.apache.parquet"
    packed = {"gzip": "application/gzip", "zstd": "application/zstd"}.get(spec.packing)
    return packed or ("text/csv" if spec.format is ExportFormat.CSV else "application/x-ndjson")


def _state_now(stored: str, job_state: str | None, expires_at: int | None, now_us: int) -> ExportState:
    if stored == ExportState.QUEUED and job_state == "running":
        return ExportState.RUNNING
    if stored == ExportState.DONE and expires_at is not None and expires_at <= now_us:
        return ExportState.EXPIRED
    return ExportState(stored)


def _progress(state: ExportState, done: int | None, total: int | None) -> float:
    if state in {ExportState.DONE, ExportState.EXPIRED}:
        return 1.0
    return min(done / total, 1.0) if done and total else 0.0
