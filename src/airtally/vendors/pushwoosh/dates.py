"""Dates as clients write them; all are UTC.

docs/vendors/pushwoosh.md#3.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from airtally.kit.time import HOUR_US, from_datetime
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.errors import Fault

DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?))?")


def moment(text: str) -> tuple[datetime, bool]:
    """A date or date and time, and whether it has a time. Raises ValueError."""
    match = DATE.fullmatch(text)
    if match is None:
        raise ValueError("no date")
    found = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}").replace(tzinfo=UTC)
    return found, match[2] is not None


def period(date_from: object, date_to: object) -> tuple[int, int]:
    """The hours from the one to the other, both included: start and end in microseconds. Raises Fault."""
    start_us, last_us = _hour_us(date_from, first=True), _hour_us(date_to, first=False)
    if start_us > last_us:
        raise Fault(CHOICES.dates_reversed)
    end_us = last_us + HOUR_US
    if end_us - start_us > CHOICES.longest_days * 24 * HOUR_US:
        raise Fault(CHOICES.period_too_long)
    return start_us, end_us


def _hour_us(text: object, *, first: bool) -> int:
    """The hour that a time lies in; of a day its first or its last."""
    try:
        found, timed = moment(text if isinstance(text, str) else "")
    except ValueError:
        raise Fault(CHOICES.bad_date) from None
    if not timed and not first:
        found = found.replace(hour=23)
    return from_datetime(found) // HOUR_US * HOUR_US
