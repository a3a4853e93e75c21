"""Viewer samples: how many watched what on which server, minute by minute."""

from __future__ import annotations

from airtally.streams.declaration import LONG_TEXT_BYTES, Column, Kind, Stream, Type

VIEWER_SAMPLES = Stream(
    name="viewer_samples",
    kind=Kind.EVENT,
    doc="One server's count of the viewers of one stream or file in one minute; sent again, it replaces the earlier.",
    time="time",
    identity=("app", "video_url", "server", "time"),
    entity=("app", "video_url"),
    retention_days=15,
    columns=(
        Column("app", Type.TEXT, "The application; one that was not declared exists by its name.", required=True),
        Column("video_url", Type.TEXT, "Stream name or file path.", required=True, max_bytes=LONG_TEXT_BYTES),
        Column("server", Type.TEXT, "The server that counted.", required=True),
        Column("time", Type.TIME, "The minute.", required=True, cut_to_minute=True),
        Column("viewers", Type.INT64, "Viewers in that minute; 0 is a sample.", required=True, minimum=0),
    ),
)
