"""Answers questions: takes a snapshot, renders the statement, runs it, and says how current the answer is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import pyarrow as pa

from airtally.engine.protocol import Engine, FilesMissing
from airtally.files.gzip import packed_text
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.errors import TooLargeAtOnce
from airtally.kit.time import whole_days
from airtally.query.answers import AnswerCache, WrittenAnswer, key_of
from airtally.query.changelog import Order, Records, VersionsQuery, render_records, render_total, render_versions
from airtally.query.distinct import approximated, bounded
from airtally.query.freshness import Freshness, StreamFreshness
from airtally.query.kept_listings import KeptListings
from airtally.query.last_arrivals import arrivals_of, arrivals_question
from airtally.query.lookup import Row, last_by
from airtally.query.mapped.answers import MappedAnswers
from airtally.query.narrow import narrowed, plain
from airtally.query.question import Question
from airtally.query.record_pages import KeyRange, render_key_page, render_newest_versions
from airtally.query.records import KnownRecords
from airtally.query.refusal import rows_gone
from airtally.query.render import render
from airtally.query.repeats import MOST_REPEATS, RepeatFinder
from airtally.query.rolled import has_rollups, interval_of, render_rolled, rollups_for
from airtally.rollups.plan import RollupPlan
from airtally.rollups.rollups import Rollups
from airtally.sql.dedupe import Days, days_of
from airtally.sql.filters import EVERYTHING, Between, Filter
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource
from airtally.streams.declaration import RECEIVED_AT, Stream

T = TypeVar("T")

#: The snapshot with its repeats, or as it is.
TellApart = Callable[[Snapshot, Days], Snapshot]


@dataclass(frozen=True, slots=True)
class Answer:
    """`table` is in no order, or its page's; every row received by `data_through_us` is counted.

    `timezone` is an IANA name. `from_segments` and `from_rows` say what it was made of, `approximate` which of its
    distinct counts are not exact.
    """

    table: pa.Table
    data_through_us: int
    generated_at_us: int
    timezone: str
    from_segments: bool = False
    from_rows: bool = True
    approximate: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedQuestion:
    """A question as a statement, and the rows of `view` that it reads besides segments."""

    question: Question
    statement: Statement
    view: Snapshot
    from_segments: bool = False
    from_rows: bool = True

    @property
    def most_read(self) -> int:
        """How many rows of files it reads at most."""
        relations = [each for each in self.statement.relations.values() if not isinstance(each, pa.Table)]
        return sum(file.rows for each in relations for file in each.files)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of records (`stream.row_schema`), in order; `total` is the number on all pages."""

    table: pa.Table
    total: int
    data_through_us: int
    generated_at_us: int


