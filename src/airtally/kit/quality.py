"""Headers that say how current an answer is, for vendors whose bodies have no place for it."""

from __future__ import annotations

from airtally.kit.time import to_datetime


def quality_headers(*, data_through_us: int | None, generated_at_us: int, timezone: str) -> dict[str, str]:
    """`Airtally-Data-Through`: the answer includes all rows received by then. Times are RFC 3339, UTC."""
    headers = {"Airtally-Generated-At": rfc3339(generated_at_us), "Airtally-Timezone": timezone}
    if data_through_us is not None:
        headers["Airtally-Data-Through"] = rfc3339(data_through_us)
    return headers


def rfc3339(us: int) -> str:
    """As `2026-11-02T09:15:00.123456Z`."""
    return to_datetime(us).isoformat(timespec="microseconds").replace("+00:00", "Z")
