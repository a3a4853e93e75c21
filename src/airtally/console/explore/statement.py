"""A question as a SELECT for `POST /api/v1/sql`, with the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airtally.api.query.body import AskedFunction, AskedMetric, Grain, read_metric
from airtally.console.explore.question import AskedStream
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Type

_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_TIMES = (Type.TIME, Type.LOCAL_TIME)
#: What a text of JSON looks like that the API reads as a number.
_NUMBER = "-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?"
_CALENDAR = (Grain.DAY, Grain.WEEK, Grain.MONTH)


def statement_of(question: Mapping[str, Any], stream: AskedStream, interval: Mapping[str, str]) -> str:
    """`interval` is that of the answer. Each group is a row, in the answer's order."""
    return _Statement(question, stream).text(interval)


class _Statement:
    def __init__(self, question: Mapping[str, Any], stream: AskedStream) -> None:
        self._question, self._stream = question, stream
        declared = STREAMS[stream.name]
        self._table = stream.name if declared.kind is Kind.EVENT else f"{stream.name}_versions"

    def text(self, interval: Mapping[str, str]) -> str:
        groups = [*self._time(), *(f"{self._group(each)} AS {_name(each)}" for each in self._dimensions)]
        figures = [self._figure(read_metric(each)) for each in self._question["metrics"]]
        numbers = ", ".join(str(number + 1) for number in range(len(groups)))
        first = f"{len(groups) + 1} DESC NULLS LAST, " if "order" in self._question else ""
        tail = f"\nGROUP BY {numbers}\nORDER BY {first}{numbers}" if groups else ""
        columns = ",\n       ".join([*groups, *figures])
        return f"SELECT {columns}\nFROM {self._table}\nWHERE {self._where(interval)}{tail}"

    @property
    def _dimensions(self) -> Sequence[str]:
        found: Sequence[str] = self._question.get("dimensions", ())
        return found

    def _where(self, interval: Mapping[str, str]) -> str:
        time = _name(self._stream.time)
        sides = [f"{time} >= {_moment(interval['start'])}", f"{time} < {_moment(interval['end'])}"]
        tree = self._question.get("filter")
        return "\n  AND ".join([*sides, *([f"({self._condition(tree)})"] if tree else [])])

    def _time(self) -> list[str]:
        """The start of the interval that a row lies in: of days and longer the local date, else the moment."""
        if "grain" not in self._question:
            return []
        grain, time = Grain(self._question["grain"]), _name(self._stream.time)
        zone = self._question["timezone"]
        if self._stream.local or zone == "UTC":
            return [f"{_cut(grain, time)} AS time"]
        wall = f"{time} AT TIME ZONE {_text(zone)}"
        if grain in _CALENDAR:
            return [f"{_cut(grain, wall)} AS time"]
        return [f"{time} - (({wall}) - {_cut(grain, wall)}) AS time"]

    def _figure(self, metric: AskedMetric) -> str:
        return f"{self._measure(metric)} AS {_name(metric.label)}"

    def _measure(self, metric: AskedMetric) -> str:
        if metric.column is None or metric.function is AskedFunction.COUNT:
            return "count(*)"
        if metric.function is AskedFunction.DISTINCT:
            return f"count(DISTINCT {self._group(metric.column)})"
        value = self._number(metric.column)
        kind = self._stream.kinds.get(metric.column)
        if kind == Type.DECIMAL:
            value = f"({value} * 1000000)"
        if kind in _TIMES:
            value = f"epoch_us({value})"
        if metric.function is AskedFunction.SUM:
            return f"coalesce(sum({value}), 0)"
        return f"{'avg' if metric.function is AskedFunction.MEAN else metric.function}({value})"

    def _group(self, subject: str) -> str:
        """A column, or a member of a JSON column as its text."""
        column, dot, member = subject.partition(".")
        if not dot:
            return _name(column)
        return f"({_name(column)} ->> {_text(_member_path(member))})"

    def _number(self, subject: str) -> str:
        """A column, or a member as the number that it is."""
        text = self._group(subject)
        if "." not in subject:
            return text
        return f"CASE WHEN regexp_full_match({text}, {_text(_NUMBER)}) THEN TRY_CAST({text} AS DOUBLE) END"

    def _condition(self, tree: Mapping[str, Any]) -> str:
        for word in ("and", "or"):
            if word in tree:
                return f"\n    {word.upper()} ".join(f"({self._condition(each)})" for each in tree[word])
        if "not" in tree:
            return f"NOT ({self._condition(tree['not'])})"
        return self._comparison(tree["column"], tree["op"], tree.get("value"))

    def _comparison(self, subject: str, op: str, value: Any) -> str:
        if op == "is_null":
            return f"{self._group(subject)} IS NULL"
        if op == "in":
            return " OR ".join(self._compared(subject, "=", each) for each in value) or "false"
        if op == "like":
            return f"{self._group(subject)} LIKE {_text(_pattern(value))} ESCAPE '!'"
        return self._compared(subject, _SIGNS[op], value)

    def _compared(self, subject: str, sign: str, value: Any) -> str:
        if isinstance(value, bool):
            return f"{self._group(subject)} {sign} {_text('true' if value else 'false')}"
        if isinstance(value, str):
            literal = _moment(value) if self._stream.kinds.get(subject) in _TIMES else _text(value)
            return f"{self._group(subject)} {sign} {literal}"
        return f"{self._number(subject)} {sign} {value}"


def _member_path(member: str) -> str:
    """Its name; as a pointer (RFC 6901) where the name would be read as a path."""
    if member[0] not in "/$":
        return member
    return "/" + member.replace("~", "~0").replace("/", "~1")


def _cut(grain: Grain, time: str) -> str:
    if grain is Grain.QUARTER:
        return f"time_bucket(INTERVAL '15 minutes', {time})"
    return f"date_trunc('{grain}', {time})"


def _moment(text: str) -> str:
    """A time as rows have it; one without an offset is a local time, which is stored as if it were UTC."""
    return f"TIMESTAMPTZ {_text(text.replace('T', ' '))}"


def _pattern(value: str) -> str:
    return "".join({"%": "!%", "_": "!_", "!": "!!", "*": "%"}.get(each, each) for each in value)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    """A plain name as it is, any other in quotes."""
    return (
        value if value.isidentifier() and value.isascii() and value.islower() else '"' + value.replace('"', '""') + '"'
    )