class Queries:
    """Answers questions online. Each question names its account. Calls block, so use a thread.

    Thread-safe: it holds only caches, which have locks of their own.
    """

    def __init__(
        self,
        engine: Engine,
        source: SnapshotSource,
        clock: Clock | None = None,
        rollups: Rollups | None = None,
        *,
        answer_cache: int = 0,
        in_memory: bool = True,
        mapped: MappedAnswers | None = None,
        on_missing: Callable[[FilesMissing], None] = lambda _: None,
        most_repeats: int = MOST_REPEATS,
    ) -> None:
        self._written = AnswerCache(answer_cache)
        self._engine, self._source, self._rollups = engine, source, rollups
        self._mapped = mapped
        self._clock = clock or SystemClock()
        self._kept = KeptListings(engine, used=in_memory)
        self._freshness = Freshness(engine)
        self._repeats = RepeatFinder(engine, most=most_repeats)
        self._on_missing = on_missing

    @property
    def engine(self) -> Engine:
        return self._engine

    def forget(self) -> None:
        """Drop the answers and records kept in memory, as after rows were erased."""
        self._written.clear()
        self._kept.clear()
        self._repeats.forget()
        if self._mapped is not None:
            self._mapped.forget()

    def answer(self, question: Question) -> Answer:
        """Raises LimitExceeded, RowsGone if retention has removed what the question needs, and FilesMissing."""
        return self._twice(lambda: self._answered(question))

    def written(
        self, question: Question, form: Hashable, write: Callable[[pa.Table], Iterable[bytes]]
    ) -> WrittenAnswer:
        """An answer as `write` encodes it, from memory if no row of the stream was received since.

        `form` identifies the encoding with everything it depends on except the table. Raises LimitExceeded.
        """
        if not self._written.enabled:
            answer = self.answer(question)
            body = b"".join(write(answer.table))
            return WrittenAnswer(body, answer.data_through_us, answer.generated_at_us, partial(packed_text, body))
        view = self.snapshot(question.stream, question.account, start_us=question.start_us, end_us=question.end_us)
        key = key_of(question, form)
        body = self._written.get(key, view, lambda: write(self.answer(question).table))
        pack = partial(self._written.packed, key, body)
        return WrittenAnswer(body, view.data_through_us, self._clock.now_us(), pack)

    def prepare(self, question: Question) -> PreparedQuestion:
        """For whoever runs it elsewhere: repeats are found out while it runs. Raises LimitExceeded and RowsGone."""
        leave = lambda view, _: view  # noqa: E731
        rollup_plan = self._rollup_plan_of(question, leave)
        if rollup_plan is None:
            return self._over_rows(question, told_apart=leave)
        return self._planned(question, rollup_plan)

    def told_apart(self, view: Snapshot, days: Days = None) -> Snapshot:
        """The snapshot with its repeats, where these are few enough; see `RepeatFinder`."""
        return self._repeats.told_apart(view, days)

    def _answered(self, question: Question) -> Answer:
        """From maps of segments where they have all that the plan names, else by the engine."""
        rollup_plan = self._rollup_plan_of(question, self.told_apart)
        if rollup_plan is None:
            return self._ask(self._over_rows(question, told_apart=self.told_apart))
        table = None if self._mapped is None else self._mapped.answer(question, rollup_plan)
        if table is None:
            return self._ask(self._planned(question, rollup_plan))
        return self._answer_of(question, table, rollup_plan.rows, from_segments=True, from_rows=rollup_plan.has_rows)

    def _over_rows(
        self, question: Question, view: Snapshot | None = None, *, told_apart: TellApart | None = None
    ) -> PreparedQuestion:
        if view is None:
            view = self.snapshot(question.stream, question.account, start_us=question.start_us, end_us=question.end_us)
        if told_apart is not None and not question.as_received:
            view = told_apart(view, days_of(question.stream, question.start_us, question.end_us))
        question = bounded(question, view, able=self._engine.capabilities.bit_sets)
        return PreparedQuestion(question, render(question, view, self._engine.capabilities), view)

    def _rollup_plan_of(self, question: Question, told_apart: TellApart) -> RollupPlan | None:
        """None where the question may not need segments. Its rows are told apart. Raises RowsGone."""
        if self._rollups is None or not has_rollups(question):
            return None
        rollup_plan = self._rollup_plan(question)
        if rollup_plan.missing:
            raise rows_gone(question, rollup_plan, self._rollup_plan)
        if not rollup_plan.has_rows:
            return rollup_plan
        days = days_of(question.stream, question.start_us, question.end_us)
        return replace(rollup_plan, rows=told_apart(rollup_plan.rows, days))

    def _planned(self, question: Question, rollup_plan: RollupPlan) -> PreparedQuestion:
        """From the segments and rows that the plan chooses for each day of the interval."""
        if not self._engine.capabilities.file_lists or not rollup_plan.sources:
            return self._over_rows(question, rollup_plan.rows)
        statement = render_rolled(question, rollup_plan, self._engine.capabilities)
        return PreparedQuestion(question, statement, rollup_plan.rows, True, rollup_plan.has_rows)

    def _rollup_plan(self, question: Question) -> RollupPlan:
        assert self._rollups is not None  # noqa: S101 (asked for only then)
        candidates = rollups_for(question) if self._engine.capabilities.file_lists else ()
        return self._rollups.rollup_plan(candidates, question.stream, question.account, interval_of(question))

    def _ask(self, prepared: PreparedQuestion) -> Answer:
        return self._answer_of(
            prepared.question,
            narrowed(self._engine.query(prepared.statement)),
            prepared.view,
            from_segments=prepared.from_segments,
            from_rows=prepared.from_rows,
        )

    def _answer_of(
        self, question: Question, table: pa.Table, view: Snapshot, *, from_segments: bool, from_rows: bool
    ) -> Answer:
        limited = question.page is not None and question.page.limit is not None
        if question.most_rows is not None and table.num_rows > question.most_rows and not limited:
            raise _too_many_rows(question.most_rows)
        return Answer(
            table,
            view.data_through_us,
            self._clock.now_us(),
            str(question.clock_zone),
            from_segments,
            from_rows,
            approximated(question.metrics),
        )

    def late_rows(self, question: Question, since_us: int) -> int:
        """How many rows of the question's interval were received from `since_us` on, repeats of an event too.

        From memory if no row of the stream was received since; of files, only those with such a row are read.
        Raises LimitExceeded.
        """
        late = replace(question, where=Between(RECEIVED_AT.name, at_least=since_us), as_received=True)

        def ask() -> int:
            view = self.snapshot(late.stream, late.account, start_us=late.start_us, end_us=late.end_us)
            view = view.of_files(lambda file: file.last_received_us is None or file.last_received_us >= since_us - 999)
            if not (view.compacted or view.uncompacted or view.buffered):
                return 0
            return int(
                self._written.get(key_of(late, "late rows"), view, lambda: [str(self._sum_of(late, view)).encode()])
            )

        return self._twice(ask)

    def _sum_of(self, question: Question, view: Snapshot) -> int:
        """Of the question's one figure."""
        table = self._engine.query(render(question, view, self._engine.capabilities))
        return sum(plain(table.column(question.metrics[0].name)))

    def current(
        self,
        stream: Stream,
        account: str,
        *,
        where: Filter = EVERYTHING,
        order: Sequence[Order | str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> RecordPage:
        """The current records of a changelog. Raises LimitExceeded."""
        return self.records(Records(stream, account, where, tuple(order), limit, offset))

    def records(self, wanted: Records) -> RecordPage:
        """Raises LimitExceeded."""

        def ask(snapshot: Snapshot) -> RecordPage:
            kept = self._kept.page(wanted, snapshot)
            if kept is not None:
                return RecordPage(*kept, snapshot.data_through_us, self._clock.now_us())
            table = self._engine.query(render_records(wanted, snapshot))
            total = table.num_rows
            if wanted.limit is not None:
                total = self._engine.query(render_total(wanted, snapshot))["total"][0].as_py()
            return RecordPage(table, total, snapshot.data_through_us, self._clock.now_us())

        return self._on_snapshot(ask, wanted.stream, wanted.account)

    def last_arrivals(self, stream: Stream, account: str, name: str, values: Sequence[int]) -> dict[int, int]:
        """When the last row with each value of a column of whole numbers was received, repeats of an event too.

        Microseconds UTC by value; values without a row are left out. Raises LimitExceeded.
        """

        def ask(snapshot: Snapshot) -> dict[int, int]:
            found = self._kept.last_arrivals(snapshot, name, values)
            if found is None:
                found = arrivals_of(self.answer(arrivals_question(stream, account, name, values)).table, name)
            return found

        return self._on_snapshot(ask, stream, account)

    def last_by(self, stream: Stream, account: str, name: str, value: str) -> list[Row]:
        """The last version of each record with a value in a text column of its key, deleted ones too.

        Rows by column name, in no order. Raises LimitExceeded.
        """
        return self._on_snapshot(lambda view: last_by(view, name, value, self._engine.query), stream, account)

    def known(self, stream: Stream, account: str) -> KnownRecords:
        """All current records of a changelog, computed again only after new rows were received.

        Meant for changelogs of some thousand records an account. Raises LimitExceeded.
        """
        return self._on_snapshot(self._kept.known, stream, account)

    def freshness(self, stream: Stream, account: str) -> StreamFreshness:
        """What is stored of a stream, and how current that is. Raises LimitExceeded."""
        return self._on_snapshot(self._freshness.of, stream, account)

    def versions(self, wanted: VersionsQuery) -> pa.Table:
        """The versions (`stream.row_schema`), in no order. Raises LimitExceeded."""

        def ask(snapshot: Snapshot) -> pa.Table:
            return self._engine.query(render_versions(wanted, snapshot))

        return self._on_snapshot(ask, wanted.stream, wanted.account)

    def key_page(self, wanted: KeyRange, account: str, limit: int) -> pa.Table:
        """At most `limit` records (`stream.row_schema`) in the order of their keys. Raises LimitExceeded."""

        def ask(snapshot: Snapshot) -> pa.Table:
            return self._engine.query(render_key_page(wanted, snapshot, limit))

        return self._on_snapshot(ask, wanted.stream, account)

    def newest_versions(self, wanted: VersionsQuery, limit: int) -> pa.Table:
        """At most `limit` of the versions (`stream.row_schema`), the newest first. Raises LimitExceeded."""

        def ask(snapshot: Snapshot) -> pa.Table:
            return self._engine.query(render_newest_versions(wanted, snapshot, limit))

        return self._on_snapshot(ask, wanted.stream, wanted.account)

    def versions_of(self, stream: Stream, account: str, keys: pa.Table) -> pa.Table:
        """All versions (`stream.row_schema`) of the keys in a table of the key columns, in no order."""
        return self.versions(VersionsQuery(stream, account, keys))

    def snapshot(
        self,
        stream: Stream,
        account: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        flushed: bool = False,
    ) -> Snapshot:
        """A snapshot of all rows that an answer over [start_us, end_us) can depend on.

        Those are of whole UTC days, since an event and its corrections may lie anywhere in one day.
        """
        start_us, end_us = whole_days(start_us, end_us)
        flushed = flushed or not self._engine.capabilities.buffered_rows
        return self._source.snapshot(stream, account, start_us=start_us, end_us=end_us, flushed=flushed)

    def _on_snapshot(self, ask: Callable[[Snapshot], T], stream: Stream, account: str) -> T:
        return self._twice(lambda: ask(self.snapshot(stream, account)))

    def _twice(self, ask: Callable[[], T]) -> T:
        """Ask again on a new snapshot if a file is missing, since it may have been vacuumed meanwhile; then report it."""
        try:
            return ask()
        except FilesMissing:
            pass
        try:
            return ask()
        except FilesMissing as missing:
            self._on_missing(missing)
            raise


def _too_many_rows(most: int) -> TooLargeAtOnce:
    return TooLargeAtOnce(
        f"The answer has more than {most} rows, the most that an answer may have.",
        hint="Take it page by page with `limit`, ask for fewer dimensions, longer buckets or a shorter interval, or filter.",
    )
