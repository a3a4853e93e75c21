"""A question as one statement over segments where they are current, and over rows where they are not."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from airtally.kit.time import day_start_us
from airtally.query.buckets import Bucket
from airtally.query.fits import Edges
from airtally.query.page import READ
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.query.render import bound_bucket, cut, shape_of_question
from airtally.rollups.figures import combined, figures_of_rows, figures_of_segments
from airtally.rollups.plan import Interval, RollupCandidate, RollupPlan, SegmentRead, SegmentSource
from airtally.rollups.table import segment_schema
from airtally.sql.capabilities import Capabilities
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.dedupe import BoundEvents, bound_events, days_of
from airtally.sql.filters import EVERYTHING, Equals, columns_of
from airtally.sql.kept_trees import KeptTrees
from airtally.sql.statement import Files, Statement
from airtally.streams.rollup import Measure, Rollup

#: The column of sources that `READ` is the sum of.
_READ = "_read"

#: All rows lie between these; they stand for the end that a question leaves open.
_FIRST_US, _END_US = day_start_us(date(1969, 1, 1)), day_start_us(date(2102, 1, 1))


def interval_of(question: Question) -> Interval:
    """The question's interval; an open end becomes a midnight beyond all rows."""
    start, end = question.start_us, question.end_us
    return Interval(_FIRST_US if start is None else start, _END_US if end is None else end, open_start=start is None)


def has_rollups(question: Question) -> bool:
    """Whether the question may need segments: its stream has rollups, and its interval is not empty."""
    interval = interval_of(question)
    return bool(question.stream.rollups) and interval.start_us < interval.end_us


def rollups_for(question: Question) -> tuple[RollupCandidate, ...]:
    """The rollups that have all that the question names, the coarsest first, each version after the newer ones."""
    if question.as_received:
        return ()
    interval = interval_of(question)
    named = {dimension.column for dimension in question.dimensions} | set(columns_of(question.where))
    runs = [] if question.bucket is Bucket.NONE else question.runs()
    edges = Edges(interval, question.bucket, runs)
    return tuple(
        RollupCandidate(rollup, measures, edges.fits(rollup))
        for rollup in (each for newest in question.stream.rollups for each in newest.versions)
        if named <= set(rollup.dimensions) and (measures := _measures(rollup, question.metrics)) is not None
    )


def render_rolled(question: Question, rollup_plan: RollupPlan, capabilities: Capabilities) -> Statement:
    """The groups come in no order. A tree is built once for all questions of its shape."""
    binder = Binder(question.stream)
    bucket, of_bucket = bound_bucket(binder, question, column("time"))
    branches = list(_branches(binder, question, rollup_plan))
    stale = _bound_stale_days(binder, question, rollup_plan, capabilities) if rollup_plan.has_rows else None

    def build() -> exp.Query:
        sources = [branch.select(question) for branch in branches]
        if stale is not None:
            sources.append(stale.select(binder, question, branches[0].measures))
        return _summed(binder, question, sources, bucket)

    sizes = tuple((branch.rollup.folder, branch.measures, len(branch.conditions)) for branch in branches)
    shape = shape_of_question(question, of_bucket)
    of_rows = None if stale is None else stale.shape
    return _TREES.statement(binder, None if shape is None else ("rolled", shape, sizes, of_rows), build)


_TREES = KeptTrees()


@dataclass(frozen=True, slots=True)
class _SegmentBranch:
    """The rows of a rollup's segments that meet the conditions."""

    rollup: Rollup
    measures: tuple[Measure, ...]
    relation: exp.Table
    conditions: list[exp.Expr]

    def select(self, question: Question) -> exp.Select:
        figures = [*figures_of_segments(_dimensions(question), _named(self.measures)), *_read_rows(question)]
        return exp.select(*figures).from_(self.relation).where(*self.conditions)


@dataclass(frozen=True, slots=True)
class _StaleDays:
    """The rows of the days without a current segment, with what each question binds of them."""

    events: BoundEvents
    within: exp.Expr
    days: tuple[exp.Expr, ...]
    where: exp.Expr

    @property
    def shape(self) -> Hashable:
        return self.events.shape, len(self.days)

    def select(self, binder: Binder, question: Question, measures: tuple[Measure, ...]) -> exp.Select:
        time = micros(question.stream.time)
        figures = figures_of_rows(binder, question.stream, _dimensions(question), time, _named(measures))
        return (
            exp.select(*figures, *_read_rows(question), copy=False)
            .from_(self.events.select(question.columns).subquery("events", copy=False), copy=False)
            .where(self.within, exp.or_(*self.days), self.where, copy=False)
        )


