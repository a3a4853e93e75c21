"""The parts of a relation that an engine reads on their own: files of the same columns, and tables in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa

from airtally.sql.statement import Rows
from airtally.storage.lake.snapshot import DataFile
from airtally.streams.evolution import former_fields


def files_by_columns(files: tuple[DataFile, ...]) -> Mapping[frozenset[str] | None, list[DataFile]]:
    """Files grouped by their columns: DuckDB reads only files of the same columns together."""
    found: dict[frozenset[str] | None, list[DataFile]] = defaultdict(list)
    for file in files:
        found[file.columns].append(file)
    return found


def schema_of_files(rows: Rows, stored: frozenset[str] | None) -> pa.Schema:
    """The schema of files with the columns `stored`. Columns that are no longer declared keep their former type."""
    if stored is None:
        return rows.schema
    declared = [field for field in rows.schema if field.name in stored]
    former = former_fields(rows.snapshot.stream)
    return pa.schema([*declared, *(former[name] for name in sorted(stored) if name in former)])


def tables_of(rows: Rows) -> list[pa.Table]:
    """The buffered tables with rows; one without rows where there are no files either."""
    tables = [table for table in rows.buffered if table.num_rows]
    return tables if tables or rows.files else [rows.schema.empty_table()]
