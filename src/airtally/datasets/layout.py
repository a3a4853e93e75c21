"""How a dataset stream looks in a file: its table, the columns in the vendor's order, the time its days are of."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.streams import CATALOG, PLAYBACK, SUBSCRIPTIONS
from airtally.streams.declaration import Column, Stream

BUSINESS = "business_id"


@dataclass(frozen=True, slots=True)
class Layout:
    """`time` names the column whose UTC dates are the report dates (docs/vendors/slate.md#7)."""

    stream: Stream
    table: str
    time: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """The stream's own columns without the business: all rows of a file have the same."""
        return tuple(column for column in self.stream.columns if column.name != BUSINESS)


LAYOUTS = {
    layout.stream.name: layout
    for layout in (
        Layout(SUBSCRIPTIONS, "subscription_event_log", "subscription_event_time_utc"),
        Layout(PLAYBACK, "playback_event_log", "start_segment_utc"),
        Layout(CATALOG, "catalog_event_log", "last_update_time_utc"),
    )
}
