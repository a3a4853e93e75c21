"""A rollup's measures as expressions: the figure of one row, and the sum of several figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from airtally.sql.comparable import type_of
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.filters import Equals, Member, Subject
from airtally.streams.declaration import Stream, Type
from airtally.streams.rollup import Function, Measure, Rollup

MICROS = 1_000_000


def figures_of_rows(
    binder: Binder, stream: Stream, dimensions: Iterable[str], time: exp.Expr, measures: Mapping[str, Measure]
) -> list[exp.Expr]:
    """The dimensions, `time` and measures of each event, named by the keys of `measures`."""
    keys = [binder.column(name).as_(name, quoted=True) for name in dimensions]
    figures = [_figure_of_row(binder, stream, each).as_(name, quoted=True) for name, each in measures.items()]
    return [*keys, time.as_("time", quoted=True), *figures]


def figures_of_segments(dimensions: Iterable[str], measures: Mapping[str, Measure]) -> list[exp.Expr]:
    """The same columns from a segment's rows."""
    figures = (column(each.name).as_(name, quoted=True) for name, each in measures.items())
    return [*map(column, dimensions), micros("time").as_("time", quoted=True), *figures]


def columns_read(stream: Stream, rollup: Rollup) -> list[str]:
    """The stored columns that a rollup's figures are made of."""
    measures = [measure.column for measure in rollup.measures] + [(m.only or (None,))[0] for m in rollup.measures]
    return list(dict.fromkeys((stream.time, *rollup.dimensions, *(name for name in measures if name))))


def grouped_by_cell(rollup: Rollup, single: exp.Query, first: Sequence[str] = ()) -> exp.Select:
    """The figures of events (`figures_of_rows`, measures by their names) combined by `first`, dimensions and `time`."""
    keys = [column(name) for name in (*first, *rollup.dimensions, "time")]
    figures = [combined(measure.function, measure.name).as_(measure.name, quoted=True) for measure in rollup.measures]
    tree = exp.select(*(key.copy() for key in keys), *figures).from_(single.subquery("single"))
    return tree.group_by(*(key.copy() for key in keys))


def combined(function: Function, name: str) -> exp.Expr:
    """A column's figures combined into one, null for no rows. A sum has 38 digits, room for 10^19 of the largest rows."""
    over = {Function.MIN: exp.Min, Function.MAX: exp.Max}.get(function)
    if over is None:
        return exp.cast(exp.Sum(this=column(name)), "decimal(38,0)")
    return exp.cast(over(this=column(name)), "bigint")


def measured(binder: Binder, stream: Stream, name: Subject) -> exp.Expr:
    """A value for sums and comparisons: times in microseconds, money in micros, a member as text or double."""
    kind = type_of(stream, name)
    if isinstance(name, Member):
        return binder.double(name) if name.type is Type.DOUBLE else binder.column(name)
    if kind in {Type.TIME, Type.LOCAL_TIME}:
        return micros(name)
    if kind is Type.DECIMAL:
        wide = exp.cast(column(name), "decimal(28,6)")  # the product of the narrow one overflows
        return exp.cast(exp.Mul(this=wide, expression=exp.Literal.number(MICROS)), "bigint")
    return binder.column(name)


def _figure_of_row(binder: Binder, stream: Stream, measure: Measure) -> exp.Expr:
    value = exp.Literal.number(1) if measure.column is None else measured(binder, stream, measure.column)
    if measure.only is not None:
        value = exp.Case().when(binder.condition(Equals(*measure.only)), value)
    if measure.function in {Function.COUNT, Function.SUM}:
        value = exp.func("coalesce", value, exp.Literal.number(0))
    return exp.cast(value, "bigint")
