"""Parses the query string of an insights request; an error names everything that is wrong.

docs/vendors/tapjoy.md#3, #6.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from airtally.kit.time import SECOND_US
from airtally.vendors.tapjoy.choices import CHOICES
from airtally.vendors.tapjoy.errors import InvalidParameters
from airtally.vendors.tapjoy.times import Moment, earliest, parse_time, presets

START_TIME, END_TIME, PRESET = "start_time", "end_time", "time_preset"
INCREMENT, BREAKDOWNS = "time_increment", "breakdowns"
#: As some HTTP libraries write a list.
BREAKDOWNS_LIST = "breakdowns[]"


@dataclass(frozen=True, slots=True)
class InsightsParams:
    """Buckets of `step` seconds from `start`; the last is cut short at `end`."""

    start: int
    end: int
    step: int
    by_country: bool

    def until(self, now_us: int) -> InsightsParams:
        """The same range without the buckets that start after `now`; if none is left, `end` equals `start`."""
        begun = max(0, (now_us // SECOND_US - self.start) // self.step + 1)
        return InsightsParams(self.start, min(self.end, self.start + begun * self.step), self.step, self.by_country)

    @property
    def stamps(self) -> range:
        return range(self.start, self.end, self.step)


def read_params(query: bytes, now_us: int) -> InsightsParams:
    """Raises InvalidParameters."""
    pairs = [(name, value) for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    last = {name: value for name, value in dict(pairs).items() if value}
    breakdowns = [value for name, value in pairs if name in {BREAKDOWNS, BREAKDOWNS_LIST} and value]
    problems: list[str] = []
    start, end = _range(last, now_us, problems)
    step = _increment(last, problems)
    by_country = _by_country(breakdowns, problems)
    if problems:
        raise InvalidParameters(problems)
    return InsightsParams(start, end, step, by_country)


def _range(params: dict[str, str], now_us: int, problems: list[str]) -> tuple[int, int]:
    known, preset = presets(now_us), params.get(PRESET)
    given = [name for name in (START_TIME, END_TIME) if name in params]
    if preset is not None and preset not in known:
        problems.append(f"{PRESET} must be one of {', '.join(known)}")
    if preset is not None and given:
        problems.append(f"{PRESET} cannot be combined with {' and '.join(given)}")
    if len(given) == 1:
        missing = END_TIME if given == [START_TIME] else START_TIME
        problems.append(f"{given[0]} needs {missing}")
    moments = {name: _parse_moment(name, params[name], problems) for name in given}
    start, end = moments.get(START_TIME), moments.get(END_TIME)
    if start is not None and start.at < earliest(now_us):
        problems.append(f"{START_TIME} is more than {CHOICES.years_back} years ago")
    if start is not None and end is not None and end.at <= start.at:
        problems.append(f"{END_TIME} must be after {START_TIME}")
    if start is not None and end is not None:
        return start.at, end.at
    return known.get(preset or CHOICES.default_preset, (0, 0))


def _parse_moment(name: str, text: str, problems: list[str]) -> Moment | None:
    try:
        moment = parse_time(text)
    except ValueError:
        problems.append(f"{name} must be an ISO 8601 date-time such as 2026-11-20T00:00:00-04:00")
        return None
    if not moment.whole:
        problems.append(f"{name} must be on a whole hour, in its own offset and in UTC")
    return moment


def _increment(params: dict[str, str], problems: list[str]) -> int:
    increment = params.get(INCREMENT, CHOICES.default_increment)
    if increment not in CHOICES.increments:
        problems.append(f"{INCREMENT} must be one of {', '.join(CHOICES.increments)}")
    return CHOICES.increments.get(increment, 0)


def _by_country(values: list[str], problems: list[str]) -> bool:
    if len(values) > 1 or any("," in value for value in values):
        problems.append(f"{BREAKDOWNS} takes one breakdown per request")
    elif values and values[0] not in CHOICES.breakdowns:
        problems.append(f"{BREAKDOWNS} must be one of {', '.join(CHOICES.breakdowns)}")
    return bool(values)
