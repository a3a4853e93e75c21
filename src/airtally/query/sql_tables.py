"""The tables that an account's statements see: its streams, versions of changelogs, and rollups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlglot import exp

from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, whole_days
from airtally.query.changelog import Records, VersionsQuery, current_records, render_versions
from airtally.query.question import END_US, FIRST_US, Dimension, Metric, Question
from airtally.query.repeats import MOST_REPEATS
from airtally.query.rolled import interval_of, rollups_for
from airtally.query.service import Queries
from airtally.rollups.figures import combined, figures_of_rows, figures_of_segments
from airtally.rollups.plan import Interval, RollupPlan, SegmentRead, SegmentSource
from airtally.rollups.rollups import Rollups
from airtally.rollups.table import segment_schema
from airtally.sql.compiler import Binder, column, micros
from airtally.sql.dedupe import Days, EventTimes, days_of, events, has_repeats
from airtally.sql.dsl.bounds import EVER, TimeBounds, kept_times, time_bounds
from airtally.sql.dsl.statement import CheckedStatement
from airtally.sql.filters import EVERYTHING, Equals
from airtally.sql.statement import Files, Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream
from airtally.streams.rollup import Measure, Rollup

VERSIONS = "_versions"
TIME = "time"


class SqlTableKind(StrEnum):
    """`EVENTS`: each event once. `RECORDS`: a changelog as it is now. `VERSIONS`: all of it. `ROLLUP`: stored figures."""

    EVENTS = "events"
    RECORDS = "records"
    VERSIONS = "versions"
    ROLLUP = "rollup"


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table by its name in statements. `columns` are in order."""

    name: str
    kind: SqlTableKind
    stream: Stream
    columns: tuple[str, ...]
    rollup: Rollup | None = None

    def bounds(self, statement: CheckedStatement, now_us: int) -> TimeBounds:
        """The times that a statement can need of it; of what is not split by UTC days of these times, all."""
        local = self.rollup is not None and self.rollup.local
        if self.kind not in {SqlTableKind.EVENTS, SqlTableKind.ROLLUP} or local:
            return EVER
        found = time_bounds(statement.tree, self.name, self.stream.time if self.rollup is None else TIME, now_us)
        return _of_some_day(found)

    def kept_times(self, statement: CheckedStatement, now_us: int) -> EventTimes | None:
        """The times that the query of a table of events keeps to in place of the statement, where that is the same."""
        if self.kind is not SqlTableKind.EVENTS:
            return None
        found = kept_times(statement.tree, self.name, self.stream.time, now_us)
        return None if found is None or _of_some_day(found) != found else EventTimes(found.start_us, found.end_us)


def _of_some_day(bounds: TimeBounds) -> TimeBounds:
    """Within the years that rows are of, and never empty: a day more than is needed does no harm."""
    start_us, end_us = bounds.start_us, bounds.end_us
    start_us = None if start_us is None else min(max(start_us, FIRST_US), END_US - DAY_US)
    end_us = None if end_us is None else min(max(end_us, FIRST_US + DAY_US), END_US)
    if start_us is not None and end_us is not None:
        end_us = max(end_us, start_us + 1)
    return TimeBounds(start_us, end_us)


def _tables() -> Iterator[SqlTable]:
    for stream in STREAMS.values():
        columns = tuple(stream.row_schema.names)
        kind = SqlTableKind.EVENTS if stream.kind is Kind.EVENT else SqlTableKind.RECORDS
        yield SqlTable(stream.name, kind, stream, columns)
        if stream.kind is Kind.CHANGELOG:
            yield SqlTable(f"{stream.name}{VERSIONS}", SqlTableKind.VERSIONS, stream, columns)
        for rollup in stream.rollups:
            names = (TIME, *rollup.dimensions, *(each.name for each in rollup.measures))
            yield SqlTable(rollup.name, SqlTableKind.ROLLUP, stream, names, rollup)


