"""What a query is answered from: one table version and the buffered rows beyond it."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from airtally.streams.declaration import Stream


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a snapshot. `path` is absolute, or a URL on a bucket."""

    path: str
    rows: int
    size: int
    day: str | None  # ISO date of the partition, null where the stream has none
    ids_all_null: bool  # no row of the file can be a duplicate
    writer_id: str | None = None  # of the writer of all its rows; null where there are several
    columns: frozenset[str] | None = None  # those it has, where they are not the ones declared today
    account: str | None = None  # of all its rows; null where there may be several
    last_received_us: int | None = None  # of its rows, cut to the millisecond; null where nothing is known

    @property
    def on_bucket(self) -> bool:
        """Whether it lies on a bucket. All files of a lake do, or none."""
        return "://" in self.path


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one table version that can hold the wanted rows, and the rows still buffered. Immutable.

    `compacted` files hold no event twice among them (compaction removed duplicates); `uncompacted` files and
    `buffered` may. `table_url` with `version` names the same rows of the lake for an engine that reads Delta
    itself; `buffered` is empty where the rows were flushed first. Snapshots of one stream and
    account, with the same bounds, that have equal `state`s hold the same rows; None says nothing. `repeats` are the rows
    that do not count, since their event was received again later: by their day (ISO; null where the stream is not
    partitioned) a table of `ROW_ID`, none of days without; None where nobody has looked for them.
    """

    stream: Stream
    account: str
    table_url: str
    version: int
    compacted: tuple[DataFile, ...]
    uncompacted: tuple[DataFile, ...]
    buffered: tuple[pa.Table, ...] = field(default=())
    data_through_us: int = 0
    state: Hashable | None = None
    repeats: Mapping[str | None, pa.Table] | None = None

    def of_days(self, days: Container[str | None]) -> Snapshot:
        """With the files of some days (ISO) alone; what is buffered stays as it is."""
        return self.of_files(lambda file: file.day in days)

    def of_files(self, wanted: Callable[[DataFile], bool]) -> Snapshot:
        """With some of the files alone; what is buffered stays as it is."""
        compacted, uncompacted = filter(wanted, self.compacted), filter(wanted, self.uncompacted)
        return replace(self, compacted=tuple(compacted), uncompacted=tuple(uncompacted))


@dataclass(frozen=True, slots=True)
class AccountsSnapshot(Snapshot):
    """The rows of several accounts, for the segments built of them together: no source of snapshots gives one.

    Its `account` is empty, as no account has that name: what does not know this class reads no row.
    """

    accounts: tuple[str, ...] = ()


class SnapshotSource(Protocol):
    """Gives snapshots; there is no way to ask without an account."""

    def snapshot(
        self,
        stream: Stream,
        account: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        flushed: bool = False,
    ) -> Snapshot:
        """Everything acknowledged so far of `account` with event time in [start_us, end_us).

        The bounds only prune files: a snapshot may hold rows outside them. `flushed` first moves the
        buffered rows into the lake, for engines and processes that cannot see the buffer.
        """
        ...
