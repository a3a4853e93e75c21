"""Changelogs: what an arriving row becomes, given the versions its key already has.

- Times absent on arrival are stamped.
- A row equal in key, time and content to a version is that version, not a new one.
- Equal key and time with other content is moved to 1 ms after the last version.
- A deletion that carries the key alone takes its other columns from the last version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.ingest.changelog_locks import ChangelogLocks
from airtally.kit.fair import aside, pause
from airtally.kit.keyed_locks import KeyedLocks
from airtally.kit.time import to_datetime
from airtally.sql.case import folded
from airtally.streams.declaration import Kind, Stream

Key = tuple[Any, ...]
Row = dict[str, Any]

#: All stored versions of the given keys (`stream.row_schema`), in any order.
VersionsOf = Callable[[Stream, str, pa.Table], pa.Table]

Places = npt.NDArray[np.int64]
#: See `KnownKeys.may_be_known`.
MayBeKnown = Callable[[Stream, str, pa.Table], npt.NDArray[np.bool_] | None]

#: Fewer rows are resolved one by one: asking about their keys first would take longer.
MANY_ROWS = 2_000

#: Rows made Python values in one go: some milliseconds.
_SLICE_ROWS = 500

MILLISECOND = timedelta(milliseconds=1)
TIME, CREATED, _DELETED = "last_update_time_utc", "create_time_utc", "is_deleted"


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


class ChangelogVersions:
    """Resolves batches of changelog rows; one batch of an account's stream at a time, until it is in the buffer.

    Keys without versions that come once, which are most of a large load, are resolved all at once; with the
    others this asks for their versions and goes row by row. `known` tells them apart.
    """

    def __init__(self, versions_of: VersionsOf, known: MayBeKnown | None = None, *, many_rows: int = MANY_ROWS) -> None:
        self._versions_of = versions_of
        self._many_rows = many_rows
        self._known = known
        self._turns: KeyedLocks[tuple[str, str], ChangelogLocks] = KeyedLocks(ChangelogLocks)

    def turns(self, stream: Stream, account: Account) -> ChangelogLocks:
        """Whoever adds versions of a stream takes one."""
        return self._turns.of((stream.name, account.slug))

    @contextmanager
    def resolved(self, stream: Stream, account: Account, rows: pa.Table, now_us: int) -> Any:
        """The rows to append; others wait until they are appended (leave the context after)."""
        if stream.kind is not Kind.CHANGELOG or rows.num_rows == 0:
            yield rows
            return
        with self._turn(stream, account):
            yield self._resolve(stream, account.slug, rows, to_datetime(now_us // 1000 * 1000))

    @contextmanager
    def _turn(self, stream: Stream, account: Account) -> Iterator[None]:
        """Without a slot while others of the account's batches have theirs."""
        with ExitStack() as turn:
            with aside():
                turn.enter_context(self.turns(stream, account).of_batch())
            yield

    def _resolve(self, stream: Stream, account: str, rows: pa.Table, arrived: datetime) -> pa.Table:
        known = None
        if self._known is not None and rows.num_rows >= self._many_rows:
            with aside():  # the engine has limits of its own
                known = self._known(stream, account, rows)
        if known is None:
            return self._one_by_one(stream, account, rows, arrived)[0]
        if not known.any():
            return _first_versions(stream, rows, arrived)
        first = _first_versions(stream, rows.filter(pa.array(~known)), arrived)
        later, kept = self._one_by_one(stream, account, rows.filter(pa.array(known)), arrived)
        places = np.concatenate([np.flatnonzero(~known), np.flatnonzero(known)[kept]])
        return pa.concat_tables([first, later]).take(np.argsort(places))

    def _one_by_one(self, stream: Stream, account: str, rows: pa.Table, arrived: datetime) -> tuple[pa.Table, Places]:
        """The new versions, and which rows they are of."""
        keys = rows.select(list(stream.key)).group_by(list(stream.key)).aggregate([])
        histories: dict[Key, History] = defaultdict(History)
        with aside():
            found = self._versions_of(stream, account, keys)
        for row in _iter_rows(found):
            histories[_record_key(stream, row)].add(row)
        new = list(_new_versions(stream, _iter_rows(rows), histories, arrived))
        table = pa.Table.from_pylist([row for _, row in new], schema=stream.row_schema)
        return table, np.array([place for place, _ in new], dtype=np.int64)


def _iter_rows(table: pa.Table) -> Iterator[Row]:
    for start in range(0, table.num_rows, _SLICE_ROWS):
        pause()
        yield from table.slice(start, _SLICE_ROWS).to_pylist()


def _first_versions(stream: Stream, rows: pa.Table, arrived: datetime) -> pa.Table:
    """What `_new_versions` makes of rows whose keys have no version and differ."""
    rows = rows.select(stream.row_schema.names).cast(stream.row_schema)
    times = pc.fill_null(rows.column(TIME), pa.scalar(arrived, rows.schema.field(TIME).type))
    for name, column in ((TIME, times), (CREATED, pc.coalesce(rows.column(CREATED), times))):
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    return rows


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
    if version[_DELETED] and last is not None and _bare(stream, row):
        version = last | {name: row[name] for name in (*stream.key, TIME, CREATED, _DELETED)}
    version[TIME] = version[TIME] or arrived
    version[CREATED] = version[CREATED] or history.first_created or version[TIME]
    return version


def _bare(stream: Stream, row: Row) -> bool:
    """Whether a row carries its key alone (columns with a default count as absent at their default)."""
    own = (c for c in stream.columns if c.name not in {*stream.key, TIME, CREATED, _DELETED})
    return all(row[column.name] is None or row[column.name] == column.default for column in own)


def _record_key(stream: Stream, row: Row) -> Key:
    return tuple(
        folded(row[name]) if stream.column(name).fold_case and row[name] is not None else row[name]
        for name in stream.key
    )
