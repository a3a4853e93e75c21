"""Writes segments: a large account's into a file of its own, those of small accounts together into shared files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airtally.rollups.table import stored_schema
from airtally.rollups.wide import to_segment_rows
from airtally.storage.lake.table_storage import TableStorage
from airtally.streams.declaration import ACCOUNT
from airtally.streams.rollup import Rollup

#: Rows of a Parquet row group. Of 4 million rows in a month, groups of half this size, and of twice, are read more slowly.
ROW_GROUP = 61_440
#: The same in a shared file, of which an answer wants one account's rows.
SHARED_ROW_GROUP = 8_192
#: An account with so many rows gets a file of its own.
OWN_ROWS = 16_384
#: A shared file is ended when it has so many rows.
SHARED_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A finished file that no commit names yet; `day` is None for a month file. `rows` by account, in their order."""

    name: str
    day: str | None
    rows: dict[str, int]
    size: int


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """Where files of segments of a month go; `day` is None for month files."""

    storage: TableStorage
    rollup: Rollup
    month: str
    day: str | None

    def new_name(self, accounts: Iterable[str]) -> str:
        """Names of files tell people what is in them; nothing reads meaning from them."""
        kind = "base" if self.day is None else f"day-{self.day}"
        slugs = list(accounts)
        folder = f"account={slugs[0]}" if len(slugs) == 1 else "shared"
        return f"{folder}/month={self.month}/{kind}-{uuid.uuid4()}.parquet"


def write_segments(place: SegmentPlace, figures: Iterable[pa.RecordBatch], accounts: Sequence[str]) -> list[BuiltFile]:
    """`figures` are sorted by account. Each of `accounts` is in one of the files, also if it has no rows."""
    writer = _SegmentWriter(place)
    try:
        for batch in figures:
            writer.add(to_segment_rows(pa.table(batch), place.rollup))
        return writer.finish(accounts)
    except BaseException:
        writer.remove()
        raise


def copy_segments(place: SegmentPlace, rows: Iterable[pa.RecordBatch], counts: dict[str, int]) -> BuiltFile:
    """One file of rows that were in a file before; `counts` by account, in their order."""
    schema = stored_schema(place.rollup)
    found = pa.concat_tables([schema.empty_table(), *(pa.table(each).cast(schema) for each in rows)])
    return _put_segments(place, counts, [found], SHARED_ROW_GROUP)


def write_figures(rollup: Rollup, figures: Iterable[pa.RecordBatch], path: Path) -> None:
    """Write a file for a while, of any accounts."""
    tables = (to_segment_rows(pa.table(each), rollup) for each in figures)
    _write_tables(path, rollup, _whole_row_groups(tables), ROW_GROUP)


class _SegmentWriter:
    """Takes rows sorted by account. Belongs to one thread. In memory are the rows of one shared file at most."""

    def __init__(self, place: SegmentPlace) -> None:
        self._place = place
        self._built: list[BuiltFile] = []
        self._small: list[pa.Table] = []
        self._small_rows: dict[str, int] = {}
        self._open: list[pa.Table] = []
        self._open_account: str | None = None
        self._own: _OwnFile | None = None

    def add(self, rows: pa.Table) -> None:
        at = 0
        for found in pc.value_counts(rows.column(ACCOUNT.name)).to_pylist():
            account, count = found["values"], found["counts"]
            if account != self._open_account:
                self._end_account()
                self._open_account = account
            self._extend(rows.slice(at, count))
            at += count

    def finish(self, accounts: Sequence[str]) -> list[BuiltFile]:
        self._end_account()
        seen = {account for file in self._built for account in file.rows} | set(self._small_rows)
        self._small_rows |= {account: 0 for account in accounts if account not in seen}
        self._end_shared()
        return self._built

    def remove(self) -> None:
        """Remove what was written."""
        if self._own is not None:
            self._own.remove()
        for file in self._built:
            self._place.storage.delete(file.name)

    def _extend(self, rows: pa.Table) -> None:
        if self._own is not None:
            self._own.write(rows)
            return
        self._open.append(rows)
        if sum(each.num_rows for each in self._open) >= OWN_ROWS:
            self._own = _OwnFile(self._place, str(self._open_account))
            self._own.write(pa.concat_tables(self._open))
            self._open = []

    def _end_account(self) -> None:
        if self._own is not None:
            self._built.append(self._own.finish())
            self._own = None
        elif self._open_account is not None:
            self._small += self._open
            self._small_rows[self._open_account] = sum(each.num_rows for each in self._open)
            if sum(self._small_rows.values()) >= SHARED_ROWS:
                self._end_shared()
        self._open, self._open_account = [], None

    def _end_shared(self) -> None:
        if self._small_rows:
            rows = pa.concat_tables([stored_schema(self._place.rollup).empty_table(), *self._small])
            group = SHARED_ROW_GROUP if len(self._small_rows) > 1 else ROW_GROUP
            self._built.append(_put_segments(self._place, self._small_rows, [rows], group))
        self._small, self._small_rows = [], {}


class _OwnFile:
    """A large account's file while it is written."""

    def __init__(self, place: SegmentPlace, account: str) -> None:
        self._place, self._account = place, account
        self._name = place.new_name([account])
        self._path = place.storage.scratch(self._name)
        self._writer = _parquet_writer(self._path, place.rollup)
        self._rest = stored_schema(place.rollup).empty_table()
        self._rows = 0

    def write(self, rows: pa.Table) -> None:
        held = pa.concat_tables([self._rest, rows])
        whole = held.num_rows // ROW_GROUP * ROW_GROUP
        if whole:
            self._writer.write_table(held.slice(0, whole), ROW_GROUP)
        self._rest = held.slice(whole)
        self._rows += rows.num_rows

    def finish(self) -> BuiltFile:
        if self._rest.num_rows:
            self._writer.write_table(self._rest, ROW_GROUP)
        self._writer.close()
        size = self._place.storage.put(self._name, self._path)
        return BuiltFile(self._name, self._place.day, {self._account: self._rows}, size)

    def remove(self) -> None:
        self._writer.close()
        self._path.unlink(missing_ok=True)


def _put_segments(place: SegmentPlace, rows: dict[str, int], tables: Iterable[pa.Table], group: int) -> BuiltFile:
    name = place.new_name(rows)
    path = place.storage.scratch(name)
    try:
        _write_tables(path, place.rollup, tables, group)
        return BuiltFile(name, place.day, rows, place.storage.put(name, path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_tables(path: Path, rollup: Rollup, tables: Iterable[pa.Table], group: int) -> None:
    with _parquet_writer(path, rollup) as writer:
        for each in tables:
            writer.write_table(each, group)


def _parquet_writer(path: Path, rollup: Rollup) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, stored_schema(rollup), compression="zstd", compression_level=1)


def _whole_row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows in multiples of `ROW_GROUP`, and the rest at the end."""
    rest: pa.Table | None = None
    for table in tables:
        held = table if rest is None else pa.concat_tables([rest, table])
        whole = held.num_rows // ROW_GROUP * ROW_GROUP
        if whole:
            yield held.slice(0, whole)
        rest = held.slice(whole)
    if rest is not None and rest.num_rows:
        yield rest
