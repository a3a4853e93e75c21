"""Writes Parquet files of a table, and the Delta actions that add and remove them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction

from airtally.storage.lake.schema import statistics_columns, suffix
from airtally.storage.lake.table_storage import TableStorage
from airtally.storage.lake.table_version import LiveFile
from airtally.streams.declaration import ACCOUNT, WRITER_ID, Partition, Stream

UNCOMPACTED = "part-"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A finished file that no commit names yet. `stats` is Delta's JSON."""

    name: str
    day: str | None
    rows: int
    size: int
    stats: str


def file_name(day: str | None, prefix: str, schema: int) -> str:
    """`schema` is the number of the table's schema that the file has."""
    name = f"{prefix}{uuid.uuid4()}{suffix(schema)}"
    return name if day is None else f"day={day}/{name}"


def write_parts(storage: TableStorage, stream: Stream, rows: pa.Table, schema: int) -> list[NewFile]:
    """`rows` (`stream.stored_schema`, which is the table's schema of that number) as one durable file a day."""
    written: list[NewFile] = []
    try:
        for day, each in _by_day(stream, rows):
            written.append(_write(storage, stream, file_name(day, UNCOMPACTED, schema), day, each))
    except BaseException:
        for one in written:
            storage.delete(one.name)
        raise
    return written


def _write(storage: TableStorage, stream: Stream, name: str, day: str | None, rows: pa.Table) -> NewFile:
    path = storage.scratch(name)
    try:
        pq.write_table(rows, path, compression="zstd", compression_level=1, use_dictionary=_dictionary(stream))
        return publish(storage, stream, name, day, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def publish(storage: TableStorage, stream: Stream, name: str, day: str | None, path: Path) -> NewFile:
    """Read a finished file's statistics and put it where it belongs."""
    footer = pq.read_metadata(path)
    return NewFile(name, day, footer.num_rows, storage.put(name, path), statistics(stream, footer))


def added(written: NewFile, now_ms: int, *, data_change: bool) -> AddAction:
    return AddAction(
        path=written.name,
        size=written.size,
        partition_values={} if written.day is None else {"day": written.day},
        modification_time=now_ms,
        data_change=data_change,
        stats=written.stats,
    )


def removed(file: LiveFile, now_ms: int, *, data_change: bool) -> RemoveAction:
    day = file.data.day
    return RemoveAction(file.name, data_change, now_ms, file.data.size, {} if day is None else {"day": day})


def statistics(stream: Stream, footer: Any) -> str:
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    positions = {footer.schema.column(index).path: index for index in range(footer.num_columns)}
    for name in statistics_columns(stream):
        groups = [footer.row_group(index).column(positions[name]).statistics for index in range(footer.num_row_groups)]
        if all(group is not None and group.has_null_count for group in groups):
            nulls[name] = sum(group.null_count for group in groups)
        bounds = [(group.min, group.max) for group in groups if group is not None and group.has_min_max]
        if bounds and _bounded(stream, name):
            low[name] = _stat_text(min(pair[0] for pair in bounds))
            high[name] = _stat_text(max(pair[1] for pair in bounds))
    found = {"numRecords": footer.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}
    return msgspec.json.encode(found).decode()


def _bounded(stream: Stream, name: str) -> bool:
    """Whether bounds are kept of a column: those of long texts would only fill the log."""
    return name in {ACCOUNT.name, WRITER_ID.name} or not pa.types.is_string(stream.stored_schema.field(name).type)


def _stat_text(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


def _dictionary(stream: Stream) -> list[str]:
    """Text columns but ids: numbers and ids seldom repeat enough to be worth a dictionary's time."""
    texts = [field.name for field in stream.stored_schema if pa.types.is_string(field.type)]
    return [name for name in texts if name not in stream.identity]


def _by_day(stream: Stream, rows: pa.Table) -> Iterator[tuple[str | None, pa.Table]]:
    if rows.num_rows == 0:  # a commit without rows only says how far they have come
        return
    if stream.partition is Partition.NONE:
        yield None, rows
        return
    days, kept = rows.column("day"), rows.drop_columns(["day"])
    distinct: list[date] = sorted(pc.unique(days).to_pylist())
    if len(distinct) == 1:
        yield distinct[0].isoformat(), kept
        return
    for day in distinct:
        yield day.isoformat(), kept.filter(pc.equal(days, pa.scalar(day, pa.date32())))
