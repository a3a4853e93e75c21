"""Renders the answer to a caller's statement: it runs confined, and what it gives is written here as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pyarrow as pa

from airtally.exports.lane_writer import LaneSource, LaneStep, LaneWriter
from airtally.exports.lanes import ExportLane, ReadUnit, RenderedPart, RenderJob
from airtally.exports.sessions import Advance
from airtally.exports.sources import STEP_ROWS
from airtally.exports.statement_files import answer_file
from airtally.query.sql_service import PreparedStatement, SqlQueries

#: How much there is to read is not known before the end.
_UNKNOWN = ReadUnit((), (), 0)


class StatementRendering:
    """One attempt at an export of a statement, from its beginning. The end of the `with` block ends the statement.

    `check` is called each second while the statement gives nothing; what it raises ends it.
    """

    def __init__(
        self,
        sql: SqlQueries,
        prepared: PreparedStatement,
        job: RenderJob,
        check: Callable[[], None],
        *,
        turn_seconds: float,
    ) -> None:
        self._sql, self._prepared, self._job, self._check = sql, prepared, job, check
        self._turn_seconds = turn_seconds
        self._running = ExitStack()
        self._steps: Generator[LaneStep] | None = None
        self._writer: LaneWriter | None = None

    @property
    def rows(self) -> int:
        return 0

    def advance(self) -> Advance:
        """Go on for a while. Raises what the statement raises, StorageFull and Unavailable."""
        until, parts = time.monotonic() + self._turn_seconds, list[RenderedPart]()
        self._steps = self._steps or self._begin()
        for step in self._steps:
            if step.part is not None:
                parts.append(step.part)
            if time.monotonic() >= until:
                return Advance(tuple(parts), 0, over=False)
        return Advance(tuple(parts), 0, over=True)

    def empty_part(self) -> RenderedPart:
        """The one part of an answer without rows."""
        assert self._writer is not None  # noqa: S101 (asked for at the end)
        return self._writer.empty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._steps is not None:
            self._steps.close()
        self._running.__exit__(kind, error, trace)  # which has the words for what ended the statement

    def _begin(self) -> Generator[LaneStep]:
        answer = self._running.enter_context(self._sql.streamed(self._prepared, self._check))

        def read(_unit: ReadUnit, _skip: int) -> Iterator[pa.RecordBatch]:
            return answer.batches

        new_file = answer_file(self._job, answer.schema)
        source = LaneSource(read, new_file, ordered=False, step_rows=STEP_ROWS[self._job.form])
        self._writer = LaneWriter(self._job, ExportLane(0, (_UNKNOWN,)), source)
        return self._writer.steps()
