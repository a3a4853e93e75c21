"""Why a statement is refused, in words of this program, with the place."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from airtally.kit.errors import Unprocessable

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class SqlPlace:
    """A place in a statement's text; both numbers begin at 1."""

    line: int
    column: int

    @classmethod
    def at(cls, text: str, offset: int) -> SqlPlace:
        return cls(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class StatementRefused(Unprocessable):
    """The statement is no allowed SELECT, or names something that is not there; the message names it and its place."""

    code = "sql_refused"

    def __init__(self, message: str, place: SqlPlace, *, hint: str = "") -> None:
        super().__init__(f"{message} (line {place.line}, column {place.column})", hint=hint)
        self.place = place
        self.details = {"line": place.line, "column": place.column}


def quoted(name: str) -> str:
    """A name of the caller's for a message."""
    return f"`{name[:_SHOWN]}`"


def place_of(text: str, node: exp.Expr) -> SqlPlace:
    """Where a node stands: its own place, else that of the first part with one, else that of what it is part of."""
    at: exp.Expr | None = node
    while at is not None:
        for part in at.walk():
            if (start := part.meta.get("start")) is not None:
                return SqlPlace.at(text, int(start))
        at = at.parent
    return SqlPlace(1, 1)
