"""Removes an account's segments, also from the files that it shares with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake.transaction import AddAction

from airtally.engine.bucket import dataset
from airtally.rollups.claims import FileClaims
from airtally.rollups.commit import replace_files
from airtally.rollups.rollups import Rollups
from airtally.rollups.segment_files import BuiltFile, SegmentPlace, copy_segments
from airtally.rollups.table import RollupTable, RollupTableVersion, StoredFile, stored_schema
from airtally.rollups.units import add_of, holders
from airtally.storage.lake.delta import CommitConflict
from airtally.streams.declaration import ACCOUNT

_TRIES = 20


def remove_account(rollups: Rollups, table: RollupTable, account: str) -> tuple[str, ...]:
    """Remove an account's segments from one table; returns the names of the files that held them.

    A shared file is copied without them, and without what is dead in it. Raises CommitConflict.
    """
    for attempt in range(_TRIES):
        view = table.newest()
        files = () if view is None else view.claimed(account)
        if view is None or not files:
            return ()
        try:
            _replace_without(rollups, table, view, files, account)
        except CommitConflict:
            if attempt == _TRIES - 1:
                raise
            continue
        return tuple(file.name for file in files)
    return ()


def _replace_without(
    rollups: Rollups, table: RollupTable, view: RollupTableVersion, files: Sequence[StoredFile], account: str
) -> None:
    copies: list[BuiltFile] = []
    new: list[AddAction] = []
    try:
        for file in files:
            others = holders(view, file, (account,))
            if others:
                copies.append(_copy_of_others(table, file, others))
                new.append(_add_in_place(file, copies[-1], table.clock.now_us() // 1000))
        table.faults.reach("rollup.remove")
        replace_files(rollups, table, view, files, new)
    except CommitConflict:
        for each in copies:
            table.storage.delete(each.name)
        raise


def _copy_of_others(table: RollupTable, file: StoredFile, accounts: list[str]) -> BuiltFile:
    place = SegmentPlace(table.storage, table.rollup, file.month, file.day)
    return copy_segments(
        place, _rows_of_others(table, file, accounts), {each: file.claims.rows[each] for each in accounts}
    )


def _rows_of_others(table: RollupTable, file: StoredFile, accounts: list[str]) -> Iterator[pa.RecordBatch]:
    """The accounts' rows, in the order of the file."""
    schema = stored_schema(table.rollup)
    found = dataset([file.data], schema) if file.data.on_bucket else ds.dataset(file.data.path, schema)
    yield from found.scanner(filter=pc.field(ACCOUNT.name).isin(accounts)).to_batches()


def _add_in_place(file: StoredFile, copy: BuiltFile, now_ms: int) -> AddAction:
    """In the place of `file` in every respect: it counts before and after the same files."""
    values = file.partition | {"account": FileClaims(file.claims.made, copy.rows).text()}
    return add_of(copy.name, sum(copy.rows.values()), copy.size, values, now_ms)
