"""An export and its parts as the native API shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.api.times import shown_moment
from airtally.exports.export import Export, ExportPart, ExportState
from airtally.exports.links import ExportLinks
from airtally.exports.spec import AskedRows, Compression, ExportFormat


class ExportAnswer(msgspec.Struct, frozen=True):
    """`progress` is from 0 to 1; `parts`, `rows` and `bytes` are those written so far. Times are RFC 3339, UTC.

    `error` says why it failed, or why it was put off. Every row received by `data_through` is in it. `as_of` is the
    moment that ranges such as `yesterday` refer to; after `expires_at` its files are not kept.
    """

    id: int
    state: ExportState
    progress: float
    format: ExportFormat
    compression: Compression
    parts: int
    rows: int
    bytes: int
    error: str | None
    data_through: str | None
    as_of: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    requested_by: str
    asked_rows: AskedRows | None
    asked_query: dict[str, Any] | None
    asked_sql: str | None


class ExportPartAnswer(msgspec.Struct, frozen=True):
    """A file: `sha256` in hex, `bytes` of the file, `url` valid until `url_expires_at` without any other permission."""

    number: int
    name: str
    rows: int
    bytes: int
    sha256: str
    url: str
    url_expires_at: str


def export_answer(export: Export) -> ExportAnswer:
    return ExportAnswer(
        id=export.id,
        state=export.state,
        progress=round(export.progress, 4),
        format=export.spec.format,
        compression=export.spec.packing,
        parts=export.parts,
        rows=export.rows,
        bytes=export.bytes,
        error=export.error,
        data_through=shown_moment(export.data_through),
        as_of=shown_moment(export.as_of),
        created_at=shown_moment(export.created_at),
        started_at=shown_moment(export.started_at),
        finished_at=shown_moment(export.finished_at),
        expires_at=shown_moment(export.expires_at),
        requested_by=export.requested_by,
        asked_rows=export.spec.rows,
        asked_query=export.spec.query,
        asked_sql=export.spec.sql,
    )


def part_answer(export: Export, part: ExportPart, links: ExportLinks, now_us: int) -> ExportPartAnswer:
    link = links.link(export, part.number, now_us)
    return ExportPartAnswer(
        number=part.number,
        name=part.file_name(export.spec),
        rows=part.rows,
        bytes=part.bytes,
        sha256=part.sha256,
        url=link.url,
        url_expires_at=shown_moment(link.expires_at),
    )
