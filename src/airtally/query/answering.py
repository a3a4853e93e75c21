"""Answers a question: chooses between memory maps, segments and rows, renders the statement and runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from airtally.engine.protocol import Engine
from airtally.kit.clock import Clock
from airtally.kit.errors import TooLargeAtOnce
from airtally.query.distinct import approximated, bounded
from airtally.query.mapped.answers import MappedAnswers
from airtally.query.narrow import narrowed
from airtally.query.question import Question
from airtally.query.refusal import rows_gone
from airtally.query.render import render
from airtally.query.repeats import RepeatFinder
from airtally.query.rolled import has_rollups, interval_of, render_rolled, rollups_for
from airtally.rollups.plan import RollupPlan
from airtally.rollups.rollups import Rollups
from airtally.sql.dedupe import Days, days_of
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot

#: The snapshot with its repeats of some days.
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
        """How many rows of files it reads at most, those of a file that is read twice once."""
        relations = [each for each in self.statement.relations.values() if not isinstance(each, pa.Table)]
        return sum({file.path: file.rows for each in relations for file in each.files}.values())


class QuestionAnswers:
    """Answers on a snapshot that `snapshot` takes for a question. Thread-safe.

    What a method raises of FilesMissing may be asked again: a file may have been vacuumed meanwhile.
    """

    def __init__(
        self,
        engine: Engine,
        snapshot: Callable[[Question], Snapshot],
        clock: Clock,
        *,
        rollups: Rollups | None,
        mapped: MappedAnswers | None,
        repeats: RepeatFinder,
    ) -> None:
        self._engine, self._snapshot, self._clock = engine, snapshot, clock
        self._rollups, self._mapped, self._repeats = rollups, mapped, repeats

    def forget(self) -> None:
        """Drop what is known of files, as after rows were erased."""
        self._repeats.forget()
        if self._mapped is not None:
            self._mapped.forget()

    def answer(self, question: Question) -> Answer:
        """From maps of segments where they have all that the plan names, else by the engine."""
        rollup_plan = self._rollup_plan_of(question, self.told_apart)
        if rollup_plan is None:
            return self.ask(self.over_rows(question, told_apart=self.told_apart))
        table = None if self._mapped is None else self._mapped.answer(question, rollup_plan)
        if table is None:
            return self.ask(self._planned(question, rollup_plan))
        return self._answer_of(question, table, rollup_plan.rows, from_segments=True, from_rows=rollup_plan.has_rows)

    def prepare(self, question: Question) -> PreparedQuestion:
        """For whoever runs it elsewhere: repeats are found out while it runs. Raises LimitExceeded and RowsGone."""
        rollup_plan = self._rollup_plan_of(question)
        if rollup_plan is None:
            return self.over_rows(question)
        return self._planned(question, rollup_plan)

    def told_apart(self, view: Snapshot, days: Days = None) -> Snapshot:
        """The snapshot with its repeats, where these are few enough; see `RepeatFinder`."""
        return self._repeats.told_apart(view, days)

    def over_rows(
        self, question: Question, view: Snapshot | None = None, *, told_apart: TellApart | None = None
    ) -> PreparedQuestion:
        """From rows alone, those of `view` where one is given."""
        if view is None:
            view = self._snapshot(question)
        if told_apart is not None and not question.as_received:
            view = told_apart(view, days_of(question.stream, question.start_us, question.end_us))
        question = bounded(question, view, able=self._engine.capabilities.bit_sets)
        return PreparedQuestion(question, render(question, view, self._engine.capabilities), view)

    def _rollup_plan_of(self, question: Question, told_apart: TellApart | None = None) -> RollupPlan | None:
        """None where the question may not need segments. Raises RowsGone."""
        if self._rollups is None or not has_rollups(question):
            return None
        rollup_plan = self._rollup_plan(question)
        if rollup_plan.missing:
            raise rows_gone(question, rollup_plan, self._rollup_plan)
        if told_apart is None or not rollup_plan.has_rows:
            return rollup_plan
        days = days_of(question.stream, question.start_us, question.end_us)
        return replace(rollup_plan, rows=told_apart(rollup_plan.rows, days))

    def _planned(self, question: Question, rollup_plan: RollupPlan) -> PreparedQuestion:
        """From the segments and rows that the plan chooses for each day of the interval."""
        if not self._engine.capabilities.file_lists or not rollup_plan.sources:
            return self.over_rows(question, rollup_plan.rows)
        statement = render_rolled(question, rollup_plan, self._engine.capabilities)
        return PreparedQuestion(question, statement, rollup_plan.rows, True, rollup_plan.has_rows)

    def _rollup_plan(self, question: Question) -> RollupPlan:
        assert self._rollups is not None  # noqa: S101 (asked for only then)
        candidates = rollups_for(question) if self._engine.capabilities.file_lists else ()
        return self._rollups.rollup_plan(candidates, question.stream, question.account, interval_of(question))

    def ask(self, prepared: PreparedQuestion) -> Answer:
        """Run the statement here and now. Raises LimitExceeded and FilesMissing."""
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


def _too_many_rows(most: int) -> TooLargeAtOnce:
    return TooLargeAtOnce(
        f"The answer has more than {most} rows, the most that an answer may have.",
        hint="Take it page by page with `limit`, ask for fewer dimensions, longer buckets or a shorter interval, or filter.",
    )
