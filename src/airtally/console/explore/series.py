"""An answer as charts: a chart for each figure, with the largest groups as series and the rest added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airtally.api.query.body import AskedFunction, Grain, read_metric
from airtally.api.query.plan import PREVIOUS, TIME
from airtally.console.charts import Chart, ChartKind, ChartSeries
from airtally.console.explore.answers import ExploreAnswer
from airtally.console.explore.figures import MICRO, group_text
from airtally.console.explore.moments import zone_or_utc
from airtally.kit.time import SECOND_US, from_datetime
from airtally.query.buckets import runs

#: Figures that may be added over groups; of these, a time without rows has 0.
ADDITIVE = frozenset({AskedFunction.COUNT, AskedFunction.SUM})
#: Charts of one page.
_MOST_CHARTS = 6
#: Values of all series of a chart together: series are left out beyond it.
_MOST_VALUES = 200_000

Values = dict[int, float]


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """A chart of a figure. `note` says what is not drawn, or how it was added up."""

    chart: Chart
    note: str


@dataclass(slots=True)
class _Group:
    """Values by place of the time, of now and of the earlier interval. `is_rest`: added up of several groups."""

    values: Values = field(default_factory=dict)
    earlier: Values = field(default_factory=dict)
    is_rest: bool = False

    def weight(self) -> float:
        return sum(abs(each) for each in self.values.values())


def drawn_figures(answer: ExploreAnswer) -> list[DrawnFigure]:
    """None without a grain, and where the state asks for the table alone."""
    if "grain" not in answer.question or answer.state.chart == "table" or not answer.rows:
        return []
    times = ChartTimes.of(answer)
    return [_drawn(answer, metric, times) for metric in answer.state.metrics[:_MOST_CHARTS]]


@dataclass(frozen=True, slots=True)
class ChartTimes:
    """The intervals of an answer, also those without rows: `seconds` since 1970, `places` by these.

    Of the first `passed` intervals all rows may be there; the rest lies in the future.
    """

    zone: str
    seconds: Sequence[int]
    places: Mapping[int, int]
    passed: int

    @classmethod
    def of(cls, answer: ExploreAnswer) -> ChartTimes:
        assert answer.stream is not None  # noqa: S101 (there are rows)
        zone = "UTC" if answer.stream.local else answer.state.zone
        start, end = (_instant_us(answer.meta["interval"][name]) for name in ("start", "end"))
        bucket = Grain(answer.question["grain"]).bucket
        starts: dict[int, None] = {}
        for run in runs(bucket, start, end, zone_or_utc(zone)):
            found = range(run.start_us, run.end_us, run.length_us) if run.bucket_us is None else (run.bucket_us,)
            starts |= dict.fromkeys(found)
        seconds = [each // SECOND_US for each in starts]
        through = _through_us(answer) // SECOND_US
        passed = sum(each <= through for each in seconds)
        return cls(zone, seconds, {each: place for place, each in enumerate(seconds)}, passed)

    def filled(self, values: Values, nothing: float | None, last: int) -> list[float | None]:
        """A value for each time: `nothing` where there is none of the first `last`, then None."""
        empty: list[float | None] = [nothing] * last + [None] * (len(self.seconds) - last)
        for place, value in values.items():
            empty[place] = value
        return empty


def _drawn(answer: ExploreAnswer, text: str, times: ChartTimes) -> DrawnFigure:
    metric = read_metric(text)
    column = next(each for each in answer.meta["columns"] if each["name"] == metric.label)
    groups = _by_group(answer, metric.label, times, MICRO if column.get("unit") == "micros" else 1)
    shown, rest = _largest(answer, groups, len(times.seconds))
    is_additive = metric.function in ADDITIVE
    if rest and is_additive:
        shown = {**shown, f"other ({len(rest)})": _added(rest, is_rest=True)}
    nothing = 0 if is_additive or metric.function is AskedFunction.DISTINCT else None
    series = _series(answer, shown, times, nothing)
    kind: ChartKind = "line" if answer.state.chart == "line" else _bars(answer)
    title = text if not answer.state.splits else f"{text} by {', '.join(answer.state.splits)}"
    chart = Chart(title, times.zone, times.seconds, series, kind)
    return DrawnFigure(chart, _note(len(groups), len(rest), text, is_additive=is_additive))


def _bars(answer: ExploreAnswer) -> ChartKind:
    """Bars of a comparison stand beside each other, whatever was asked for: on each other they would be a sum."""
    return "stacked" if answer.state.chart == "stacked" and not answer.state.compare else "bar"


def _series(
    answer: ExploreAnswer, groups: Mapping[str, _Group], times: ChartTimes, nothing: float | None
) -> list[ChartSeries]:
    found = []
    for label, group in groups.items():
        found.append(ChartSeries(label, times.filled(group.values, nothing, times.passed), rest=group.is_rest))
        if answer.state.compare:
            earlier = times.filled(group.earlier, nothing, len(times.seconds))
            found.append(ChartSeries(f"{label}, before", earlier, dashed=True, rest=group.is_rest))
    return found


def _by_group(answer: ExploreAnswer, label: str, times: ChartTimes, divisor: int) -> dict[str, _Group]:
    """In one pass over the rows. A value that is null is left out."""
    found: dict[str, _Group] = {}
    columns = [each for each in answer.meta["columns"] if each["name"] in answer.state.splits]
    seconds: dict[str, int] = {}
    for row in answer.rows:
        name = " · ".join(group_text(row[each["name"]], each) for each in columns) or label
        group = found.setdefault(name, _Group())
        text = row[TIME]
        place = times.places.get(seconds.setdefault(text, _instant_us(text) // SECOND_US))
        for values, figure in ((group.values, row[label]), (group.earlier, row.get(label + PREVIOUS))):
            if place is not None and figure is not None:
                values[place] = values.get(place, 0) + _plain_number(figure, divisor)
    return found


def _largest(answer: ExploreAnswer, groups: Mapping[str, _Group], times: int) -> tuple[dict[str, _Group], list[_Group]]:
    """Those that are drawn, the largest first, and the others."""
    series = max(1, _MOST_VALUES // max(1, times * (2 if answer.state.compare else 1)) - 1)
    ordered = sorted(groups.items(), key=lambda each: each[1].weight(), reverse=True)
    most = min(answer.state.series_count, series)
    return dict(ordered[:most]), [group for _, group in ordered[most:]]


def _added(groups: Iterable[_Group], *, is_rest: bool) -> _Group:
    total = _Group(is_rest=is_rest)
    for group in groups:
        for values, own in ((total.values, group.values), (total.earlier, group.earlier)):
            for place, value in own.items():
                values[place] = values.get(place, 0) + value
    return total


def _note(groups: int, rest: int, metric: str, *, is_additive: bool) -> str:
    if not rest:
        return ""
    if is_additive:
        return f"The {groups - rest} largest of {groups:,} groups; the other {rest:,} are added up as “other”."
    return f"The {groups - rest} largest of {groups:,} groups; {metric} of the other {rest:,} cannot be added up, so they are not drawn."


def _plain_number(figure: Any, divisor: int) -> float:
    number = figure if isinstance(figure, int) else float(figure)  # large sums are texts
    return number if divisor == 1 else number / divisor


def _instant_us(text: str) -> int:
    """Of a local time as if it were UTC."""
    moment = datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _through_us(answer: ExploreAnswer) -> int:
    """The moment by which all rows are there; on the zone's clocks for a stream of local times."""
    assert answer.stream is not None  # noqa: S101 (there are rows)
    through = datetime.fromisoformat(answer.meta["data_through"])
    if answer.stream.local:
        return from_datetime(through.astimezone(zone_or_utc(answer.state.zone)).replace(tzinfo=UTC))
    return from_datetime(through)
