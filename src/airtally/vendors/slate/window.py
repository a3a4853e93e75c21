"""Parses the publication times that a file listing is asked for.

docs/vendors/slate.md#5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airtally.kit.time import DAY_US, SECOND_US
from airtally.vendors.slate.choices import CHOICES
from airtally.vendors.slate.dates import moment, query_text

START, END = "startDateTime", "endDateTime"


@dataclass(frozen=True, slots=True)
class ListingWindow:
    """Both bounds are included; microseconds UTC, whole seconds."""

    start_us: int
    end_us: int

    def filters(self) -> dict[str, str]:
        """The bounds as query parameters of the next page, so that all pages list one closed set of files."""
        return {START: query_text(self.start_us), END: query_text(self.end_us)}


def window(query: Mapping[str, str], now_us: int) -> ListingWindow:
    """Never later than now, never earlier than what is kept. Raises BadRequest.

    A start that was the limit when the first page was read still counts while the others are.
    """
    now = now_us // SECOND_US * SECOND_US
    oldest = now - CHOICES.retention_days * DAY_US
    start = moment(START, query[START]) if START in query else oldest
    end = moment(END, query[END]) if END in query else now
    if start < oldest - CHOICES.retention_grace_seconds * SECOND_US:
        start = oldest
    return ListingWindow(min(start, now + SECOND_US), max(min(end, now), 0))
