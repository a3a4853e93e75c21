"""A question as one statement over rows, the same tree for every engine."""

from __future__ import annotations

from sqlglot import exp

from airtally.query.buckets import Bucket, bucket_of
from airtally.query.distinct import approximate_distinct
from airtally.query.page import READ, paged
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.rollups.figures import measured
from airtally.sql.capabilities import Capabilities
from airtally.sql.comparable import type_of
from airtally.sql.compiler import Binder, micros
from airtally.sql.dedupe import EventTimes, events
from airtally.sql.filters import EVERYTHING
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream, Type


def render(question: Question, snapshot: Snapshot, capabilities: Capabilities) -> Statement:
    """The groups come in no order. Raises LimitExceeded for too many buckets, see `Question.runs`."""
    stream = question.stream
    binder = Binder(stream)
    source = events(
        binder,
        snapshot,
        question.columns,
        capabilities,
        within=EventTimes(question.start_us, question.end_us),
        as_received=question.as_received,
    )
    groups = _groups(binder, question)
    metrics = [
        _metric(binder, stream, metric, capabilities).as_(metric.name, quoted=True, copy=False)
        for metric in question.metrics
    ]
    if question.page is not None:
        metrics.append(exp.alias_(exp.Count(this=exp.Star()), READ, quoted=True, copy=False))
    tree = exp.select(*groups, *metrics, copy=False).from_(source.subquery("events", copy=False), copy=False)
    tree = tree.where(binder.condition(question.where), copy=False)
    if groups:
        tree = tree.group_by(*(group.this.copy() for group in groups), copy=False)
    return binder.statement(cut(tree, question, binder))


def cut(tree: exp.Select, question: Question, binder: Binder) -> exp.Select:
    """Limit the answer of `tree`, which becomes part of it, to one row more than the question allows.

    That row shows that the answer is too long.
    """
    if question.page is not None:
        return paged(tree, question.page, binder, question.most_rows)
    return tree if question.most_rows is None else tree.limit(question.most_rows + 1, copy=False)


def _groups(binder: Binder, question: Question) -> list[exp.Expr]:
    groups = [_group(binder, question.stream, dimension) for dimension in question.dimensions]
    if question.bucket is not Bucket.NONE:
        groups.insert(
            0, exp.alias_(bucket_of(micros(question.stream.time), question.runs()), BUCKET, quoted=True, copy=False)
        )
    return groups


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
