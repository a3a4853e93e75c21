"""When records of a changelog were created: `create_time_utc` of the first version of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from sqlglot import exp

from airtally.query.changelog import CREATE_TIME, VERSION_TIME, same_key
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import RECEIVED_ORDER

_PLACE, _RANK = "_place", "_rank"


def first_created(snapshot: Snapshot, keys: pa.Table, query: Callable[[Statement], pa.Table]) -> pa.ChunkedArray:
    """For each of `keys` (a table of the key columns), in its order; null for a key that has no version."""
    found = query(_statement(snapshot, keys))
    rows = np.full(keys.num_rows, -1, dtype=np.int64)
    rows[found.column(_PLACE).to_numpy()] = np.arange(found.num_rows)
    return found.column(CREATE_TIME).take(pa.array(rows, mask=rows < 0))


def _statement(snapshot: Snapshot, keys: pa.Table) -> Statement:
    """Place and time of the keys that have versions. Of rows with equal key and time the last received counts."""
    binder = Binder(snapshot.stream)
    placed = keys.append_column(_PLACE, pa.array(np.arange(keys.num_rows)))
    asked = exp.alias_(binder.relation(placed, "keys"), "asked", table=True)
    rows = exp.alias_(binder.relation(Rows.all_of(snapshot), "rows"), "stored", table=True)
    names = (VERSION_TIME, CREATE_TIME, *RECEIVED_ORDER)
    versions = exp.select(column(_PLACE, "asked"), *(column(name, "stored") for name in names)).from_(rows)
    versions = versions.join(asked, on=same_key(snapshot.stream))
    order = [exp.Ordered(this=column(VERSION_TIME), nulls_first=True)]
    order += [exp.Ordered(this=column(name), desc=True, nulls_first=False) for name in RECEIVED_ORDER]
    rank = exp.Window(this=exp.RowNumber(), partition_by=[column(_PLACE)], order=exp.Order(expressions=order))
    ranked = exp.select("*", rank.as_(_RANK, quoted=True)).from_(versions.subquery("versions"))
    first = exp.select(column(_PLACE), column(CREATE_TIME)).from_(ranked.subquery("ranked"))
    return binder.statement(first.where(column(_RANK).eq(1)))
