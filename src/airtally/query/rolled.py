"""A question answered from a rollup's parts where they are current, and from rows where they are not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from airtally.engine.binding import Binder, as_type
from airtally.engine.dedupe import days_of, events
from airtally.engine.filters import EVERYTHING, Equals, columns_of, shape_of
from airtally.engine.protocol import Capabilities, Files, Statement
from airtally.engine.scope import column
from airtally.lake.snapshot import DataFile
from airtally.query.buckets import Bucket, bucket_of
from airtally.query.question import BUCKET, Function, Metric, Question
from airtally.query.render import runs_of
from airtally.rollups.figures import combined, figures_of_parts, figures_of_rows
from airtally.rollups.rollups import Cover, Interval
from airtally.rollups.table import part_schema
from airtally.streams.rollup import Measure, Rollup


@dataclass(frozen=True, slots=True)
class Rolled:
    """A question with the rollup that can answer it, and the measure that each of its metrics is made of."""

    question: Question
    rollup: Rollup
    measures: tuple[Measure, ...]

    @property
    def interval(self) -> Interval:
        assert self.question.start_us is not None  # noqa: S101 (`rolled` sees to it)
        assert self.question.end_us is not None  # noqa: S101
        return Interval(self.question.start_us, self.question.end_us)


def rolled(question: Question) -> Rolled | None:
    """With the coarsest rollup of the stream that has all the question names; None where none has."""
    if question.as_received or question.start_us is None or question.end_us is None:
        return None
    if question.start_us >= question.end_us:
        return None
    for rollup in question.stream.rollups:
        measures = tuple(each for metric in question.metrics if (each := _measure(rollup, metric)) is not None)
        named = {dimension.column for dimension in question.dimensions} | set(columns_of(question.where))
        if len(measures) == len(question.metrics) and named <= set(rollup.dimensions) and _aligned(question, rollup):
            return Rolled(question, rollup, measures)
    return None


def render_rolled(asked: Rolled, cover: Cover, capabilities: Capabilities) -> Statement:
    """Groups come in no order.

    Where no rows are needed the tree is put together once for all questions of its shape: that would take
    longer than its answer.
    """
    question, binder = asked.question, Binder(asked.question.stream)
    bucket, of_bucket = _bucket(binder, question)
    branches = [_parts(binder, asked, cover.bases, cover.hidden), _parts(binder, asked, cover.days, ())]
    shape = None
    if not cover.has_rows:
        sizes = tuple(-1 if branch is None else len(branch.conditions) for branch in branches)
        groups = question.metrics, question.dimensions, of_bucket
        shape = ("rolled", asked.rollup.name, *groups, shape_of(question.where), sizes)
    tree = None if shape is None else _trees.get(shape)
    if tree is None:
        sources = [branch.select(asked) for branch in branches if branch is not None]
        if cover.has_rows:
            sources.append(_rows(binder, asked, cover, capabilities))
        tree = _summed(asked, sources or [_nothing(binder, asked)], bucket)
        if shape is not None and sources:
            if len(_trees) >= _MAX_TREES:
                _trees.clear()  # those that are asked again and again are soon back
            _trees[shape] = tree
    return binder.statement(tree, key=shape)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Rows of parts that meet the conditions."""

    relation: exp.Table
    conditions: list[exp.Expr]

    def select(self, asked: Rolled) -> exp.Select:
        return exp.select(*figures_of_parts(asked.rollup)).from_(self.relation).where(*self.conditions)


_MAX_TREES = 1000
_trees: dict[Hashable, exp.Select] = {}


def _summed(asked: Rolled, sources: list[exp.Select], bucket: exp.Expr | None) -> exp.Select:
    question = asked.question
    groups = [exp.alias_(column(each.column), each.label, quoted=True) for each in question.dimensions]
    keys = [column(each.column) for each in question.dimensions]
    if bucket is not None:
        groups.insert(0, exp.alias_(bucket, BUCKET, quoted=True))
        keys.append(column(BUCKET))
    figures = [_figure(*pair) for pair in zip(question.metrics, asked.measures, strict=True)]
    source = sources[0] if len(sources) == 1 else exp.union(*sources, distinct=False)
    tree = exp.select(*groups, *figures).from_(source.subquery("figures"))
    return tree.group_by(*keys) if keys else tree