#: The same for all accounts.
SQL_TABLES: Mapping[str, SqlTable] = {table.name: table for table in _tables()}


@dataclass
class PlacedTables:
    """Queries that stand for tables, with what they read: `statements` by table, and how current all are together.

    `kept` names the tables, with the column of their time, whose queries keep to the times that the statement bounds.
    """

    statements: dict[str, Statement] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    data_through_us: int | None = None

    def note(self, through_us: int) -> None:
        """What all tables together have: the earliest."""
        self.data_through_us = through_us if self.data_through_us is None else min(self.data_through_us, through_us)


class TablePlacer:
    """Makes the queries of one account's tables, each on a snapshot of its own."""

    def __init__(self, queries: Queries, rollups: Rollups, account: str) -> None:
        self._queries, self._rollups, self._account = queries, rollups, account

    def place(self, statement: CheckedStatement, now_us: int) -> PlacedTables:
        """`now_us` is the statement's present. Raises FilesMissing."""
        found, columns = PlacedTables(), statement.columns
        for name in sorted(statement.tables):
            table = SQL_TABLES[name]
            wanted = [each for each in table.columns if columns is None or each in columns] or list(table.columns[:1])
            times = table.kept_times(statement, now_us)
            if times is not None:
                found.kept[name] = table.stream.time
            found.statements[name] = self._statement(table, wanted, table.bounds(statement, now_us), found, times)
        return found

    def _statement(
        self, table: SqlTable, wanted: list[str], bounds: TimeBounds, found: PlacedTables, times: EventTimes | None
    ) -> Statement:
        if table.rollup is not None:
            return self._rollup(table.stream, table.rollup, bounds, found)
        stream, ends = table.stream, (bounds.start_us, bounds.end_us)
        snapshot = self._queries.snapshot(stream, self._account, start_us=ends[0], end_us=ends[1])
        found.note(snapshot.data_through_us)
        binder = Binder(stream)
        match table.kind:
            case SqlTableKind.EVENTS:
                return binder.statement(self._events(binder, snapshot, wanted, days_of(stream, *ends), times))
            case SqlTableKind.RECORDS:
                records = Records(stream, self._account)
                return binder.statement(current_records(binder, records, snapshot, [column(name) for name in wanted]))
            case _:
                return render_versions(VersionsQuery(stream, self._account), snapshot)

    def _rollup(self, stream: Stream, rollup: Rollup, bounds: TimeBounds, found: PlacedTables) -> Statement:
        question = _whole(stream, rollup, self._account, bounds)
        candidates = [each for each in rollups_for(question) if each.rollup.name == rollup.name]
        plan = self._rollups.rollup_plan(candidates, stream, self._account, interval_of(question))
        found.note(plan.rows.data_through_us)
        binder = Binder(stream)
        branches = [*_segment_selects(binder, rollup, plan), *self._stale_selects(binder, stream, rollup, plan)]
        return binder.statement(_cells(rollup, branches))

    def _events(
        self,
        binder: Binder,
        view: Snapshot,
        columns: Sequence[str],
        days: Days = None,
        within: EventTimes | None = None,
    ) -> exp.Query:
        """Repeats are found before: the process that runs the statement has little memory and no disk.

        Raises LimitExceeded where there are too many.
        """
        capabilities, stream = self._queries.engine.capabilities, view.stream
        view = self._queries.told_apart(view, days)
        if view.repeats is None and has_repeats(stream) and capabilities.file_lists:
            raise LimitExceeded(
                f"More than {MOST_REPEATS:,} rows of {stream.name} came again and lie beside those that count.",
                hint="Compaction takes them out, some minutes after the last: ask again then, or of fewer days.",
            )
        return events(binder, view, columns, capabilities, days=days, within=within)

    def _stale_selects(self, binder: Binder, stream: Stream, rollup: Rollup, plan: RollupPlan) -> Iterator[exp.Select]:
        if not plan.has_rows:
            return
        names = list(dict.fromkeys((stream.time, *rollup.dimensions, *_columns_of(rollup))))
        source = self._events(binder, plan.rows, names)
        figures = figures_of_rows(binder, stream, rollup.dimensions, micros(stream.time), _by_name(rollup))
        yield (
            exp.select(*figures)
            .from_(source.subquery("events"))
            .where(exp.or_(*(_inside(binder, stream.time, each) for each in plan.stale)))
        )


