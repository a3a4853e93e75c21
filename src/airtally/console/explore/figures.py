"""An answer as a table, and the totals of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from airtally.api.query.body import AskedFunction, Grain, read_metric
from airtally.api.query.plan import PREVIOUS, TIME
from airtally.console.explore.answers import ExploreAnswer
from airtally.console.formats import NOTHING
from airtally.kit.time import to_datetime

#: Rows that a page shows; a file has all.
SHOWN_ROWS = 1000
MICRO = 1_000_000
_MICROSECONDS = "microseconds since 1970"
_WHOLE_DAYS = (Grain.DAY, Grain.WEEK, Grain.MONTH)


@dataclass(frozen=True, slots=True)
class ShownFigure:
    label: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class FigureCell:
    """`value` is what the browser sorts by. `share` of the largest value of its column, in percent, is drawn as a bar."""

    text: str
    value: Any
    share: float | None = None


@dataclass(frozen=True, slots=True)
class FigureTable:
    """The first `SHOWN_ROWS` rows of `all_rows`."""

    columns: Sequence[ShownFigure]
    rows: Sequence[Sequence[FigureCell]]
    all_rows: int


@dataclass(frozen=True, slots=True)
class FigureTotal:
    """A figure of the whole answer; `change` against the earlier interval, such as `+12 %`."""

    label: str
    value: str
    change: str


def figure_table(answer: ExploreAnswer, currency: str) -> FigureTable:
    columns = answer.meta["columns"]
    rows = answer.rows[:SHOWN_ROWS]
    first = _first_figure(answer)
    largest = max((abs(float(row[first])) for row in rows if row[first] is not None), default=0.0)
    bars = largest if "grain" not in answer.question and answer.state.splits else 0.0
    cells = [[_cell(answer, row, each, bars if each["name"] == first else 0.0) for each in columns] for row in rows]
    shown = [ShownFigure(_label(each, currency), _is_number(answer, each)) for each in columns]
    return FigureTable(shown, cells, len(answer.rows))


def figure_totals(answer: ExploreAnswer, currency: str) -> list[FigureTotal]:
    """Of figures that can be added; of the others where the answer is one row."""
    found = []
    by_name = {each["name"]: each for each in answer.meta["columns"]}
    for text in answer.state.metrics:
        metric = read_metric(text)
        column = by_name[metric.label]
        if metric.function in {AskedFunction.COUNT, AskedFunction.SUM}:
            now, before = (_sum(answer.rows, name) for name in (metric.label, metric.label + PREVIOUS))
        elif len(answer.rows) == 1:
            now, before = (answer.rows[0].get(name) for name in (metric.label, metric.label + PREVIOUS))
        else:
            continue
        change = _change(now, before) if answer.state.compare else ""
        found.append(FigureTotal(_label(column, currency), figure_text(now, column), change))
    return found


def group_text(value: Any, column: Mapping[str, Any]) -> str:
    """The value of a dimension."""
    if value is None:
        return "(none)"
    if column.get("unit") == _MICROSECONDS:
        return to_datetime(value).strftime("%Y-%m-%d %H:%M:%S")
    if value == "":
        return "(empty)"
    return figure_text(value, column) if column.get("unit") == "micros" else str(value)


def figure_text(value: Any, column: Mapping[str, Any]) -> str:
    """`1,234,567`, `0.0042`; money, which is in micros, with its decimals. Exact for whole numbers of any size."""
    if value is None:
        return NOTHING
    if column.get("unit") == _MICROSECONDS:
        return group_text(value, column)
    number = Decimal(str(value))
    if column.get("unit") == "micros":
        return f"{number / MICRO:,.2f}"
    if number == number.to_integral_value() and (column["type"] == "integer" or abs(number) < 10**15):
        return f"{number.to_integral_value():,f}"
    return f"{number:,.2f}" if abs(number) >= 10 else f"{number:.4g}"


def _cell(answer: ExploreAnswer, row: Mapping[str, Any], column: Mapping[str, Any], largest: float) -> FigureCell:
    value = row[column["name"]]
    if column["name"] == TIME and column["type"] == "time":
        return FigureCell(_time_text(value, answer), value)
    if not _is_number(answer, column):
        return FigureCell(group_text(value, column), "" if value is None else value)
    share = None if not largest or value is None else round(100 * abs(float(value)) / largest, 1)
    return FigureCell(figure_text(value, column), "" if value is None else value, share)


def _time_text(text: str, answer: ExploreAnswer) -> str:
    """`2026-11-01`; of intervals shorter than a day `2026-11-01 08:00`."""
    moment = datetime.fromisoformat(text)
    if answer.question["grain"] in _WHOLE_DAYS:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%d %H:%M")


def _is_number(answer: ExploreAnswer, column: Mapping[str, Any]) -> bool:
    return column["type"] in {"integer", "number"} and column["name"] not in answer.state.splits


def _label(column: Mapping[str, Any], currency: str) -> str:
    name = str(column["name"])
    words = f"{name.removesuffix(PREVIOUS)}, before" if name.endswith(PREVIOUS) else name
    return f"{words} ({currency})" if column.get("unit") == "micros" else words


def _first_figure(answer: ExploreAnswer) -> str:
    return read_metric(answer.state.metrics[0]).label


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [row[name] for row in rows if row.get(name) is not None]
    if any(isinstance(each, str) for each in values):  # sums of more than 64 bits are texts
        return sum(map(Decimal, map(str, values)), Decimal(0))
    return sum(values)


def _change(now: Any, before: Any) -> str:
    if now is None or not before:
        return "nothing before" if not before else ""
    return f"{(float(now) - float(before)) / abs(float(before)):+.1%}".replace("%", " %")
