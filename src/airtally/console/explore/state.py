"""What Explore asks and shows, as the texts of its form. The query string of its link has each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from urllib.parse import urlencode

from airtally.api.query.body import Compared, Grain
from airtally.console.explore.conditions import OPERATORS, FilterRow
from airtally.console.explore.moments import plain_moment
from airtally.console.forms import FormFields

#: Ranges in words that the form offers; a link may have any that the API takes.
RANGES = (
    *("today", "yesterday", "last 24 hours", "last 7 days", "last 30 days", "last 90 days"),
    *("this week", "last week", "this month", "last month", "this year", "last 12 months"),
)
#: `auto` follows the length of the range; `none`: figures of the whole range.
AUTO, NO_GRAIN = "auto", "none"
GRAINS: Mapping[str, str] = {AUTO: "automatic", NO_GRAIN: "none: the whole range"} | {
    str(each): str(each) for each in Grain
}
COMPARISONS: Mapping[str, str] = {
    "": "nothing",
    str(Compared.PREVIOUS_PERIOD): "the period before",
    str(Compared.PREVIOUS_YEAR): "the year before",
}
CHARTS: Mapping[str, str] = {"line": "lines", "bar": "bars", "stacked": "stacked bars", "table": "table only"}
MATCHES: Mapping[str, str] = {"all": "all of these", "any": "any of these"}
#: Series that a chart shows, at most; the rest is added up.
MOST_SERIES = 20


@dataclass(frozen=True, slots=True)
class ExploreState:
    """`range` in words, or `start` and `end` on the clocks of `zone`; `top` is the number of series of a chart.

    `metrics` and `splits` are written as the API has them. Nothing is checked: what is wrong is shown as it is, with the reason.
    """

    stream: str
    zone: str
    metrics: tuple[str, ...] = ("count",)
    splits: tuple[str, ...] = ()
    filters: tuple[FilterRow, ...] = ()
    match: str = "all"
    range: str = "last 30 days"
    start: str = ""
    end: str = ""
    grain: str = AUTO
    compare: str = ""
    chart: str = "line"
    top: str = "8"

    def fields(self) -> Iterator[tuple[str, str]]:
        """The query string's, in order; each state has one spelling."""
        yield "stream", self.stream
        yield from (("metric", each) for each in self.metrics)
        yield from (("split", each) for each in self.splits)
        for each in self.filters:
            yield from (("where", each.column), ("op", each.op), ("value", each.value))
        yield "match", self.match
        yield "range", self.range
        yield from (("start", self.start), ("end", self.end))
        yield from (("grain", self.grain), ("zone", self.zone), ("compare", self.compare))
        yield from (("chart", self.chart), ("top", self.top))

    @property
    def query_string(self) -> str:
        return urlencode([(name, value) for name, value in self.fields() if value or name in {"value", "range"}])

    @property
    def series_count(self) -> int:
        """The number in `top`, within its limits; those of a new page for what is no number."""
        return min(max(int(self.top), 1), MOST_SERIES) if self.top.isdecimal() and len(self.top) < 5 else 8

    def with_stream(self, stream: str, columns: Sequence[str]) -> ExploreState:
        """About another stream: what names columns that it does not have is left out."""
        known = {"", *columns}
        metrics = tuple(each for each in self.metrics if _column_of_metric(each) in known)
        return replace(
            self,
            stream=stream,
            metrics=metrics or ("count",),
            splits=tuple(each for each in self.splits if each.partition(".")[0] in known),
            filters=tuple(each for each in self.filters if each.column.partition(".")[0] in known),
        )


def read_state(fields: FormFields, zone: str) -> ExploreState:
    """The state of a link or of the form; `zone` is that of one without. Rows without a column are left out."""
    new = ExploreState(fields.get("stream", ""), fields.get("zone", "").strip() or zone)
    words = " ".join(fields.get("range", "").split())
    start, end = (plain_moment(fields.get(name, ""), new.zone) for name in ("start", "end"))
    if "range" not in fields and not start and not end:
        words = new.range
    return replace(
        new,
        metrics=_texts(fields, "metric") or new.metrics,
        splits=_texts(fields, "split"),
        filters=tuple(_filter_rows(fields)),
        match=fields.get("match") or new.match,
        range=words,
        start="" if words else start,
        end="" if words else end,
        grain=fields.get("grain") or new.grain,
        compare=fields.get("compare", ""),
        chart=fields.get("chart") or new.chart,
        top=fields.get("top", "").strip() or new.top,
    )


def wrong_choices(state: ExploreState) -> dict[str, str]:
    """Fields that have none of their words, with what these are."""
    found = {}
    for name, value, words in (
        ("match", state.match, MATCHES),
        ("grain", state.grain, GRAINS),
        ("compare", state.compare, COMPARISONS),
        ("chart", state.chart, CHARTS),
    ):
        if value not in words:
            found[name] = f"Expected one of {', '.join(each for each in words if each)}"
    if not state.range:
        ends = {"start": (state.start, "begins"), "end": (state.end, "ends")}
        found |= {name: f"Say when the range {word}" for name, (text, word) in ends.items() if not text}
    if str(state.series_count) != state.top:
        found["top"] = f"Expected a number from 1 to {MOST_SERIES}"
    found |= {
        f"where-{number}": f"Expected an operator such as {', '.join(OPERATORS)}"
        for number, each in enumerate(state.filters)
        if each.op not in OPERATORS
    }
    return found


def _texts(fields: FormFields, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.strip() for each in fields.all(name) if each.strip()))


def _filter_rows(fields: FormFields) -> Iterator[FilterRow]:
    """The row's three fields stand at the same place among those of their names."""
    columns, ops, values = (fields.each(name) for name in ("where", "op", "value"))
    for column, op, value in zip_longest(columns, ops, values, fillvalue=""):
        if column.strip():
            yield FilterRow(column.strip(), op or "eq", "" if op in {"is_null", "not_null"} else value)


def _column_of_metric(text: str) -> str:
    """`viewers` of `sum(viewers) as total`; empty for a metric without one."""
    return text.partition("(")[2].partition(")")[0].partition(".")[0].strip()
