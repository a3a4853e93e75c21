"""A page of an answer that was made here, as `query/page.py` has the engine make it: same order, same rows."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.paging import SortKey
from airtally.query.page import READ, AnswerPage, KeyValue, Ratio

#: Whole numbers up to here are exact as doubles, so that a ratio is the same whoever divides.
_EXACT = 1 << 53


class PageByEngine(Exception):
    """A page that only the engine can make: a number in it is too large."""


def page_of(groups: pa.Table, page: AnswerPage, read: int | None, most_rows: int | None) -> pa.Table:
    """The rows of a page, `read` in each of them unless it is the last. Raises PageByEngine."""
    ratios = {each.name: each for each in page.ratios}
    columns = {name: _divided(groups, ratios[name]) if name in ratios else groups.column(name) for name in page.columns}
    if not page.last:
        columns[READ] = pa.array([read] * groups.num_rows, pa.int64())
    found = pa.table(columns)
    if page.after is not None:
        found = found.filter(_beyond(found, page.order, page.after))
    if page.order:
        keys = [(key.field, "descending" if key.descending else "ascending", "at_end") for key in page.order]
        found = found.take(pc.sort_indices(found, sort_keys=keys))
    limit = page.limit if page.limit is not None else most_rows
    return found if limit is None else found.slice(0, limit + (not page.last))


def _divided(groups: pa.Table, ratio: Ratio) -> pa.ChunkedArray:
    dividend, divisor = groups.column(ratio.dividend), groups.column(ratio.divisor)
    for each in (dividend, divisor):
        bounds = pc.min_max(each).as_py()
        if any(bound is not None and abs(bound) > _EXACT for bound in bounds.values()):
            raise PageByEngine
    nonzero = pc.if_else(pc.equal(divisor, 0), pa.scalar(None, pa.float64()), divisor.cast(pa.float64()))
    return pc.divide(dividend.cast(pa.float64()), nonzero)


def _beyond(found: pa.Table, order: Sequence[SortKey], after: Sequence[KeyValue]) -> pa.ChunkedArray:
    """Whether a row comes after the one with the values `after`: the first key that differs is beyond its value."""
    beyond = pa.array([False] * found.num_rows, pa.bool_())
    for key, value in reversed(list(zip(order, after, strict=True))):
        at = found.column(key.field)
        if value is None:  # only a null comes with a null or after it
            beyond = pc.and_(pc.is_null(at), beyond)
            continue
        bound = _key_bound(value, at.type)
        past = (pc.less if key.descending else pc.greater)(at, bound)
        same = pc.and_(pc.equal(at, bound), beyond)
        beyond = pc.or_(pc.fill_null(pc.or_(past, same), fill_value=False), pc.is_null(at))
    return beyond


def _key_bound(value: KeyValue, kind: pa.DataType) -> pa.Scalar:
    try:
        return pa.scalar(value, kind)
    except (pa.ArrowException, OverflowError, TypeError):
        raise PageByEngine from None
