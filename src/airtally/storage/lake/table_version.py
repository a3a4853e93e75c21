"""One version of a table: its files, with what their statistics say."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from airtally.kit.time import DAY_US, day_start_us
from airtally.storage.lake.schema import SchemaHistory
from airtally.storage.lake.snapshot import DataFile
from airtally.storage.lake.table_storage import TableStorage
from airtally.streams.declaration import RECEIVED_AT, WRITER_ID, Kind, Partition, Stream
from airtally.streams.evolution import former_names

COMPACTED = "clean-"
#: Delta statistics of times may be cut to milliseconds.
_CUT_US = 1000
_NEVER_US = 1 << 62
_UNKNOWN = -1
_REMEMBERED_ACCOUNTS = 10_000


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file of a version. `name` is as the log has it; bounds are None where nothing is known."""

    name: str
    data: DataFile
    modified_at_ms: int
    first_account: str | None
    last_account: str | None
    first_us: int
    last_us: int
    last_received_us: int

    @property
    def compacted(self) -> bool:
        return self.name.rpartition("/")[2].startswith(COMPACTED)

    def may_hold(self, account: str) -> bool:
        if self.first_account is None or self.last_account is None:
            return True
        return self.first_account <= account <= self.last_account


class TableVersion:
    """Immutable but for what it remembers of questions, which a lock guards. `handle` is pinned to the version.

    What was found of this very object is kept by its `mark`: a restored table may have a version's number again.
    """

    def __init__(self, stream: Stream, storage: TableStorage, handle: DeltaTable, log_state: float) -> None:
        self.stream = stream
        self.handle = handle
        self.version = handle.version()
        self.log_state = log_state
        self.mark = object()
        self.schemas = SchemaHistory.of(stream, handle)
        self.files = _live_files(stream, storage, handle, self.schemas)
        self._lock = threading.Lock()
        self._transactions: dict[str, int] = {}
        self._by_account: dict[str, tuple[LiveFile, ...]] = {}

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    def committed(self, app_id: str) -> int:
        """The application's transaction version; -1 where it has none."""
        with self._lock:
            found = self._transactions.get(app_id)
            if found is None:
                version = self.handle.transaction_version(app_id)
                found = self._transactions[app_id] = -1 if version is None else version
            return found

    def prune(
        self, account: str, start_us: int | None, end_us: int | None, received_us: int | None = None
    ) -> list[LiveFile]:
        """The files that can hold rows of `account` with event time in [start_us, end_us), received after a moment."""
        files = self._of_account(account)
        if received_us is not None:
            files = tuple(file for file in files if file.last_received_us > received_us)
        if start_us is not None:
            files = tuple(file for file in files if file.last_us >= start_us)
        if end_us is not None:
            files = tuple(file for file in files if file.first_us < end_us)
        return list(files)

    def _of_account(self, account: str) -> tuple[LiveFile, ...]:
        with self._lock:
            found = self._by_account.get(account)
        if found is None:
            found = tuple(file for file in self.files if file.may_hold(account))
            with self._lock:
                if len(self._by_account) < _REMEMBERED_ACCOUNTS:
                    self._by_account[account] = found
        return found


def _live_files(
    stream: Stream, storage: TableStorage, handle: DeltaTable, schemas: SchemaHistory
) -> tuple[LiveFile, ...]:
    actions = pa.table(handle.get_add_actions(flatten=True))
    column = _Columns(actions)
    paths = [unquote(path) for path in column("path")]
    days = column("partition.day")
    first, last = column.times(f"min.{stream.time}", -_NEVER_US), column.times(f"max.{stream.time}", _NEVER_US)
    received = column.times(f"max.{RECEIVED_AT.name}", _NEVER_US)
    rows, sizes, modified = column("num_records"), column("size_bytes"), column("modification_time")
    nulls = [column(f"null_count.{name}") for name in stream.identity]
    accounts = column("min.account"), column("max.account")
    writers = _writers(stream, column)
    received = column.times(f"max.{RECEIVED_AT.name}", _UNKNOWN)
    return tuple(
        LiveFile(
            name=path,
            data=DataFile(
                path=storage.full(path),
                rows=rows[index],
                size=sizes[index],
                day=None if days[index] is None else days[index].isoformat(),
                ids_all_null=_no_duplicates(stream, rows[index], [each[index] for each in nulls]),
                writer_id=writers[index],
                columns=schemas.of_file(path),
                account=accounts[0][index] if accounts[0][index] == accounts[1][index] else None,
                last_received_us=None if received[index] == _UNKNOWN else received[index] // _CUT_US * _CUT_US,
            ),
            modified_at_ms=modified[index],
            first_account=accounts[0][index],
            last_account=accounts[1][index],
            first_us=max(first[index], _day_start(stream, days[index])),
            last_us=min(last[index] + _CUT_US, _day_end(stream, days[index])),
            last_received_us=received[index] + _CUT_US,
        )
        for index, path in enumerate(paths)
    )


def _writers(stream: Stream, column: _Columns) -> list[str | None]:
    """Of each file the writer of all its rows, whichever name the file's schema has for it; None where there are more."""
    found: list[str | None] = [None] * len(column("path"))
    for name in (WRITER_ID.name, *former_names(stream, WRITER_ID.name)):
        pairs = zip(column(f"min.{name}"), column(f"max.{name}"), strict=True)
        same = (low if low == high else None for low, high in pairs)
        found = [one or other for one, other in zip(found, same, strict=True)]
    return found


class _Columns:
    """Columns of the add actions as lists; all null where statistics are missing."""

    def __init__(self, actions: pa.Table) -> None:
        self._actions = actions
        self._names = set(actions.column_names)

    def __call__(self, name: str) -> list[Any]:
        if name not in self._names:
            return [None] * self._actions.num_rows
        values: list[Any] = self._actions.column(name).to_pylist()
        return values

    def times(self, name: str, unknown: int) -> list[int]:
        if name not in self._names:
            return [unknown] * self._actions.num_rows
        numbers = self._actions.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        values: list[int] = pc.fill_null(numbers, unknown).to_pylist()
        return values


def _no_duplicates(stream: Stream, rows: int, nulls: list[int | None]) -> bool:
    """Whether no row of a file can be the same event as another."""
    if stream.kind is Kind.CHANGELOG:
        return False
    return not stream.identity or any(count is not None and count == rows for count in nulls)


def _day_start(stream: Stream, day: date | None) -> int:
    return day_start_us(day) if day is not None and stream.partition is Partition.EVENT_DAY else -_NEVER_US


def _day_end(stream: Stream, day: date | None) -> int:
    if day is None or stream.partition is not Partition.EVENT_DAY:
        return _NEVER_US
    return day_start_us(day) + DAY_US - 1