def _bucket(binder: Binder, question: Question) -> tuple[exp.Expr | None, Hashable]:
    """The start of a row's bucket, and what its expression depends on but for bound values."""
    if question.bucket is Bucket.NONE:
        return None, None
    found = runs_of(question)
    if len(found) > 1 or found[0].bucket_us is not None:
        return bucket_of(column("time"), found), tuple(found)
    start, length = (as_type(binder.value(each), exp.DType.BIGINT) for each in (found[0].start_us, found[0].length_us))
    whole = exp.IntDiv(this=exp.paren(exp.Sub(this=column("time"), expression=start)), expression=length)
    return exp.Add(this=start.copy(), expression=exp.Mul(this=exp.paren(whole), expression=length.copy())), "one run"


def _measure(rollup: Rollup, metric: Metric) -> Measure | None:
    for measure in rollup.measures:
        only = EVERYTHING if measure.only is None else Equals(*measure.only)
        if (measure.function, measure.column, only) == (metric.function, metric.column, metric.where):
            return measure
    return None


def _aligned(question: Question, rollup: Rollup) -> bool:
    """Whether no bucket cuts an interval of the rollup in two."""
    edges = [question.start_us or 0, question.end_us or 0]
    if question.bucket is not Bucket.NONE:
        edges += [edge for run in runs_of(question) for edge in (run.start_us, run.length_us)]
    return not any(edge % rollup.grain_us for edge in edges)


def _parts(binder: Binder, asked: Rolled, files: tuple[DataFile, ...], hidden: Sequence[Interval]) -> _Parts | None:
    if not files:
        return None
    relation = binder.relation(Files(files, part_schema(asked.rollup)), "parts")
    where = binder.of_parts().condition(asked.question.where)
    hiding = [exp.not_(_within(binder, "time", each)) for each in hidden]
    return _Parts(relation, [where, _within(binder, "time", asked.interval), *hiding])


def _rows(binder: Binder, asked: Rolled, cover: Cover, capabilities: Capabilities) -> exp.Select:
    question, stream = asked.question, asked.question.stream
    days = days_of(stream, question.start_us, question.end_us)
    source = events(binder, cover.rows, _columns(asked), capabilities, days=days)
    return (
        exp.select(*figures_of_rows(binder, stream, asked.rollup))
        .from_(source.subquery("events"))
        .where(
            _within(binder, stream.time, asked.interval),
            exp.or_(*(_within(binder, stream.time, each) for each in cover.stale)),
            binder.condition(question.where),
        )
    )


def _nothing(binder: Binder, asked: Rolled) -> exp.Select:
    relation = binder.relation(part_schema(asked.rollup).empty_table(), "nothing")
    return exp.select(*figures_of_parts(asked.rollup)).from_(relation)


def _within(binder: Binder, time: str, interval: Interval) -> exp.Expr:
    return exp.and_(column(time) >= binder.time(interval.start_us), column(time) < binder.time(interval.end_us))


def _columns(asked: Rolled) -> tuple[str, ...]:
    """The stored columns that the figures of rows are made of."""
    names = [asked.question.stream.time, *asked.rollup.dimensions]
    for measure in asked.rollup.measures:
        names += [measure.column] if measure.column else []
        names += [measure.only[0]] if measure.only else []
    return tuple(dict.fromkeys(names))


def _figure(metric: Metric, measure: Measure) -> exp.Expr:
    value = combined(measure)
    if metric.function in {Function.COUNT, Function.SUM}:
        value = exp.func("coalesce", value, exp.Literal.number(0))
    return exp.alias_(value, metric.name, quoted=True)
