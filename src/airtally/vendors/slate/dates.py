"""Parses the bounds of a file listing, in every form that clients send.

docs/vendors/slate.md#5.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from airtally.kit.errors import BadRequest
from airtally.kit.time import SECOND_US, from_datetime, to_datetime

#: A plus sign of an offset that was not percent-encoded arrives as a space.
_MOMENT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{0,9})?"
    r"(?:[Zz]|(?P<sign>[+\- ])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]))?)?"
)


def moment(name: str, text: str) -> int:
    """Microseconds UTC, cut to the whole second; without zone UTC, without time midnight. Raises BadRequest."""
    match = _MOMENT.fullmatch(text)
    wall = None if match is None else _wall(match["day"], match["time"] or "00:00:00")
    if match is None or wall is None:
        expected = "expected a time such as 2026-11-22T04:00:01+00:00"
        raise BadRequest(f"{name} cannot be read: {expected}, not {text[:64]!r}")
    return from_datetime(wall) - _offset_us(match)


def _wall(day: str, time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _offset_us(match: re.Match[str]) -> int:
    if match["sign"] is None:
        return 0
    seconds = int(match["hours"]) * 3600 + int(match["minutes"]) * 60
    return (-seconds if match["sign"] == "-" else seconds) * SECOND_US


def query_text(us: int) -> str:
    """`2026-11-22T10:00:00Z`."""
    return to_datetime(us).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(1024)  # files of one publication have one time, and links of one listing
def item_text(us: int) -> str:
    """`2026-11-22T10:00:00.000Z`."""
    return to_datetime(us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
