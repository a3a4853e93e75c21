"""Converts times of any type to microseconds. Values out of range are found in their original unit, before they are
multiplied, so that none wraps.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.ingest import times
from airtally.ingest.kinds import Converted, Wrong, all_wrong, is_text, lost, with_nulls
from airtally.kit.time import DAY_US, wall_clock_us
from airtally.streams.declaration import Column, Type

DATE_OUT_OF_RANGE = "date out of range"

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EARLIEST_S = times.EARLIEST_US // 1_000_000
_LATEST_S = times.LATEST_US // 1_000_000
_DAY_S = DAY_US // 1_000_000
_TABLES_END_US = 67 * 365 * DAY_US  # in December 2036
_SAYS = {
    False: "expected a time with offset such as 2026-11-22T08:00:00Z",
    True: "expected a time such as 2026-11-22T08:00:00",
}


def convert_times(column: Column, array: pa.Array) -> Converted:
    """Microseconds UTC, for local times those of the wall clock in the value's zone; a date is its midnight."""
    local = column.type is Type.LOCAL_TIME
    if is_text(array.type):
        parsed = times.parse_times(array if kind.is_string(array.type) else pc.cast(array, pa.string()), local=local)
        return _dated(parsed, lost(array, parsed, _SAYS[local]))
    if kind.is_timestamp(array.type):
        if not local and array.type.tz is None:
            return all_wrong(array, times.UTC_US, "a time with offset", "one without")
        return _timestamps(array, local=local)
    if kind.is_date(array.type) and local:
        return _midnights(array)
    if kind.is_date(array.type) or kind.is_time(array.type):
        expected = "a time" if local else "a time with offset"
        return all_wrong(array, times.UTC_US, expected, "a date" if kind.is_date(array.type) else "a time of day")
    return all_wrong(array, times.UTC_US, "time")


def _timestamps(array: pa.Array, *, local: bool) -> Converted:
    zoned = local and array.type.tz is not None
    margin = _DAY_S if zoned else 0  # no zone is further from UTC
    per_second = _PER_SECOND[array.type.unit]
    bounds = ((_EARLIEST_S - margin) * per_second, (_LATEST_S + margin) * per_second)
    ticks, wrong = _between(array.view(pa.int64()), *bounds)
    micros = pc.cast(_cut_to_us(ticks.view(pa.timestamp(array.type.unit))), pa.timestamp("us"))
    if not zoned:
        return micros.view(times.UTC_US), wrong
    try:
        wall_clock = _wall_clock(micros.view(pa.timestamp("us", array.type.tz)))
    except pa.ArrowInvalid:
        return all_wrong(array, times.UTC_US, "a time in a known zone", f"one in {array.type.tz[:64]}")
    return _dated(wall_clock, wrong)


def _wall_clock(zoned: pa.Array) -> pa.Array:
    """Raises ArrowInvalid for an unknown zone.

    The library knows no clock changes from 2038 on, where the tables of the time zone database end and a rule takes
    over, so those times are converted one by one.
    """
    shown = pc.local_timestamp(zoned).view(times.UTC_US)
    micros = zoned.view(pa.int64())
    latest = pc.max(micros).as_py()
    if latest is None or latest < _TABLES_END_US or zoned.type.tz[0] in "+-":
        return shown
    try:
        zone = ZoneInfo(zoned.type.tz)
    except (KeyError, ValueError, OSError):  # a name that only the library knows
        return shown
    late = [None if us is None or us < _TABLES_END_US else wall_clock_us(us, zone) for us in micros.to_pylist()]
    return pc.coalesce(pa.array(late, pa.int64()).view(times.UTC_US), shown)


def _cut_to_us(plain: pa.Array) -> pa.Array:
    return pc.floor_temporal(plain, unit="microsecond") if plain.type.unit == "ns" else plain


def _midnights(array: pa.Array) -> Converted:
    per_day = 1 if kind.is_date32(array.type) else DAY_US // 1_000
    days = pc.cast(array.view(pa.int32() if per_day == 1 else pa.int64()), pa.int64())
    days, wrong = _between(days, 0, _LATEST_S // _DAY_S * per_day)
    # a date64 within a day is that day
    return pc.multiply(pc.divide(days, per_day), DAY_US).view(times.UTC_US), wrong


def _dated(parsed: pa.Array, wrong: Wrong) -> Converted:
    micros, out = _between(parsed.view(pa.int64()), times.EARLIEST_US, times.LATEST_US)
    return micros.view(times.UTC_US), [*wrong, *out]


def _between(ticks: pa.Array, earliest: int, end: int) -> Converted:
    """Keep times in [earliest, end); the others become null and are marked."""
    if _all_between(ticks, earliest, end):
        return ticks, []
    return with_nulls(ticks, pc.and_(pc.greater_equal(ticks, earliest), pc.less(ticks, end)), DATE_OUT_OF_RANGE)


def _all_between(ticks: pa.Array, earliest: int, end: int) -> bool:
    if len(ticks) < times.FEW:
        return all(tick is None or earliest <= tick < end for tick in ticks.to_pylist())
    bounds = pc.min_max(ticks).as_py()
    return bounds["min"] is None or (bounds["min"] >= earliest and bounds["max"] < end)
