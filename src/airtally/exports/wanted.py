"""What an export is made of, once its specification was read: rows of a stream, figures, or a statement's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from airtally.query.question import UTC, Question
from airtally.sql.dsl.statement import CheckedStatement
from airtally.sql.filters import EVERYTHING, Filter
from airtally.streams.declaration import Kind, Stream


@dataclass(frozen=True, slots=True)
class WantedRows:
    """Events with times in [start_us, end_us), records as they are now, or with `versions` each version of them.

    Of records the interval is of their versions' times. `columns` are in the order of the files.
    """

    stream: Stream
    account: str
    columns: tuple[str, ...]
    where: Filter = EVERYTHING
    start_us: int | None = None
    end_us: int | None = None
    versions: bool = False
    deleted: bool = False

    @property
    def is_events(self) -> bool:
        return self.stream.kind is Kind.EVENT


class FigureKind(StrEnum):
    """What a column of figures holds; a time is the start of an interval, written in the question's zone."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FigureColumn:
    """`source` is the column's name in the question's answer."""

    name: str
    source: str
    kind: FigureKind


@dataclass(frozen=True, slots=True)
class WantedFigures:
    """The answer to a question, with its page: in order, with no bound of rows but the page's."""

    question: Question
    columns: tuple[FigureColumn, ...]
    zone: ZoneInfo = field(default=UTC)
    local: bool = False

    @property
    def stream(self) -> Stream:
        return self.question.stream

    @property
    def account(self) -> str:
        return self.question.account


@dataclass(frozen=True, slots=True)
class WantedStatement:
    """The answer to a caller's statement, whose present is `now_us`."""

    account: str
    statement: CheckedStatement
    now_us: int


Wanted: TypeAlias = WantedRows | WantedFigures | WantedStatement
