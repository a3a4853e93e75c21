"""Intervals of time as texts of ISO 8601: `P1Y2M3DT4H5M6.5S`. Each number that is negative has its own sign."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa

_MICROS = timedelta(microseconds=1)
_MINUTE, _HOUR = 60_000_000, 3_600_000_000


def duration_text(months: int, days: int, micros: int) -> str:
    """As PostgreSQL writes them: months, days and time are apart, since none has a fixed number of the next."""
    years, months = _whole_and_rest(months, 12)
    hours, rest = _whole_and_rest(micros, _HOUR)
    minutes, rest = _whole_and_rest(rest, _MINUTE)
    date = _spelled((years, "Y"), (months, "M"), (days, "D"))
    time = _spelled((hours, "H"), (minutes, "M")) + _seconds(rest)
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"


def has_durations(kind: pa.DataType) -> bool:
    """Whether its values are intervals of time, or lists or structures with such."""
    if pa.types.is_nested(kind):
        return any(has_durations(kind.field(number).type) for number in range(kind.num_fields))
    return bool(pa.types.is_duration(kind) or pa.types.is_interval(kind))


def with_duration_texts(values: pa.ChunkedArray) -> pa.Array:
    """The same values with texts for intervals of time, at whatever depth."""
    return pa.array([_shown(each) for each in values.to_pylist()], _shown_type(values.type))


def _whole_and_rest(value: int, size: int) -> tuple[int, int]:
    """Both with the sign of the value."""
    whole = abs(value) // size * (1 if value >= 0 else -1)
    return whole, value - whole * size


def _spelled(*units: tuple[int, str]) -> str:
    return "".join(f"{number}{unit}" for number, unit in units if number)


def _seconds(micros: int) -> str:
    if not micros:
        return ""
    whole, fraction = divmod(abs(micros), 1_000_000)
    sign = "-" if micros < 0 else ""
    return f"{sign}{whole}.{fraction:06}".rstrip("0").rstrip(".") + "S"


def _shown(value: Any) -> Any:
    if isinstance(value, pa.MonthDayNano):
        return duration_text(value.months, value.days, value.nanoseconds // 1000)
    if isinstance(value, timedelta):
        return duration_text(0, 0, value // _MICROS)
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return {name: _shown(each) for name, each in value.items()} if isinstance(value, dict) else value


def _shown_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(_shown_type(each.type)) for each in kind])
    if pa.types.is_nested(kind):
        return pa.list_(_shown_type(kind.value_type))
    return pa.string() if has_durations(kind) else kind
