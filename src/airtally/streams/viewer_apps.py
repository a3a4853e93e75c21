"""Viewer apps: the delivery applications of the ScaleEngine API."""

from __future__ import annotations

from airtally.streams.declaration import VERSION_COLUMNS, Column, Kind, Partition, Stream, Type

VIEWER_APPS = Stream(
    name="viewer_apps",
    kind=Kind.CHANGELOG,
    doc="Applications that deliver streams and files, with their numbers.",
    time="last_update_time_utc",
    key=("app",),
    entity=("app",),
    partition=Partition.NONE,
    columns=(
        Column("app", Type.TEXT, "The application's name.", required=True),
        Column("app_id", Type.INT64, "Its number, unique in the account."),
        *VERSION_COLUMNS,
    ),
)
