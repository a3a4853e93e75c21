"""A question as one statement over rows, the same tree for every engine."""

from __future__ import annotations

from collections.abc import Hashable

from sqlglot import exp

from airtally.query.buckets import Bucket, bucket_of
from airtally.query.distinct import approximate_distinct
from airtally.query.page import READ, paged
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.rollups.figures import measured
from airtally.sql.capabilities import Capabilities
from airtally.sql.comparable import type_of
from airtally.sql.compiler import Binder, as_type, micros
from airtally.sql.dedupe import EventTimes, bound_events
from airtally.sql.filters import EVERYTHING
from airtally.sql.kept_trees import KeptTrees, shape_of
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream, Type


def render(question: Question, snapshot: Snapshot, capabilities: Capabilities) -> Statement:
    """The groups come in no order. A tree is built once for all questions of its shape.

    Raises LimitExceeded for too many buckets, see `Question.runs`.
    """
    stream = question.stream
    binder = Binder(stream)
    times = EventTimes(question.start_us, question.end_us)
    source = bound_events(binder, snapshot, capabilities, within=times, as_received=question.as_received)
    bucket, of_bucket = bound_bucket(binder, question, micros(stream.time))
    where = binder.condition(question.where)

    def build() -> exp.Query:
        tree = _grouped(binder, question, bucket, capabilities)
        tree = tree.from_(source.select(question.columns).subquery("events", copy=False), copy=False)
        return cut(tree.where(where, copy=False), question, binder)

    shape = shape_of_question(question, of_bucket)
    of_rows = source.shape, question.as_received, capabilities.name
    return _TREES.statement(binder, None if shape is None else ("rows", shape, of_rows), build)


_TREES = KeptTrees()


def shape_of_question(question: Question, of_bucket: Hashable) -> Hashable | None:
    """What its tree depends on, apart from where its rows lie; None if nothing can be told, or it is for one page."""
    if question.page is not None and question.page.after is not None:
        return None
    where = shape_of(question.stream, question.where)
    if where is None:
        return None
    groups = question.metrics, question.dimensions, of_bucket
    return question.stream, where, *groups, question.most_rows, question.page


def bound_bucket(binder: Binder, question: Question, time: exp.Expr) -> tuple[exp.Expr | None, Hashable]:
    """The start of a row's bucket, and what its expression depends on apart from bound values."""
    if question.bucket is Bucket.NONE:
        return None, None
    found = question.runs()
    if len(found) > 1 or found[0].bucket_us is not None:
        return bucket_of(time, found), tuple(found)
    start, length = (as_type(binder.value(each), exp.DType.BIGINT) for each in (found[0].start_us, found[0].length_us))
    whole = exp.IntDiv(this=exp.paren(exp.Sub(this=time, expression=start)), expression=length)
    return exp.Add(this=start.copy(), expression=exp.Mul(this=exp.paren(whole), expression=length.copy())), "one run"


def cut(tree: exp.Select, question: Question, binder: Binder) -> exp.Select:
    """Limit the answer of `tree`, which becomes part of it, to one row more than the question allows.

    That row shows that the answer is too long.
    """
    if question.page is not None:
        return paged(tree, question.page, binder, question.most_rows)
    return tree if question.most_rows is None else tree.limit(question.most_rows + 1, copy=False)


def _grouped(binder: Binder, question: Question, bucket: exp.Expr | None, capabilities: Capabilities) -> exp.Select:
    """Groups and figures of rows that have yet to be named."""
    groups = [_group(binder, question.stream, dimension) for dimension in question.dimensions]
    if bucket is not None:
        groups.insert(0, exp.alias_(bucket, BUCKET, quoted=True, copy=False))
    metrics = [
        _metric(binder, question.stream, metric, capabilities).as_(metric.name, quoted=True, copy=False)
        for metric in question.metrics
    ]
    if question.page is not None:
        metrics.append(exp.alias_(exp.Count(this=exp.Star()), READ, quoted=True, copy=False))
    tree = exp.select(*groups, *metrics, copy=False)
    return tree.group_by(*(group.this.copy() for group in groups), copy=False) if groups else tree


def _group(binder: Binder, stream: Stream, dimension: Dimension) -> exp.Expr:
    return exp.alias_(measured(binder, stream, dimension.column), dimension.label, quoted=True, copy=False)


def _metric(binder: Binder, stream: Stream, metric: Metric, capabilities: Capabilities) -> exp.Expr:
    counted = _counted(binder, stream, metric)
    if metric.where != EVERYTHING:
        counted = exp.Case().when(binder.condition(metric.where), counted)
    kind = "double" if metric.column is not None and type_of(stream, metric.column) is Type.DOUBLE else "bigint"
    match metric.function:
        case Function.COUNT:
            return exp.cast(exp.Count(this=counted), "bigint")
        case Function.DISTINCT if metric.approximate:
            return approximate_distinct(counted)
        case Function.DISTINCT:
            return exp.cast(exp.Count(this=exp.Distinct(expressions=[counted])), "bigint")
        case Function.SUM:
            total = exp.Sum(this=counted) if kind == "double" else _wide_sum(counted, capabilities)
            return exp.func("coalesce", total, exp.Literal.number(0))
        case Function.MIN:
            return exp.cast(exp.Min(this=counted), kind)
        case Function.MAX:
            return exp.cast(exp.Max(this=counted), kind)


def _wide_sum(counted: exp.Expr, capabilities: Capabilities) -> exp.Expr:
    """A sum of up to 38 digits; 10^9 rows of the largest numbers have 28."""
    if not capabilities.wide_sums:
        counted = exp.cast(counted, "decimal(28,0)")
    return exp.cast(exp.Sum(this=counted), "decimal(38,0)")


def _counted(binder: Binder, stream: Stream, metric: Metric) -> exp.Expr:
    return exp.Literal.number(1) if metric.column is None else measured(binder, stream, metric.column)
