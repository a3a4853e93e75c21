"""Times in bodies of the native API: RFC 3339."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from airtally.kit.errors import Unprocessable
from airtally.kit.quality import rfc3339
from airtally.kit.time import from_datetime


@overload
def shown_moment(us: int) -> str: ...
@overload
def shown_moment(us: None) -> None: ...
def shown_moment(us: int | None) -> str | None:
    """Microseconds UTC as `2026-11-02T09:15:00.123456Z`; None stays None."""
    return None if us is None else rfc3339(us)


def read_moment(text: str, field: str) -> int:
    """Microseconds UTC of a time with an offset. Raises Unprocessable, which names the field."""
    try:
        return from_datetime(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Unprocessable(
            f"`{field}` cannot be used: expected a time with an offset, such as 2026-11-02T09:15:00Z"
        ) from None
