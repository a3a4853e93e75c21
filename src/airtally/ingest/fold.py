"""Arriving changelog rows become versions, row by row, given the stored versions of their keys.

- Missing times become the time of arrival.
- A row with key, time and content of a stored version is no new version.
- A row with key and time of a stored version but other content is moved to 1 ms after the last version.
- A deletion with the key alone takes its other columns from the last version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airtally.kit.fair import pause
from airtally.sql.case import folded
from airtally.streams.declaration import Stream

Key = tuple[Any, ...]
Row = dict[str, Any]
Places = npt.NDArray[np.int64]

#: Rows converted to Python values in one step: some milliseconds.
_SLICE_ROWS = 500

MILLISECOND = timedelta(milliseconds=1)
TIME, CREATED, DELETED = "last_update_time_utc", "create_time_utc", "is_deleted"


@dataclass
class History:
    """The versions of one key, by time."""

    by_time: dict[datetime, Row] = field(default_factory=dict)
    first_created: datetime | None = None

    def add(self, row: Row) -> None:
        if not self.by_time or row[TIME] < min(self.by_time):
            self.first_created = row[CREATED]
        self.by_time[row[TIME]] = row

    @property
    def last(self) -> Row | None:
        return self.by_time[max(self.by_time)] if self.by_time else None


def fold(stream: Stream, rows: pa.Table, stored: pa.Table, arrived: datetime) -> tuple[pa.Table, Places]:
    """The new versions (`stream.row_schema`) in the order of the rows, and the places of their rows.

    `stored` are all stored versions of the keys (`stream.row_schema`), in any order.
    """
    histories: dict[Key, History] = defaultdict(History)
    for row in _iter_rows(stored):
        histories[_record_key(stream, row)].add(row)
    new = list(_new_versions(stream, _iter_rows(rows), histories, arrived))
    table = pa.Table.from_pylist([row for _, row in new], schema=stream.row_schema)
    return table, np.array([place for place, _ in new], dtype=np.int64)


def _iter_rows(table: pa.Table) -> Iterator[Row]:
    for start in range(0, table.num_rows, _SLICE_ROWS):
        pause()
        yield from table.slice(start, _SLICE_ROWS).to_pylist()


def _new_versions(
    stream: Stream, rows: Iterable[Row], histories: dict[Key, History], arrived: datetime
) -> Iterable[tuple[int, Row]]:
    for place, row in enumerate(rows):
        history = histories[_record_key(stream, row)]
        version = _completed(stream, row, history, arrived)
        equal = history.by_time.get(version[TIME])
        if equal is not None:
            if equal == version:
                continue
            version[TIME] = max(history.by_time) + MILLISECOND
        history.add(version)
        yield place, version


def _completed(stream: Stream, row: Row, history: History, arrived: datetime) -> Row:
    version = dict(row)
    last = history.last
    if version[DELETED] and last is not None and _bare(stream, row):
        version = last | {name: row[name] for name in (*stream.key, TIME, CREATED, DELETED)}
    version[TIME] = version[TIME] or arrived
    version[CREATED] = version[CREATED] or history.first_created or version[TIME]
    return version


def _bare(stream: Stream, row: Row) -> bool:
    """Whether a row has only its key; a column at its default counts as absent."""
    own = (c for c in stream.columns if c.name not in {*stream.key, TIME, CREATED, DELETED})
    return all(row[column.name] is None or row[column.name] == column.default for column in own)


def _record_key(stream: Stream, row: Row) -> Key:
    return tuple(
        folded(row[name]) if stream.column(name).fold_case and row[name] is not None else row[name]
        for name in stream.key
    )
