"""How values are shown on pages: times in the account's zone, numbers with separators, sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from airtally.kit.time import to_datetime

#: Stands for a value that there is none of.
NOTHING = "\N{EN DASH}"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
#: Largest difference that is said in each unit, in seconds, and the seconds of the unit.
_AGES = ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h"), (float("inf"), 86_400, "days"))


def moment_of(value: str | int) -> datetime:
    """An aware datetime of RFC 3339, or of microseconds UTC."""
    return to_datetime(value) if isinstance(value, int) else datetime.fromisoformat(value)


def local_text(value: str | int, zone: str) -> str:
    """`2026-11-27 20:59:59` on the zone's clocks."""
    return moment_of(value).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


@pass_context
def local_time(context: Context, value: str | int | None) -> str | Markup:
    """A `<time>` on the clocks of the visit's account, UTC where there is none; a dash for None."""
    if value is None:
        return NOTHING
    visit = context.get("visit")
    moment, zone = moment_of(value), "UTC" if visit is None else visit.account.timezone
    exact = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, exact, local_text(value, zone))


def zone_time(value: str | int, zone: str) -> str:
    """`Fri 2026-11-27 20:59` on the zone's clocks."""
    return moment_of(value).astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M")


@pass_context
def age(context: Context, value: str | int | None) -> str:
    """`3 min ago`, as of the visit; `in 2 h` for what is to come."""
    return age_text(value, context["visit"].now_us)


def age_text(value: str | int | None, now_us: int) -> str:
    """As the filter `age`, as of `now_us`, microseconds UTC."""
    if value is None:
        return "never"
    seconds = (to_datetime(now_us) - moment_of(value)).total_seconds()
    size, unit = next((abs(seconds) / each, unit) for most, each, unit in _AGES if abs(seconds) < most)
    return f"{size:.0f} {unit} ago" if seconds >= 0 else f"in {size:.0f} {unit}"


def number(value: float | None) -> str:
    """`1,234,567`; a dash for None."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def size(value: int | None) -> str:
    """`1.4 MB`, of 1,000 KB; a dash for None."""
    if value is None:
        return NOTHING
    shown, unit = float(value), 0
    while shown >= 999.5 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1000, unit + 1
    return f"{shown:.0f} {_UNITS[unit]}" if unit == 0 or shown >= 100 else f"{shown:.1f} {_UNITS[unit]}"


def is_wall_clock(text: str) -> bool:
    """Whether it is a moment without an offset, as a browser's field for one takes it."""
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def wall_clock(text: str) -> str:
    """`2026-11-01 08:00` of RFC 3339, on the clocks that it is written in; with seconds where there are any."""
    moment = datetime.fromisoformat(text)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "local_time": local_time,
    "zone_time": zone_time,
    "age": age,
    "number": number,
    "size": size,
    "is_wall_clock": is_wall_clock,
    "wall_clock": wall_clock,
}
