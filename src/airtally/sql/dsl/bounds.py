"""Which times a statement can need of a table, by its conditions, so that files of other days need not be opened.

Only conditions that stand beside the table, in the WHERE of its own SELECT, joined by AND, and that compare its time with
a time written out or counted from the present, are looked at. What is not understood bounds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlglot import exp

from airtally.kit.time import DAY_US, from_datetime

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?(?:Z|\+00(?::00)?)?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENTS = {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ}
_SECOND_US = 1_000_000
#: Units that have the same length wherever they stand, in UTC.
_UNITS = {
    "second": _SECOND_US,
    "minute": 60 * _SECOND_US,
    "hour": 3600 * _SECOND_US,
    "day": DAY_US,
    "week": 7 * DAY_US,
}
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """[start_us, end_us); None is open."""

    start_us: int | None = None
    end_us: int | None = None

    def both(self, other: TimeBounds) -> TimeBounds:
        """What both conditions leave."""
        starts, ends = _known(self.start_us, other.start_us), _known(self.end_us, other.end_us)
        return TimeBounds(max(starts, default=None), min(ends, default=None))

    def either(self, other: TimeBounds) -> TimeBounds:
        """The least interval that covers both."""
        starts, ends = _known(self.start_us, other.start_us), _known(self.end_us, other.end_us)
        return TimeBounds(
            min(starts) if len(starts) == len((self, other)) else None,
            max(ends) if len(ends) == len((self, other)) else None,
        )


EVER = TimeBounds()


def time_bounds(tree: exp.Query, table: str, time: str, now_us: int) -> TimeBounds:
    """Of all places where the table stands together; `now_us` is the present of the statement."""
    found = [_of_place(each, time, now_us) for each in tree.find_all(exp.Table) if each.name.lower() == table]
    bounds = found[0] if found else EVER
    for other in found[1:]:
        bounds = bounds.either(other)
    return bounds


def kept_times(tree: exp.Query, table: str, time: str, now_us: int) -> TimeBounds | None:
    """The bounds of a table that stands once and alone, so that a query in its place can keep to them instead of it.

    None where it stands otherwise, or where nothing bounds it.
    """
    place = _only_place(tree, table)
    found = EVER if place is None else _of_place(place[0], time, now_us)
    return None if found == EVER else found


def without_times(tree: exp.Query, table: str, time: str, now_us: int) -> None:
    """Take the conditions out of the tree that `kept_times` was told of."""
    place = _only_place(tree, table)
    if place is None:
        return
    table_node, where = place
    for condition in list(_conjuncts(where.this)):
        of_time = _of_condition(condition, table_node, time, now_us, alone=True) is not None
        if of_time and _is_understood_whole(condition, now_us):
            condition.replace(exp.true())


def _is_understood_whole(condition: exp.Expr, now_us: int) -> bool:
    """Of a BETWEEN one side alone may have been understood."""
    ends = (condition.args["low"], condition.args["high"]) if isinstance(condition, exp.Between) else ()
    return all(_moment(end, now_us) is not None for end in ends)


def _only_place(tree: exp.Query, table: str) -> tuple[exp.Table, exp.Where] | None:
    """Where it stands, and the conditions beside it."""
    found = [each for each in tree.find_all(exp.Table) if each.name.lower() == table]
    select = found[0].parent_select if len(found) == 1 else None
    if select is None or select.args.get("joins") or select.args.get("laterals"):
        return None
    where = select.args.get("where")
    return (found[0], where) if isinstance(where, exp.Where) else None


def _known(*ends: int | None) -> list[int]:
    return [each for each in ends if each is not None]


def _of_place(table: exp.Table, time: str, now_us: int) -> TimeBounds:
    select = None if table.parent is None else table.parent.parent
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    if not isinstance(select, exp.Select) or where is None or _is_odd(table, select):
        return EVER
    alone = not (select.args.get("joins") or select.args.get("laterals"))
    bounds = EVER
    for condition in _conjuncts(where.this):
        if (one := _of_condition(condition, table, time, now_us, alone=alone)) is not None:
            bounds = bounds.both(one)
    return bounds


def _is_odd(table: exp.Table, select: exp.Select) -> bool:
    """Columns that are renamed, and joins (ASOF, POSITIONAL) in which the rows that are left out decide about others."""
    alias = table.args.get("alias")
    renamed = alias is not None and bool(alias.args.get("columns"))
    joined = isinstance(table.parent, exp.From | exp.Join)
    return renamed or not joined or any(join.args.get("method") for join in select.args.get("joins") or ())


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    waiting = [condition]
    while waiting:
        each = waiting.pop().unnest()
        if isinstance(each, exp.And):
            waiting += [each.left, each.right]
        else:
            yield each


def _of_condition(condition: exp.Expr, table: exp.Table, time: str, now_us: int, *, alone: bool) -> TimeBounds | None:
    def is_time(node: exp.Expr) -> bool:
        if not isinstance(node, exp.Column) or node.name.lower() != time:
            return False
        return node.table.lower() == table.alias_or_name.lower() if node.table else alone

    if isinstance(condition, exp.Between) and is_time(condition.this) and not condition.args.get("symmetric"):
        return _between(_moment(condition.args["low"], now_us), _moment(condition.args["high"], now_us))
    if not isinstance(condition, exp.Binary) or type(condition) not in _MIRRORED:
        return None
    if is_time(condition.left):
        return _beside(type(condition), _moment(condition.right, now_us))
    if is_time(condition.right):
        return _beside(_MIRRORED[type(condition)], _moment(condition.left, now_us))
    return None


_MIRRORED: dict[type, type] = {exp.GTE: exp.LTE, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.LT: exp.GT, exp.EQ: exp.EQ}


def _between(low_us: int | None, high_us: int | None) -> TimeBounds:
    return TimeBounds(low_us, None if high_us is None else high_us + 1)


def _beside(kind: type, at_us: int | None) -> TimeBounds | None:
    if at_us is None:
        return None
    start_us = at_us if kind in {exp.GTE, exp.EQ} else at_us + 1 if kind is exp.GT else None
    end_us = at_us if kind is exp.LT else at_us + 1 if kind in {exp.LTE, exp.EQ} else None
    return TimeBounds(start_us, end_us)


def _moment(node: exp.Expr, now_us: int) -> int | None:
    """Microseconds since 1970 of a time that is written out, or counted from the present; None for any other."""
    node, moved_us = node.unnest(), 0
    while isinstance(node, exp.Add | exp.Sub):  # a loop, as a statement may have thousands of them in brackets
        step = _step(node.right)
        if step is None:
            return None
        moved_us += step if isinstance(node, exp.Add) else -step
        node = node.left.unnest()
    base = _fixed_moment(node, now_us)
    return None if base is None else base + moved_us


def _fixed_moment(node: exp.Expr, now_us: int) -> int | None:
    if isinstance(node, exp.CurrentTimestamp) or (isinstance(node, exp.Anonymous) and node.name.lower() == "now"):
        return now_us
    if isinstance(node, exp.CurrentDate):
        return now_us // DAY_US * DAY_US
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
        kind = node.to.this
        return _written(node.this.name, _DATE if kind is exp.DType.DATE else _TIME if kind in _MOMENTS else None)
    return _written(node.name, _TIME) if isinstance(node, exp.Literal) and node.is_string else None


def _written(text: str, form: re.Pattern[str] | None) -> int | None:
    if form is None or not form.fullmatch(text):
        return None
    try:
        return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        return None


def _step(node: exp.Expr) -> int | None:
    """The length of an interval of whole units, in microseconds."""
    if not isinstance(node, exp.Interval) or node.this is None or not isinstance(node.unit, exp.Var):
        return None
    unit = _UNITS.get(node.unit.name.lower().removesuffix("s"))
    amount = node.this.unnest().name
    if unit is None or not isinstance(node.this.unnest(), exp.Literal) or not re.fullmatch(r"[0-9]{1,6}", amount):
        return None
    return int(amount) * unit if int(amount) <= _MOST else None
