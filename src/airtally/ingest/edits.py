"""Changes of single changelog records by the program: read, change and write under one lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pyarrow as pa

from airtally.accounts.accounts import Account
from airtally.ingest.fold import CREATED, MILLISECOND, TIME
from airtally.ingest.row_values import RowValues, made_rows, require_all, size_of
from airtally.ingest.versions import ChangelogVersions
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.time import to_datetime
from airtally.storage.buffer import Buffer, IntakeFigures
from airtally.streams.declaration import Stream

Row = dict[str, Any]

#: From stream, account's slug, key column and value: the last version of each record with that value, deleted ones too.
LastOf = Callable[[Stream, str, str, str], list[Row]]

#: From the last versions, by stream name, to the new ones. JSON columns are text in the former, values in the latter.
Change = Callable[[Mapping[str, list[Row]]], Mapping[str, Sequence[RowValues]]]


class Edits:
    """Thread-safe by `ChangelogLocks`: of two changes under one key in this process, the second sees the first.

    `kind`: whose API is called to change records.
    """

    def __init__(
        self, *, buffer: Buffer, versions: ChangelogVersions, last_of: LastOf, clock: Clock, kind: str
    ) -> None:
        self._buffer = buffer
        self._versions = versions
        self._last_of = last_of
        self._clock = clock
        self._kind = kind

    def run(self, account: Account, streams: Sequence[Stream], of: tuple[str, str], change: Change) -> None:
        """Read the records with a value in a column (`of` is both), and append the versions that `change` returns.

        All of them are on disk when this returns, or none. A new version is later than the last one of its record,
        whatever the clock says; one without changes is left out. Raises InvalidRow, TooManyRequests, StorageFull or
        Unavailable.
        """
        self._buffer.check_room(0)
        with ExitStack() as turns:
            for stream in sorted(streams, key=lambda each: each.name):
                turns.enter_context(self._versions.turns(stream, account).of_key(of[1]))
            last = {stream.name: self._last_of(stream, account.slug, *of) for stream in streams}
            wanted = change(last)
            now = to_datetime(self._clock.now_us() // 1000 * 1000)
            new = [(each, _versions(each, last[each.name], wanted.get(each.name, ()), now)) for each in streams]
            new = [(stream, rows) for stream, rows in new if rows.num_rows]
            if new:
                size = sum(size_of(rows) for rows in wanted.values())
                intake = IntakeFigures(account.slug, self._kind, sum(rows.num_rows for _, rows in new), 0, size)
                self._buffer.append_together(account.slug, new, intake=intake).result()
        for stream, rows in new:
            metrics.ROWS_ACCEPTED.labels(stream.name).inc(rows.num_rows)


def _versions(stream: Stream, last: Iterable[Row], wanted: Sequence[RowValues], now: datetime) -> pa.Table:
    if not wanted:
        return stream.row_schema.empty_table()
    known = {_edited_key(stream, row): row for row in last}
    new = []
    for row in require_all(made_rows(stream, wanted)).rows.to_pylist():
        before = known.get(_edited_key(stream, row))
        if before is None:
            new.append(row | {TIME: now, CREATED: now})
        elif row | {TIME: before[TIME], CREATED: before[CREATED]} != before:
            new.append(row | {TIME: max(now, before[TIME] + MILLISECOND), CREATED: before[CREATED]})
    return pa.Table.from_pylist(new, schema=stream.row_schema)


def _edited_key(stream: Stream, row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in stream.key)
