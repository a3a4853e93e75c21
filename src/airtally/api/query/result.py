"""Asks a planned query, and compares it with the same of an earlier interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from airtally.api.query.comparison import compared_table
from airtally.api.query.cursor import Cursor, digest_of, encode_cursor
from airtally.api.query.plan import PlannedQuery
from airtally.kit.errors import Unprocessable
from airtally.query.answering import Answer
from airtally.query.narrow import plain
from airtally.query.page import READ
from airtally.query.question import Question

Ask = Callable[[Question], Answer]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """`table` has the planned columns, times as microseconds. `next` is the cursor of the next page, None at the end."""

    plan: PlannedQuery
    table: pa.Table
    answers: tuple[Answer, ...]
    rows_read: int
    next: str | None = None

    @property
    def data_through_us(self) -> int:
        return min(each.data_through_us for each in self.answers)

    @property
    def generated_at_us(self) -> int:
        return max(each.generated_at_us for each in self.answers)

    @property
    def sources(self) -> list[str]:
        found = {"segments": any(each.from_segments for each in self.answers)}
        found["rows"] = any(each.from_rows for each in self.answers)
        return [name for name, used in found.items() if used]

    @property
    def approximate(self) -> list[str]:
        names = {name for each in self.answers for name in each.approximate}
        return [each.name for each in self.plan.columns if each.source in names]


def ask_planned(plan: PlannedQuery, ask: Ask) -> QueryResult:
    """Raises LimitExceeded, RowsGone, and Unprocessable for a figure that no double holds."""
    answer = ask(plan.question)
    _check_finite(answer.table)
    read = _rows_read(answer)
    if plan.earlier is not None:
        earlier = ask(plan.earlier)
        _check_finite(earlier.table)
        table = compared_table(plan, answer.table, earlier.table)
        return _cut_to_page(QueryResult(plan, table, (answer, earlier), read + _rows_read(earlier)))
    table = answer.table.select([each.source for each in plan.columns])
    table = table.rename_columns([each.name for each in plan.columns])
    return _cut_to_page(QueryResult(plan, table, (answer,), read))


def _cut_to_page(result: QueryResult) -> QueryResult:
    """The row beyond the limit shows that there is a next page."""
    limit = result.plan.limit
    if limit is None or result.table.num_rows <= limit:
        return result
    table = result.table.slice(0, limit)
    return replace(result, table=table, next=_next_page(result.plan, table))


def _rows_read(answer: Answer) -> int:
    return int(answer.table.column(READ)[0].as_py() or 0) if answer.table.num_rows else 0


def _check_finite(table: pa.Table) -> None:
    for name in table.column_names:
        figures = table.column(name)
        if pa.types.is_floating(figures.type) and not pc.all(pc.is_finite(figures), min_count=0).as_py():
            raise Unprocessable(f"{name[:64]} is beyond the largest number that a double holds")


def _next_page(plan: PlannedQuery, table: pa.Table) -> str:
    last = table.slice(table.num_rows - 1)
    after = tuple(plain(last.column(key.field))[0] for key in plan.order)
    return encode_cursor(Cursor(digest_of(plan.asked), plan.question.start_us, plan.question.end_us, after))
