"""What the form of Explore offers: streams, and the columns of the chosen one by what they can be used for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airtally.console.operations import ConsoleOperations
from airtally.console.visits import Visit
from airtally.kit.errors import NotFound
from airtally.streams.declaration import Kind, Type

_NUMBERS = frozenset({Type.INT64, Type.DOUBLE, Type.DECIMAL})


@dataclass(frozen=True, slots=True)
class OfferedStream:
    """`rows` are those stored of the account."""

    name: str
    doc: str
    rows: int
    is_event: bool


@dataclass(frozen=True, slots=True)
class OfferedStreams:
    all: Sequence[OfferedStream]

    @classmethod
    def read(cls, operations: ConsoleOperations, visit: Visit) -> OfferedStreams:
        rows = {each.stream: each.rows for each in operations.call(visit, "list_freshness").items}
        listed = operations.call(visit, "list_streams").items
        found = [OfferedStream(each.name, each.doc, rows.get(each.name, 0), each.kind is Kind.EVENT) for each in listed]
        return cls(found)

    @property
    def first(self) -> str:
        """The stream of events with the most rows."""
        return max((each for each in self.all if each.is_event), key=lambda each: each.rows).name

    def has_rows(self, name: str) -> bool:
        return any(each.rows for each in self.all if each.name == name)


@dataclass(frozen=True, slots=True)
class OfferedColumns:
    """Columns with their words. `metrics` are figures, as the API has them; none of a stream that there is not."""

    all: Sequence[tuple[str, str]]
    metrics: Sequence[str]
    has_members: bool

    @classmethod
    def read(cls, operations: ConsoleOperations, visit: Visit, stream: str) -> OfferedColumns:
        try:
            found = operations.call(visit, "get_stream", path={"stream": stream})
        except NotFound:
            return cls((), ("count",), has_members=False)
        columns: Sequence[Any] = found.columns
        offered = [(each.name + ("." if each.type == Type.JSON else ""), each.doc) for each in columns]
        return cls(offered, list(_metrics(columns)), any(each.type == Type.JSON for each in columns))


def _metrics(columns: Sequence[Any]) -> Sequence[str]:
    numbers = [each.name for each in columns if each.type in _NUMBERS and not each.name.endswith("_id")]
    figures = [f"{function}({name})" for name in numbers for function in ("sum", "mean", "min", "max")]
    return ["count", *figures, *(f"distinct({each.name})" for each in columns)]
