"""App events: what users did in an application."""

from __future__ import annotations

from dataclasses import replace

from airtally.streams.declaration import LONG_TEXT_BYTES, Column, Kind, Owned, Stream, Type
from airtally.streams.rollup import QUARTER_US, Function, Measure, Rollup

#: As in release 0.1.0, which counted all events with an empty id as one and folded ids by Unicode's rules.
_BEFORE = Rollup(
    "app_events_quarter",
    QUARTER_US,
    ("application", "event"),
    (Measure("triggers", Function.SUM, "count"), Measure("events")),
    mended=True,
)
_QUARTERS = replace(_BEFORE, mended=False, version=2, earlier=_BEFORE)

APP_EVENTS = Stream(
    name="app_events",
    kind=Kind.EVENT,
    doc="What users did in an application.",
    time="time",
    identity=("id",),
    entity=("application", "event"),
    owned=Owned("application", "application"),
    rollups=(_QUARTERS,),
    columns=(
        Column("application", Type.TEXT, "The application's code.", required=True),
        Column("event", Type.TEXT, "Name of the event.", required=True),
        Column("time", Type.TIME, "When it happened.", required=True),
        Column("id", Type.TEXT, "The same id on the same UTC day is the same event."),
        Column("hwid", Type.TEXT, "The device.", identifies="hwid"),
        Column("user_id", Type.TEXT, "The user.", identifies="user_id"),
        Column("count", Type.INT64, "How many events the row stands for.", default=1, minimum=0),
        Column(
            "attributes",
            Type.JSON,
            "Further facts about the event, by name.",
            max_bytes=LONG_TEXT_BYTES,
            json=dict[str, str | int | float | bool | list[str]],
            json_says="object of string, number, boolean or list of strings",
        ),
    ),
)
