"""What is asked online: figures, records and versions, from a snapshot that is taken again where a file has gone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import pyarrow as pa

from airtally.engine.protocol import Engine, FilesMissing
from airtally.files.gzip import packed_text
from airtally.kit.clock import Clock, SystemClock
from airtally.kit.time import whole_days
from airtally.query.answering import Answer, PreparedQuestion, QuestionAnswers
from airtally.query.answers import AnswerCache, WrittenAnswer, key_of
from airtally.query.changelog import Order, Records, VersionsQuery, render_records, render_total, render_versions
from airtally.query.creation import first_created
from airtally.query.freshness import Freshness, StreamFreshness
from airtally.query.kept_listings import KeptListings
from airtally.query.last_arrivals import arrivals_of, arrivals_question
from airtally.query.lookup import Row, last_by
from airtally.query.mapped.answers import MappedAnswers
from airtally.query.narrow import plain
from airtally.query.question import Question
from airtally.query.record_pages import KeyRange, render_key_page, render_newest_versions
from airtally.query.records import KnownRecords
from airtally.query.render import render
from airtally.query.repeats import MOST_REPEATS, RepeatFinder
from airtally.rollups.rollups import Rollups
from airtally.sql.dedupe import Days
from airtally.sql.filters import EVERYTHING, Between, Filter
from airtally.storage.lake.snapshot import Snapshot, SnapshotSource
from airtally.streams.declaration import RECEIVED_AT, Stream

T = TypeVar("T")


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
        self._engine, self._source = engine, source
        self._clock = clock or SystemClock()
        self._kept = KeptListings(engine, used=in_memory)
        self._freshness = Freshness(engine)
        self.answering = QuestionAnswers(
            engine,
            self._of_question,
            self._clock,
            rollups=rollups,
            mapped=mapped,
            repeats=RepeatFinder(engine, most=most_repeats),
        )
        self._on_missing = on_missing

    @property
    def engine(self) -> Engine:
        return self._engine

    def forget(self) -> None:
        """Drop the answers and records kept in memory, as after rows were erased."""
        self._written.clear()
        self._kept.clear()
        self.answering.forget()

    def answer(self, question: Question) -> Answer:
        """Raises LimitExceeded, RowsGone if retention has removed what the question needs, and FilesMissing."""
        return self._twice(lambda: self.answering.answer(question))

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
        view = self._of_question(question)
        key = key_of(question, form)
        body = self._written.get(key, view, lambda: write(self.answer(question).table))
        pack = partial(self._written.packed, key, body)
        return WrittenAnswer(body, view.data_through_us, self._clock.now_us(), pack)

    def prepare(self, question: Question) -> PreparedQuestion:
        """For whoever runs it elsewhere: repeats are found out while it runs. Raises LimitExceeded and RowsGone."""
        return self.answering.prepare(question)

    def told_apart(self, view: Snapshot, days: Days = None) -> Snapshot:
        """The snapshot with its repeats, where these are few enough; see `RepeatFinder`."""
        return self.answering.told_apart(view, days)

    def late_rows(self, question: Question, since_us: int) -> int:
        """How many rows of the question's interval were received from `since_us` on, repeats of an event too.

        From memory if no row of the stream was received since; of files, only those with such a row are read.
        Raises LimitExceeded.
        """
        late = replace(question, where=Between(RECEIVED_AT.name, at_least=since_us), as_received=True)

        def ask() -> int:
            view = self._of_question(late)
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

    def _of_question(self, question: Question) -> Snapshot:
        return self.snapshot(question.stream, question.account, start_us=question.start_us, end_us=question.end_us)

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
