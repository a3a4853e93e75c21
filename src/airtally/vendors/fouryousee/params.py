"""Parses a report request; an error names every rule that it breaks.

docs/vendors/fouryousee.md#5.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import msgspec

from airtally.kit.outgoing import OutgoingRefused, check_url
from airtally.kit.sent_json import decode_sent
from airtally.reports.requests import PlayFilter, ReportRequest
from airtally.vendors.fouryousee.choices import CHOICES
from airtally.vendors.fouryousee.errors import InvalidReport

#: Fields of the body, and of its filter.
TYPE, WEBHOOK, FILTER = "type", "webhook", "filter"
START_DATE, START_TIME, END_DATE, END_TIME, MEDIA_ID, PLAYER_ID, SORT = PlayFilter.__struct_encode_fields__

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_DIGITS = re.compile(r"[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)


def read_report_request(body: bytes) -> ReportRequest:
    """Raises InvalidReport with one text for each problem. Unknown fields are ignored."""
    given = _object(body)
    problems: list[str] = []
    if given.get(TYPE, CHOICES.report_types[0]) not in CHOICES.report_types:
        problems.append(f"{TYPE} must be " + " or ".join(CHOICES.report_types))
    webhook = _webhook(given.get(WEBHOOK), problems)
    asked = given.get(FILTER)
    if not isinstance(asked, dict):
        raise InvalidReport([*problems, "filter is required and must be an object"])
    plays = _filter(asked, problems)
    if problems:
        raise InvalidReport(problems)
    return ReportRequest(plays, webhook, CHOICES.report_types[0], CHOICES.report_format)


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = decode_sent(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidReport(["The body must be JSON"]) from None
    if not isinstance(given, dict):
        raise InvalidReport(["The body must be a JSON object"])
    return given


def _webhook(given: Any, problems: list[str]) -> str | None:
    if given is None or given == "":
        return None
    if isinstance(given, str) and len(given) <= CHOICES.webhook_characters and _is_target(given):
        return given
    problems.append("webhook must be an absolute http or https URL")
    return None


def _is_target(url: str) -> bool:
    try:
        check_url(url)
    except OutgoingRefused:
        return False
    return True


def _filter(asked: dict[str, Any], problems: list[str]) -> PlayFilter:
    plays = PlayFilter(
        start_date=_date(asked, START_DATE, problems),
        start_time=_time(asked, START_TIME, CHOICES.start_time, problems),
        end_date=_date(asked, END_DATE, problems),
        end_time=_time(asked, END_TIME, CHOICES.end_time, problems),
        media_id=_ids(asked, MEDIA_ID, problems),
        player_id=_ids(asked, PLAYER_ID, problems),
        sort=_sort(asked, problems),
    )
    if not problems:
        _check_interval(plays, problems)
    return plays


def _check_interval(plays: PlayFilter, problems: list[str]) -> None:
    if (plays.end_date, plays.end_time) < (plays.start_date, plays.start_time):
        problems.append("The end of the interval is before its start")
    longest = timedelta(days=CHOICES.longest_days)
    if date.fromisoformat(plays.end_date) - date.fromisoformat(plays.start_date) > longest:
        problems.append(f"The maximum interval is {CHOICES.longest_days} days")


def _date(asked: dict[str, Any], name: str, problems: list[str]) -> str:
    given = asked.get(name)
    if isinstance(given, str) and DATE.fullmatch(given) and _is_day(given):
        return given
    problems.append(f"filter.{name} must be a date such as 2026-10-01")
    return ""


def _is_day(text: str) -> bool:
    """A calendar date whose next day exists too."""
    try:
        return date.fromisoformat(text) < date.max
    except ValueError:
        return False


def _time(asked: dict[str, Any], name: str, default: str, problems: list[str]) -> str:
    given = asked.get(name, default)
    match = TIME.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        problems.append(f"filter.{name} must be a time such as 23:59:59")
        return default
    return match[0] if match[1] else match[0] + ":00"


def _ids(asked: dict[str, Any], name: str, problems: list[str]) -> tuple[int, ...]:
    given = asked.get(name)
    found = [_id(each) for each in given] if isinstance(given, list) else [None]
    if given is None:
        return ()
    if any(each is None for each in found):
        problems.append(f"filter.{name} must be an array of integers")
        return ()
    return tuple(each for each in found if each is not None)


def _id(given: Any) -> int | None:
    if isinstance(given, str) and _DIGITS.fullmatch(given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or given not in _INT64:
        return None
    return given


def _sort(asked: dict[str, Any], problems: list[str]) -> int:
    given = asked.get(SORT, CHOICES.sort)
    if isinstance(given, bool) or not isinstance(given, int) or given not in {-1, 1}:
        problems.append(f"filter.{SORT} must be -1 or 1")
        return CHOICES.sort
    return given