def _whole(stream: Stream, rollup: Rollup, account: str, bounds: TimeBounds) -> Question:
    """All of a rollup's figures of the days of an interval as a question, to find the segments that have them."""
    metrics = tuple(
        Metric(each.name, each.function, each.column, EVERYTHING if each.only is None else Equals(*each.only))
        for each in rollup.measures
    )
    dimensions = tuple(map(Dimension, rollup.dimensions))
    start_us, end_us = whole_days(bounds.start_us, bounds.end_us)
    return Question(stream, account, metrics=metrics, dimensions=dimensions, start_us=start_us, end_us=end_us)


def _segment_selects(binder: Binder, rollup: Rollup, plan: RollupPlan) -> Iterator[exp.Select]:
    for source in plan.sources:
        for read in source.reads():
            yield _segment_select(binder, rollup, source, read)


def _segment_select(binder: Binder, rollup: Rollup, source: SegmentSource, read: SegmentRead) -> exp.Select:
    """Measures are found by what they count: an earlier version of the rollup may call one by another name."""
    stored = source.candidate.rollup
    measures = dict(zip((each.name for each in rollup.measures), source.candidate.measures, strict=True))
    relation = binder.relation(Files(read.files, segment_schema(stored), stored.folder, read.account), "segments")
    figures = figures_of_segments(rollup.dimensions, measures)
    return (
        exp.select(*figures)
        .from_(relation)
        .where(exp.and_(exp.true(), *(exp.not_(_inside(binder, TIME, each)) for each in read.hidden)))
    )


def _cells(rollup: Rollup, branches: list[exp.Select]) -> exp.Select:
    """One row for each interval and group: rows of days without a current segment are added up here."""
    if not branches:
        empty = [exp.cast(exp.null(), "bigint").as_(name, quoted=True) for name in (TIME, *_by_name(rollup))]
        texts = [exp.cast(exp.null(), "text").as_(name, quoted=True) for name in rollup.dimensions]
        branches = [exp.select(*texts, *empty).where(exp.false())]
    source = branches[0] if len(branches) == 1 else exp.union(*branches, distinct=False)
    keys = [column(name) for name in rollup.dimensions]
    at = exp.Sub(
        this=column(TIME), expression=exp.Mod(this=column(TIME), expression=exp.Literal.number(rollup.grain_us))
    )
    figures = [
        exp.cast(combined(each.function, each.name), "bigint").as_(each.name, quoted=True) for each in rollup.measures
    ]
    inner = exp.select(exp.alias_(at, "_at", quoted=True), *keys, *figures).from_(source.subquery("figures"))
    cells = inner.group_by(exp.Literal.number(1), *keys).subquery("cells")
    time = exp.Anonymous(this="make_timestamptz", expressions=[column("_at")]).as_(TIME, quoted=True)
    return exp.select(time, *keys, *(column(each.name) for each in rollup.measures)).from_(cells)


def _by_name(rollup: Rollup) -> dict[str, Measure]:
    return {each.name: each for each in rollup.measures}


def _columns_of(rollup: Rollup) -> Iterator[str]:
    for measure in rollup.measures:
        if measure.column is not None:
            yield measure.column
        if measure.only is not None:
            yield measure.only[0]


def _inside(binder: Binder, time: str, interval: Interval) -> exp.Expr:
    return exp.and_(column(time) >= binder.time(interval.start_us), column(time) < binder.time(interval.end_us))