def _branches(binder: Binder, question: Question, rollup_plan: RollupPlan) -> Iterator[_SegmentBranch]:
    for source in rollup_plan.sources:
        for read in source.reads():
            yield _segment_branch(binder, question, source, read)


def _summed(binder: Binder, question: Question, sources: list[exp.Select], bucket: exp.Expr | None) -> exp.Select:
    groups = [exp.alias_(column(_plain_column(each)), each.label, quoted=True) for each in question.dimensions]
    keys = [column(_plain_column(each)) for each in question.dimensions]
    if bucket is not None:
        groups.insert(0, exp.alias_(bucket, BUCKET, quoted=True))
        keys.append(column(BUCKET))
    figures = [_figure(metric, number) for number, metric in enumerate(question.metrics)]
    if question.page is not None:
        figures.append(exp.cast(exp.Sum(this=column(_READ)), "bigint").as_(READ, quoted=True))
    source = sources[0] if len(sources) == 1 else exp.union(*sources, distinct=False)
    tree = exp.select(*groups, *figures).from_(source.subquery("figures"))
    return cut(tree.group_by(*keys) if keys else tree, question, binder)


def _measures(rollup: Rollup, metrics: Sequence[Metric]) -> tuple[Measure, ...] | None:
    found = tuple(each for metric in metrics if (each := _measure(rollup, metric)) is not None)
    return found if len(found) == len(metrics) else None


def _measure(rollup: Rollup, metric: Metric) -> Measure | None:
    for measure in rollup.measures:
        only = EVERYTHING if measure.only is None else Equals(*measure.only)
        if (measure.function, measure.column, only) == (metric.function, metric.column, metric.where):
            return measure
    return None


def _named(measures: Sequence[Measure]) -> dict[str, Measure]:
    """The measures by names that are the same for all rollups and differ from every column's."""
    return {f"_{number}": measure for number, measure in enumerate(measures)}


def _dimensions(question: Question) -> tuple[str, ...]:
    """Columns all of them, since no rollup has a member."""
    return tuple(dict.fromkeys(_plain_column(each) for each in question.dimensions))


def _plain_column(dimension: Dimension) -> str:
    assert isinstance(dimension.column, str)  # noqa: S101 (no rollup has another)
    return dimension.column


def _read_rows(question: Question) -> list[exp.Expr]:
    """Each row counts as one that was read, for an answer that says how many were."""
    return [] if question.page is None else [exp.Literal.number(1).as_(_READ, quoted=True)]


def _segment_branch(binder: Binder, question: Question, source: SegmentSource, read: SegmentRead) -> _SegmentBranch:
    rollup = source.candidate.rollup
    relation = binder.relation(Files(read.files, segment_schema(rollup), rollup.folder, read.account), "segments")
    where = binder.of_segments().condition(question.where)
    hiding = [exp.not_(_within(binder, "time", each)) for each in read.hidden]
    conditions = [where, _within(binder, "time", interval_of(question)), *hiding]
    return _SegmentBranch(rollup, source.candidate.measures, relation, conditions)


def _bound_stale_days(
    binder: Binder, question: Question, rollup_plan: RollupPlan, capabilities: Capabilities
) -> _StaleDays:
    stream = question.stream
    days = days_of(stream, question.start_us, question.end_us)
    return _StaleDays(
        bound_events(binder, rollup_plan.rows, capabilities, days=days),
        _within(binder, stream.time, interval_of(question)),
        tuple(_within(binder, stream.time, each) for each in rollup_plan.stale),
        binder.condition(question.where),
    )


def _figure(metric: Metric, number: int) -> exp.Expr:
    value = combined(metric.function, f"_{number}")
    if metric.function in {Function.COUNT, Function.SUM}:
        value = exp.func("coalesce", value, exp.Literal.number(0))
    return exp.alias_(value, metric.name, quoted=True)


def _within(binder: Binder, time: str, interval: Interval) -> exp.Expr:
    start = exp.GTE(this=column(time), expression=binder.time(interval.start_us))
    return exp.and_(start, exp.LT(this=column(time), expression=binder.time(interval.end_us)), copy=False)
