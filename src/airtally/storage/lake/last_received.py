"""The one place that says which of several rows of an event or a version counts: the one that was received last.

Reads (`sql/repeats.py`), changelogs (`query/changelog.py`), look-ups (`query/lookup.py`) and compaction (`rewrite.py`)
all use it. It stands below them, with the lake, because compaction does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from airtally.streams.declaration import RECEIVED_ORDER

_RANK = "_rank"


def last_received(
    candidates: exp.Query, key: Sequence[exp.Expr], columns: Sequence[exp.Expr], *, first_by: Sequence[str] = ()
) -> exp.Select:
    """`columns` of the last received row of each `key`; where `first_by` is given, the greatest by that comes first.

    `candidates` has those columns and `RECEIVED_ORDER`. Nulls are the least.
    """
    return exp.select(*columns).from_(_ranked(candidates, key, first_by)).where(_column(_RANK).eq(1))


def received_before(candidates: exp.Query, key: Sequence[exp.Expr], columns: Sequence[exp.Expr]) -> exp.Select:
    """`columns` of the other rows: those that do not count, since one of the same `key` was received later."""
    return exp.select(*columns).from_(_ranked(candidates, key)).where(_column(_RANK) > 1)


def order_of(row: Mapping[str, Any], *, first_by: Sequence[str] = ()) -> tuple[Any, ...]:
    """A row's place in that order, for rows in memory: the greatest of a key counts."""
    return tuple(row[name] for name in (*first_by, *RECEIVED_ORDER))


def _ranked(candidates: exp.Query, key: Sequence[exp.Expr], first_by: Sequence[str] = ()) -> exp.Subquery:
    names = (*first_by, *RECEIVED_ORDER)
    order = exp.Order(expressions=[exp.Ordered(this=_column(name), desc=True, nulls_first=False) for name in names])
    rank = exp.Window(this=exp.RowNumber(), partition_by=list(key), order=order)
    return exp.select("*", rank.as_(_RANK, quoted=True)).from_(candidates.subquery("candidates")).subquery("ranked")


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))
