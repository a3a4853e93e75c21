"""Looks up records of a changelog by one column of its key, for calls about one thing.

Buffered rows are filtered in memory; the lake is queried with one statement whose text never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airtally.kit.cache import Cache
from airtally.query.changelog import VERSION_TIME
from airtally.sql.compiler import column
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.last_received import order_of
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import ACCOUNT, RECEIVED_ORDER, Stream

Row = dict[str, Any]

_TREES: Cache[tuple[str, str], exp.Select] = Cache(100)


def last_by(snapshot: Snapshot, name: str, value: str, query: Callable[[Statement], pa.Table]) -> list[Row]:
    """The last version of each record whose column `name` has the value, deleted ones too, in no order."""
    stream = snapshot.stream
    names = [*stream.row_schema.names, *RECEIVED_ORDER]
    found = [_with_value(table, snapshot.account, name, value).select(names) for table in snapshot.buffered]
    if snapshot.compacted or snapshot.uncompacted:
        found.append(query(_statement(snapshot, name, value)))
    rows = [row for table in found if table.num_rows for row in table.to_pylist()]
    return list(_last(stream, rows))


def _with_value(rows: pa.Table, account: str, name: str, value: str) -> pa.Table:
    rows = rows.filter(pc.equal(rows.column(name), value))
    return rows.filter(pc.equal(rows.column(ACCOUNT.name), account))


def _statement(snapshot: Snapshot, name: str, value: str) -> Statement:
    stream, key = snapshot.stream, (snapshot.stream.name, name)
    tree = _TREES.get(key)
    if tree is None:
        selected = (column(each) for each in (*stream.row_schema.names, *RECEIVED_ORDER))
        tree = exp.select(*selected).from_(exp.to_table("rows"))
        tree = tree.where(column(name).eq(exp.Placeholder(this="value")))
        _TREES.put(key, tree)
    rows = Rows(snapshot, snapshot.compacted + snapshot.uncompacted, ())
    return Statement(tree, {"rows": rows}, {"value": value}, key=("last_by", *key))


def _last(stream: Stream, rows: Iterable[Row]) -> Iterable[Row]:
    newest: dict[tuple[Any, ...], tuple[tuple[Any, ...], Row]] = {}
    for row in rows:
        key = tuple(row[name] for name in stream.key)
        order = order_of(row, first_by=(VERSION_TIME,))
        if key not in newest or newest[key][0] < order:
            newest[key] = (order, row)
    return ({name: row[name] for name in stream.row_schema.names} for _, row in newest.values())
