"""Finds the rows of a large batch whose versions depend on no other row, and makes these versions all at once.

That is a row whose key has no versions and comes once, and a row with a time at which its key has no version, if
neither it nor another row of its key in the batch deletes, repeats a time or lacks what an earlier row decides.
`fold` gives the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.ingest.fold import CREATED, DELETED, TIME
from airtally.ingest.hash_runs import Mask, among, repeated
from airtally.ingest.known import KnownRows
from airtally.kit.fair import aside
from airtally.streams.declaration import Stream

#: See `KnownVersions.look_up`.
LookUp = Callable[[Stream, str, pa.Table], KnownRows | None]
#: See `Queries.first_created`.
FirstCreated = Callable[[Stream, str, pa.Table], pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class Sorted:
    """The rows of a batch (`stream.row_schema`, with times), which of them are to be folded, the others' versions."""

    rows: pa.Table
    careful: Mask
    versions: pa.Table


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Thread-safe as `look_up` is."""

    look_up: LookUp
    first_created: FirstCreated

    def sort(self, stream: Stream, account: str, rows: pa.Table, arrived: datetime) -> Sorted | None:
        """None if it cannot be told which rows are which: all are to be folded."""
        rows = _with_times(stream, rows, arrived)
        with aside():  # the engine has its own limits
            known = self.look_up(stream, account, rows)
        if known is None:
            return None
        careful = _careful(rows, known)
        quick = ~careful
        return Sorted(rows, careful, self._versions(stream, account, rows.filter(quick), known.known_keys[quick]))

    def _versions(self, stream: Stream, account: str, rows: pa.Table, known: Mask) -> pa.Table:
        asked = known & _is_null(rows, CREATED)
        if asked.any():
            rows = _with(rows, CREATED, self._created(stream, account, rows, asked))
        return _with(rows, CREATED, pc.coalesce(rows.column(CREATED), rows.column(TIME)))

    def _created(self, stream: Stream, account: str, rows: pa.Table, asked: Mask) -> pa.ChunkedArray:
        """The column with the times of the first versions in the `asked` places."""
        keys = rows.select(list(stream.key)).filter(asked)
        with aside():
            found = self.first_created(stream, account, keys)
        return pc.replace_with_mask(rows.column(CREATED), pa.array(asked), found.combine_chunks())


def _with_times(stream: Stream, rows: pa.Table, arrived: datetime) -> pa.Table:
    rows = rows.select(stream.row_schema.names).cast(stream.row_schema)
    return _with(rows, TIME, pc.fill_null(rows.column(TIME), pa.scalar(arrived, rows.schema.field(TIME).type)))


def _careful(rows: pa.Table, known: KnownRows) -> Mask:
    """Whether the version of each row may depend on stored versions, or on other rows of its key."""
    keys, versions = known.hashed.keys, known.hashed.versions
    several = repeated(keys)
    careful = known.known_keys | several
    if known.stored_versions is None:
        return careful
    deletes = pc.fill_null(pc.not_equal(rows.column(DELETED), 0), False).to_numpy()
    depends = known.stored_versions | repeated(versions) | deletes | (several & _is_null(rows, CREATED))
    return among(keys[careful & depends], keys)


def _is_null(rows: pa.Table, name: str) -> Mask:
    found: Mask = np.asarray(rows.column(name).is_null())
    return found


def _with(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
