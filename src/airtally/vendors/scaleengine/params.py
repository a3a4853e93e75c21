"""Parses the members of a verified request.

docs/vendors/scaleengine.md#3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from airtally.kit.time import SECOND_US, from_datetime
from airtally.streams.declaration import LONG_TEXT_BYTES
from airtally.vendors.scaleengine.choices import CHOICES
from airtally.vendors.scaleengine.errors import invalid, missing

#: Members of the signed object.
COMMAND, APP, GRAPH, URL, SERVER, START_TIME = "command", "app", "graph", "url", "server", "starttime"
CDN, CDN_ID, API_KEY, TIMESTAMP = "cdn", "cdn_id", "api_key", "timestamp"

_DIGITS = re.compile(r"[0-9]{1,18}")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?"
)
_YEAR_10000 = 253_402_300_800


@dataclass(frozen=True, slots=True)
class Apps:
    """`digits`: names that may be meant as numbers."""

    names: frozenset[str]
    ids: frozenset[int]
    digits: frozenset[str]


@dataclass(frozen=True, slots=True)
class ViewerLogParams:
    """`exact` and `patterns` name streams and files, both empty: all. `servers` empty: all. `start_us` in UTC."""

    apps: Apps
    exact: tuple[str, ...]
    patterns: tuple[str, ...]
    servers: tuple[str, ...]
    graph: int
    start_us: int | None


def read_fields(members: Mapping[str, Any]) -> ViewerLogParams:
    """Raises ViewerLogRefused: first for what is missing, then for the first field that cannot be read."""
    absent = [name for name in (APP, GRAPH) if _is_empty(members.get(name))]
    if absent:
        raise missing(absent)
    apps = _apps(_listed(members, APP))
    exact, patterns = _urls(_text_list(members, URL))
    return ViewerLogParams(
        apps,
        exact,
        patterns,
        graph=_graph(members[GRAPH]),
        start_us=_start(members.get(START_TIME)),
        servers=_distinct(_text_list(members, SERVER)),
    )


def whole_number(value: object) -> int | None:
    """An int or digits; clients send settings as text."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_empty(value: object) -> bool:
    """As PHP's empty(), but 0 and false are values."""
    return value is None or value in ("", [], {})


def _listed(members: Mapping[str, Any], name: str) -> list[Any]:
    """A value alone or the values of an array; PHP writes an array with gaps as an object."""
    value = members.get(name)
    if _is_empty(value):
        return []
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _text_list(members: Mapping[str, Any], name: str) -> list[str]:
    found = _listed(members, name)
    if not all(isinstance(each, str) for each in found):
        raise invalid(name)
    return found


def _apps(found: list[Any]) -> Apps:
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in found):
        raise invalid(APP)
    names = {each for each in found if isinstance(each, str)}
    digits = {each for each in names if _DIGITS.fullmatch(each)}
    ids = {each for each in found if isinstance(each, int)}
    return Apps(frozenset(names - digits), frozenset(ids), frozenset(digits))


def _urls(found: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Exact names, and patterns with runs of `*` made one; what is longer than any name is as good as a name."""
    pieces = _distinct([re.sub(r"\*+", "*", piece) for each in found for piece in each.split("|") if piece])
    patterns = tuple(piece for piece in pieces if "*" in piece and len(piece) <= 2 * LONG_TEXT_BYTES)
    if len(patterns) > CHOICES.most_patterns:
        raise invalid(URL)
    return tuple(set(pieces).difference(patterns)), patterns


def _distinct(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _graph(value: object) -> int:
    number = whole_number(value)
    if number not in CHOICES.graphs:
        raise invalid(GRAPH)
    return number


def _start(value: object) -> int | None:
    if _is_empty(value):
        return None
    seconds = whole_number(value)
    if seconds is not None and 0 <= seconds < _YEAR_10000:
        return seconds * SECOND_US
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise invalid(START_TIME)
    *numbers, offset = match.groups()
    try:
        moment = datetime(*(int(each or 0) for each in numbers), tzinfo=_zone(offset))  # type: ignore[arg-type, misc]
        return from_datetime(moment)
    except (ValueError, OverflowError):
        raise invalid(START_TIME) from None


def _zone(offset: str | None) -> timezone:
    if offset is None or offset == "Z":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))
