"""The legacy report: the ids of all ad groups, with the figures of one day.

docs/vendors/tapjoy.md#7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import numpy as np

from airtally.accounts.keys import Keys, Principal
from airtally.kit import attempts
from airtally.kit.errors import Unauthorized
from airtally.kit.time import DAY_US, HOUR_US, SECOND_US, day_start_us, utc_day
from airtally.query.answering import Answer
from airtally.query.narrow import plain_rows
from airtally.query.question import Dimension, Question
from airtally.sql.case import folded
from airtally.streams import AD_EVENTS
from airtally.vendors.tapjoy.auth import KIND
from airtally.vendors.tapjoy.choices import CHOICES
from airtally.vendors.tapjoy.errors import InvalidParameters
from airtally.vendors.tapjoy.query import METRICS, SPEND
from airtally.vendors.tapjoy.series import cents
from airtally.vendors.tapjoy.times import earliest

API_KEY, EMAIL, DATE, ZONE, PAGE, PAGE_SIZE = "api_key", "email", "date", "timezone", "page", "page_size"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ZONE = re.compile(r"(?P<sign>[+\- ]?)(?P<hours>[0-9]{1,2})")  # a plus sign that was not encoded is a space
_NOTHING = {metric.name: 0 for metric in METRICS}


@dataclass(frozen=True, slots=True)
class DayAsked:
    """A calendar day at a whole number of hours from UTC, and one page of the listing."""

    day: date
    start_us: int
    page: int
    page_size: int

    def pages_of(self, total: int) -> int:
        return max(1, -(-total // self.page_size))


def report_holder(keys: Keys, query: Mapping[str, str]) -> Principal:
    """The holder of `api_key`: a reporting key, or a legacy key imported with it. Raises Unauthorized."""
    key, email = query.get(API_KEY, ""), query.get(EMAIL, "")
    principal = (keys.authenticate(KIND, key) or keys.authenticate_token(KIND, "legacy", key)) if key else None
    wanted = None if principal is None else principal.details.get("email")
    if principal is None or (wanted is not None and folded(wanted) != folded(email.strip())):
        if key:
            attempts.note(right=False)  # where an e-mail address was imported it must match too
        raise Unauthorized(CHOICES.unauthorized)
    return principal


def read_day(query: Mapping[str, str], now_us: int) -> DayAsked:
    """Raises InvalidParameters."""
    problems: list[str] = []
    hours = _hours(query.get(ZONE) or "0", problems)
    day = _day(query.get(DATE) or utc_day(now_us + hours * HOUR_US).isoformat(), now_us, problems)
    page = _whole_param(query, PAGE, 1, problems)
    size = min(_whole_param(query, PAGE_SIZE, CHOICES.default_page_size, problems), CHOICES.largest_page_size)
    if problems or day is None:
        raise InvalidParameters(problems)
    return DayAsked(day, day_start_us(day) - hours * HOUR_US, page, size)


def question(account: str, asked: DayAsked, now_us: int) -> Question:
    """The query for the figures of every ad group; for a day in the future it matches none."""
    start_us = min(asked.start_us, now_us // DAY_US * DAY_US + 2 * DAY_US)
    return Question(
        stream=AD_EVENTS,
        account=account,
        metrics=METRICS,
        dimensions=(Dimension("ad_group_id"),),
        start_us=start_us,
        end_us=start_us + DAY_US,
    )


def report_body(groups: Any, answer: Answer, asked: DayAsked) -> bytes:
    """`groups` are the declared ad groups (`AD_GROUPS.row_schema`), in order of their ids."""
    figures = {row["ad_group_id"]: row for row in plain_rows(answer.table)}
    first = (asked.page - 1) * asked.page_size
    shown = groups.slice(min(first, groups.num_rows), asked.page_size).to_pylist()
    apps = [_app(group, figures.get(folded(group["ad_group_id"]), _NOTHING)) for group in shown]
    body = {"Date": asked.day.isoformat(), "TotalPages": asked.pages_of(groups.num_rows), "Apps": apps}
    return msgspec.json.encode(body)


def _app(group: Mapping[str, Any], figures: Mapping[str, int]) -> dict[str, Any]:
    """A conversion is what the legacy report calls a paid install; store ids are not kept here."""
    return {
        "AppKey": group["ad_group_id"],
        "Name": group["name"],
        "AppName": group["name"],
        "AppStoreID": "",
        "Platform": group["platform"],
        "PaidClicks": figures["paid_clicks"],
        "PaidInstalls": figures["global_conversions"],
        "Spend": msgspec.Raw(_money(figures[SPEND]).encode()),
    }


def _money(micros: int) -> str:
    """Money with the opposite sign, rounded to cents, as `installs_spend` has it."""
    whole, fraction = divmod(abs(rounded := int(cents(np.array([-micros], object))[0])), 100)
    text = f"{whole}.{fraction:02}".rstrip("0").rstrip(".") if fraction else str(whole)
    return f"-{text}" if rounded < 0 else text


def _day(text: str, now_us: int, problems: list[str]) -> date | None:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        problems.append(f"{DATE} must be a day such as 2026-11-20")
    elif day_start_us(day) < earliest(now_us) * SECOND_US:
        problems.append(f"{DATE} is more than {CHOICES.years_back} years ago")
    return day


def _hours(text: str, problems: list[str]) -> int:
    found = _ZONE.fullmatch(text)
    hours = int(found["hours"]) * (-1 if found["sign"] == "-" else 1) if found else 99
    if not CHOICES.least_offset <= hours * 3600 <= CHOICES.largest_offset:
        problems.append(f"{ZONE} must be whole hours from UTC, such as 0 or +8")
        return 0
    return hours


def _whole_param(query: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = query.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        problems.append(f"{name} must be a whole number, 1 or more")
        return default
    return int(text)
