"""What an export holds and how its files are written, as callers ask for it and as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from airtally.kit.errors import Unprocessable

#: Rows and bytes of a part that a caller may ask for at most; fewer bytes than the least would make endless parts.
MAX_PART_ROWS, MAX_PART_BYTES, MIN_PART_BYTES = 100_000_000, 5 << 30, 64 << 10


class ExportFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class Compression(StrEnum):
    """Of the whole file for CSV and NDJSON, of its pages for Parquet."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


_DEFAULTS: Mapping[ExportFormat, Compression] = {
    ExportFormat.CSV: Compression.GZIP,
    ExportFormat.NDJSON: Compression.GZIP,
    ExportFormat.PARQUET: Compression.ZSTD,
}
_ENDINGS: Mapping[Compression, str] = {Compression.NONE: "", Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}


class AskedRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rows of a stream: events each once, the records of a changelog as they are now.

    `columns` are all without it. `filter`, `range`, `start`, `end` and `timezone` are as in a question. With `versions`
    every version of a changelog's records; with `deleted` the records that are deleted too.
    """

    stream: str
    columns: list[str] | None = None
    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    range: str | None = None
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    versions: bool = False
    deleted: bool = False


class ExportSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of `rows`, `query` (the body of `POST /api/v1/query`) and `sql` (a statement of `POST /api/v1/sql`).

    A part ends at `part_rows` or `part_bytes`.
    """

    rows: AskedRows | None = None
    query: dict[str, Any] | None = None
    sql: str | None = None
    format: ExportFormat = ExportFormat.CSV
    compression: Compression | None = None
    part_rows: int | None = None
    part_bytes: int | None = None

    @property
    def packing(self) -> Compression:
        """The compression that its files have."""
        return _DEFAULTS[self.format] if self.compression is None else self.compression

    @property
    def ending(self) -> str:
        """The ending of the files' names, with its dot: `.csv.gz`, `.parquet`."""
        return f".{self.format}" + ("" if self.format is ExportFormat.PARQUET else _ENDINGS[self.packing])

    def check(self) -> None:
        """Raises Unprocessable for what contradicts itself or is out of bounds; what it asks for, a planner checks."""
        if sum(each is not None for each in (self.rows, self.query, self.sql)) != 1:
            raise Unprocessable("An export has `rows`, a `query` or `sql`, one of them")
        if self.part_rows is not None and not 1 <= self.part_rows <= MAX_PART_ROWS:
            raise Unprocessable(f"`part_rows` is 1 to {MAX_PART_ROWS}, not {self.part_rows}")
        if self.part_bytes is not None and not MIN_PART_BYTES <= self.part_bytes <= MAX_PART_BYTES:
            raise Unprocessable(f"`part_bytes` is {MIN_PART_BYTES} to {MAX_PART_BYTES}, not {self.part_bytes}")
