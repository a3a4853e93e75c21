"""Viewer samples: how many watched what on which server, minute by minute."""

from __future__ import annotations

from airtally.streams.declaration import LONG_TEXT_BYTES, Column, Kind, Stream, Type
from airtally.streams.rollup import DAY_US, HOUR_US, MINUTE_US, Function, Measure, Rollup

_DIMENSIONS = ("app", "video_url", "server")
_MEASURES = (
    Measure("samples"),
    Measure("viewers_sum", Function.SUM, "viewers"),
    Measure("viewers_min", Function.MIN, "viewers"),
    Measure("viewers_max", Function.MAX, "viewers"),
)

#: As in release 0.1.0, by UTC days only.
_UTC_DAYS = Rollup("viewer_samples_day", DAY_US, _DIMENSIONS, _MEASURES)

VIEWER_SAMPLES = Stream(
    name="viewer_samples",
    kind=Kind.EVENT,
    doc="One server's count of the viewers of one stream or file in one minute; sent again, it replaces the earlier.",
    time="time",
    identity=("app", "video_url", "server", "time"),
    entity=("app", "video_url"),
    retention_days=15,
    rollups=(
        Rollup("viewer_samples_day", DAY_US, _DIMENSIONS, _MEASURES, local=True, version=2, earlier=_UTC_DAYS),
        Rollup("viewer_samples_hour", HOUR_US, _DIMENSIONS, _MEASURES, retention_days=45),
        Rollup("viewer_samples_minute", MINUTE_US, _DIMENSIONS, _MEASURES, retention_days=15),
    ),
    columns=(
        Column("app", Type.TEXT, "The application; it need not be declared in `viewer_apps`.", required=True),
        Column("video_url", Type.TEXT, "Stream name or file path.", required=True, max_bytes=LONG_TEXT_BYTES),
        Column(
            "server",
            Type.TEXT,
            "The server that counted; empty for one without a name.",
            required=True,
            may_be_empty=True,
        ),
        Column("time", Type.TIME, "The minute.", required=True, cut_to_minute=True),
        Column("viewers", Type.INT64, "Viewers in that minute; 0 is a sample.", required=True, minimum=0),
    ),
)
