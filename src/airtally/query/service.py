"""Answers questions: takes a snapshot, renders the statement, runs it, and says how current the answer is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import pyarrow as pa

from airtally.engine.protocol import Engine, FilesMissing
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.errors import TooLargeAtOnce
from airtally.kit.time import whole_days
from airtally.query.answers import AnswerCache, WrittenAnswer, key_of
from airtally.query.changelog import Order, Records, VersionsQuery, render_records, render_total, render_versions
from airtally.query.creation import first_created
from airtally.query.distinct import approximated, bounded
from airtally.query.freshness import Freshness, StreamFreshness
from airtally.query.lookup import Row, last_by
from airtally.query.narrow import narrowed, plain
from airtally.query.question import Question
from airtally.query.record_pages import KeyRange, render_key_page, render_newest_versions
from airtally.query.records import KnownRecords, RecordsCache
from airtally.query.refusal import rows_gone
from airtally.query.render import render
from airtally.query.rolled import has_rollups, interval_of, render_rolled, rollups_for
from airtally.rollups.plan import RollupPlan
from airtally.rollups.rollups import Rollups
from airtally.sql.filters import EVERYTHING, Between, Filter
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource
from airtally.streams.declaration import RECEIVED_AT, Stream

T = TypeVar("T")


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
        on_missing: Callable[[FilesMissing], None] = lambda _: None,
    ) -> None:
        self._written = AnswerCache(answer_cache)
        self._engine, self._source, self._rollups = engine, source, rollups
        self._clock = clock or SystemClock()
        self._known = RecordsCache()
        self._freshness = Freshness(engine)
        self._on_missing = on_missing

    @property
    def engine(self) -> Engine:
        return self._engine

    def forget(self) -> None:
        """Drop the answers and records kept in memory, as after rows were erased."""
        self._written.clear()
        self._known.clear()

    def answer(self, question: Question) -> Answer:
        """Raises LimitExceeded, RowsGone if retention has removed what the question needs, and FilesMissing."""
        return self._twice(lambda: self._ask(self.prepare(question)))

    def written(
        self, question: Question, form: Hashable, write: Callable[[pa.Table], Iterable[bytes]]
    ) -> WrittenAnswer:
        """An answer as `write` encodes it, from memory if no row of the stream was received since.

        `form` identifies the encoding with everything it depends on except the table. Raises LimitExceeded.
        """
        if not self._written.enabled:
            answer = self.answer(question)
            return WrittenAnswer(b"".join(write(answer.table)), answer.data_through_us, answer.generated_at_us)
        view = self.snapshot(question.stream, question.account, start_us=question.start_us, end_us=question.end_us)
        body = self._written.get(key_of(question, form), view, lambda: write(self.answer(question).table))
        return WrittenAnswer(body, view.data_through_us, self._clock.now_us())

    def prepare(self, question: Question) -> PreparedQuestion:
        """What `answer` would run, for whoever runs it elsewhere. Raises LimitExceeded and RowsGone."""
        if self._rollups is not None and has_rollups(question):
            return self._planned(question)
        return self._over_rows(question)

    def _over_rows(self, question: Question, view: Snapshot | None = None) -> PreparedQuestion:
        if view is None:
            view = self.snapshot(question.stream, question.account, start_us=question.start_us, end_us=question.end_us)
        question = bounded(question, view, able=self._engine.capabilities.bit_sets)
        return PreparedQuestion(question, render(question, view, self._engine.capabilities), view)

    def _planned(self, question: Question) -> PreparedQuestion:
        """From the segments and rows that the plan chooses for each day of the interval."""
        rollup_plan = self._rollup_plan(question)
        if rollup_plan.missing:
            raise rows_gone(question, rollup_plan, self._rollup_plan)
        if not self._engine.capabilities.file_lists:
            return self._over_rows(question)
        if not rollup_plan.sources:
            return self._over_rows(question, rollup_plan.rows)
        statement = render_rolled(question, rollup_plan, self._engine.capabilities)
        return PreparedQuestion(question, statement, rollup_plan.rows, True, rollup_plan.has_rows)

    def _rollup_plan(self, question: Question) -> RollupPlan:
        assert self._rollups is not None  # noqa: S101 (asked for only then)
        candidates = rollups_for(question) if self._engine.capabilities.file_lists else ()
        return self._rollups.rollup_plan(candidates, question.stream, question.account, interval_of(question))

    def _ask(self, prepared: PreparedQuestion) -> Answer:
        question, table = prepared.question, self._engine.query(prepared.statement)
        limited = question.page is not None and question.page.limit is not None
        if question.most_rows is not None and table.num_rows > question.most_rows and not limited:
            raise _too_many_rows(question.most_rows)
        return Answer(
            narrowed(table),
            prepared.view.data_through_us,
            self._clock.now_us(),
            str(question.clock_zone),
            prepared.from_segments,
            prepared.from_rows,
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
            table = self._engine.query(render_records(wanted, snapshot))
            total = table.num_rows
            if wanted.limit is not None:
                total = self._engine.query(render_total(wanted, snapshot))["total"][0].as_py()
            return RecordPage(table, total, snapshot.data_through_us, self._clock.now_us())

        return self._on_snapshot(ask, wanted.stream, wanted.account)

    def last_by(self, stream: Stream, account: str, name: str, value: str) -> list[Row]:
        """The last version of each record with a value in a text column of its key, deleted ones too.

        Rows by column name, in no order. Raises LimitExceeded.
        """
        return self._on_snapshot(lambda view: last_by(view, name, value, self._engine.query), stream, account)

    def known(self, stream: Stream, account: str) -> KnownRecords:
        """All current records of a changelog, computed again only after new rows were received.

        Meant for changelogs of some thousand records an account. Raises LimitExceeded.
        """

        def load(snapshot: Snapshot) -> pa.Table:
            return self._engine.query(render_records(Records(stream, account), snapshot))

        return self._on_snapshot(lambda snapshot: self._known.get(snapshot, load), stream, account)

    def freshness(self, stream: Stream, account: str) -> StreamFreshness:
        """What is stored of a stream, and how current that is. Raises LimitExceeded."""
        return self._on_snapshot(self._freshness.of, stream, account)

    def versions(self, wanted: VersionsQuery) -> pa.Table:
        """The versions (`stream.row_schema`), in no order. Raises LimitExceeded."""

        def ask(snapshot: Snapshot) -> pa.Table:
            return self._engine.query(render_versions(wanted, snapshot))

        return self._on_snapshot(ask, wanted.stream, wanted.account)

    def first_created(self, stream: Stream, account: str, keys: pa.Table) -> pa.ChunkedArray:
        """For each key in a table of the key columns, in its order, `create_time_utc` of its first version; else null.

        Raises LimitExceeded.
        """
        return self._on_snapshot(lambda snapshot: first_created(snapshot, keys, self._engine.query), stream, account)

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
