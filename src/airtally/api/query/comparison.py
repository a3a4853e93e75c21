"""An answer beside that of an earlier interval: each group with both its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from airtally.api.query import limits
from airtally.api.query.plan import AnswerColumn, ColumnRole, PlannedQuery
from airtally.kit.errors import LimitExceeded
from airtally.kit.paging import SortKey
from airtally.query.narrow import is_wide, plain
from airtally.query.question import BUCKET, Function, Question

Group = tuple[Any, ...]
Figures = tuple[Any, ...]

_ZERO_OF_NONE = (Function.COUNT, Function.SUM, Function.DISTINCT)


def compared_table(plan: PlannedQuery, now: pa.Table, before: pa.Table) -> pa.Table:
    """A row for each group of either interval. The first, second … interval of time of both are one group.

    Intervals of the earlier time beyond the last of the later, such as the 31st day, are left out. Where there is a next
    page, it has one row more than the limit. Raises LimitExceeded.
    """
    assert plan.earlier is not None  # noqa: S101 (asked for only then)
    keys = [each.source for each in plan.columns if each.role is ColumnRole.GROUP]
    figures = [each.source for each in plan.columns if each.role is ColumnRole.FIGURE]
    later = _by_group(now, keys, figures, lambda bucket: bucket)
    moved = {} if BUCKET not in keys else _same_positions(plan.earlier, plan.question)
    earlier = _by_group(before, keys, figures, moved.get)
    nothing = tuple(_figure_of_none(plan.question, name) for name in figures)
    groups = dict.fromkeys((*later, *earlier))
    if plan.limit is None and len(groups) > limits.MAX_ROWS:
        raise LimitExceeded(
            f"The answer has more than {limits.MAX_ROWS} rows, the most that an answer may have.",
            hint="Give a `limit`, ask for fewer dimensions or a longer grain, or filter.",
        )
    rows = [(*group, *later.get(group, nothing), *earlier.get(group, nothing)) for group in groups]
    rows = _page_of(plan, _in_order(rows, plan.order, [each.name for each in plan.columns]))
    types = {name: _common_type(now, before, name) for name in (*keys, *figures)}
    return _table_of_rows(rows, plan.columns, types)


def _by_group(
    table: pa.Table, keys: Sequence[str], figures: Sequence[str], moved: Callable[[int], int | None]
) -> dict[Group, Figures]:
    columns = {name: plain(table.column(name)) for name in (*keys, *figures)}
    if BUCKET in keys:
        columns[BUCKET] = [moved(each) for each in columns[BUCKET]]
    groups = zip(*(columns[name] for name in keys), strict=True) if keys else [()] * table.num_rows
    found = zip(*(columns[name] for name in figures), strict=True)
    start = keys.index(BUCKET) if BUCKET in keys else None
    return {group: row for group, row in zip(groups, found, strict=True) if start is None or group[start] is not None}


def _same_positions(earlier: Question, question: Question) -> Mapping[int, int]:
    return dict(zip(earlier.bucket_starts(), question.bucket_starts(), strict=False))


def _figure_of_none(question: Question, name: str) -> int | None:
    """What a group without rows has."""
    return 0 if any(each.name == name and each.function in _ZERO_OF_NONE for each in question.metrics) else None


def _in_order(rows: list[Group], order: Sequence[SortKey], names: Sequence[str]) -> list[Group]:
    """As the engine orders them: texts by their code points, which is the order of their bytes; nulls last."""
    for key in reversed(order):
        at = names.index(key.field)
        held = sorted((row for row in rows if row[at] is not None), key=lambda row: row[at], reverse=key.descending)
        rows = [*held, *(row for row in rows if row[at] is None)]
    return rows


def _page_of(plan: PlannedQuery, rows: list[Group]) -> list[Group]:
    """Of rows in order those behind the plan's keys, one more than its limit."""
    if plan.after is not None:
        names = [each.name for each in plan.columns]
        places = [(names.index(key.field), key.descending) for key in plan.order]
        rows = [row for row in rows if _is_behind([row[at] for at, _ in places], plan.after, places)]
    return rows if plan.limit is None else rows[: plan.limit + 1]


def _is_behind(keys: Sequence[Any], after: Sequence[Any], places: Sequence[tuple[int, bool]]) -> bool:
    for key, last, (_, descending) in zip(keys, after, places, strict=True):
        if key != last:
            return last is not None and (key is None or (key < last if descending else key > last))
    return False


def _common_type(now: pa.Table, before: pa.Table, name: str) -> pa.DataType:
    return before.column(name).type if is_wide(before.column(name)) else now.column(name).type


def _table_of_rows(
    rows: Sequence[Group], columns: Sequence[AnswerColumn], types: Mapping[str, pa.DataType]
) -> pa.Table:
    values: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [pa.array(found, types[each.source]) for found, each in zip(values, columns, strict=True)]
    return pa.table(arrays, names=[each.name for each in columns])
