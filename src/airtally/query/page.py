"""A part of an answer, in an order: the rows after those of the page before.

The order ends with the columns that rows are grouped by, in which no two rows are equal; so a page begins exactly after
the last row of the one before, whatever else is equal. Nulls come last, in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from airtally.kit.paging import SortKey
from airtally.sql.compiler import Binder, column

#: The column of an answer with a page that says from how many rows (of the stream, or of its segments) all of it was
#: made, in each row.
READ = "rows read"

KeyValue = str | int | float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A column that is one figure divided by another, as a double; null where the other is 0."""

    name: str
    dividend: str
    divisor: str


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """`columns` of the answer in their order, at most `limit` rows and one more, which shows that there are more.

    `order` names every column that rows are grouped by. `after` are the values of these keys in the last row of the
    page before. A `last` page has neither that row more nor the column `READ`: nobody asks for what comes after it.
    """

    columns: tuple[str, ...]
    order: tuple[SortKey, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    limit: int | None = None
    after: tuple[KeyValue, ...] | None = None
    last: bool = False


def paged(tree: exp.Select, page: AnswerPage, binder: Binder, most_rows: int | None) -> exp.Select:
    """The rows of `tree`, which has the groups and the column `READ`, that are on a page. Raises ValueError.

    `tree` becomes part of it: copies of trees would take longer than all else that is done for a small answer.
    """
    ratios = {each.name: _divided(each) for each in page.ratios}
    shown = [
        ratios[name].as_(name, quoted=True, copy=False) if name in ratios else column(name) for name in page.columns
    ]
    if not page.last:
        read = exp.cast(exp.Window(this=exp.Sum(this=column(READ))), "bigint")
        shown.append(read.as_(READ, quoted=True, copy=False))
    figures = exp.select(*shown, copy=False).from_(tree.subquery("groups", copy=False), copy=False)
    names = page.columns if page.last else (*page.columns, READ)
    found = exp.select(*map(column, names), copy=False).from_(figures.subquery("figures", copy=False), copy=False)
    if page.after is not None:
        found = found.where(_beyond(page.order, page.after, binder), copy=False)
    keys = [exp.Ordered(this=column(key.field), desc=key.descending, nulls_first=False) for key in page.order]
    found = found.order_by(*keys, copy=False) if keys else found
    limit = page.limit if page.limit is not None else most_rows
    return found if limit is None else found.limit(limit + (not page.last), copy=False)


def _divided(ratio: Ratio) -> exp.Expr:
    dividend = exp.cast(column(ratio.dividend), "double")
    divisor = exp.Nullif(this=column(ratio.divisor), expression=exp.Literal.number(0))
    return exp.Div(this=dividend, expression=exp.cast(divisor, "double"))


def _beyond(order: Sequence[SortKey], after: Sequence[KeyValue], binder: Binder) -> exp.Expr:
    """Whether a row comes after the one with the values `after`: the first key that differs is beyond its value."""
    beyond: exp.Expr = exp.false()
    for key, value in reversed(list(zip(order, after, strict=True))):
        at = column(key.field)
        if value is None:  # only a null comes with a null or after it
            beyond = exp.and_(at.is_(exp.null()), beyond)
            continue
        bound = binder.value(value)
        past = at < bound if key.descending else at > bound
        beyond = exp.or_(past, at.copy().is_(exp.null()), exp.and_(at.copy().eq(bound.copy()), beyond))
    return beyond
