"""When a delivery that failed is tried again: the recommended schedule, and what a receiver asks for."""

from __future__ import annotations

import zlib
from email.utils import parsedate_to_datetime

from airtally.kit.time import SECOND_US, from_datetime

#: Seconds before tries 2 to 10, as Standard Webhooks recommends: 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h.
STANDARD_WAITS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
#: Added to a wait at most, so that deliveries that failed together are not all tried again together.
_JITTER = 0.1
#: A receiver's `Retry-After` counts for so long at most.
MOST_RETRY_AFTER_US = 24 * 3600 * SECOND_US


def jittered_us(wait: float, delivery_id: int, attempt: int) -> int:
    """A wait of `wait` seconds and up to a tenth more, in microseconds: the same for a delivery whenever asked."""
    share = zlib.crc32(f"{delivery_id}.{attempt}".encode()) / 0xFFFFFFFF
    return round(wait * (1 + _JITTER * share) * SECOND_US)


def earliest_us(resume_at: int | None, now_us: int) -> int:
    """When something is sent at the earliest to an endpoint that asked to wait until `resume_at`.

    A moment further ahead than any may ask for was noted before the clock was set back.
    """
    if resume_at is None or resume_at > now_us + MOST_RETRY_AFTER_US:
        return now_us
    return max(now_us, resume_at)


def retry_after_us(value: str | None, now_us: int) -> int | None:
    """Microseconds from the header `Retry-After` (seconds or a date), 24 h at most; None without a usable one."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        wanted = int(text[:10]) * SECOND_US
    else:
        try:
            wanted = from_datetime(parsedate_to_datetime(text)) - now_us
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(wanted, 0), MOST_RETRY_AFTER_US)
