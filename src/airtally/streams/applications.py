"""Applications: the push-enabled apps of the Pushwoosh API."""

from __future__ import annotations

from airtally.streams.declaration import VERSION_COLUMNS, Column, Kind, Owned, Partition, Stream, Type

APPLICATIONS = Stream(
    name="applications",
    kind=Kind.CHANGELOG,
    doc="Push-enabled apps. A code belongs to the account that declared it first.",
    time="last_update_time_utc",
    key=("application",),
    entity=("application",),
    partition=Partition.NONE,
    owned=Owned("application", "application", declares=True),
    columns=(
        Column("application", Type.TEXT, "The application's code, unique on the host.", required=True),
        Column("name", Type.TEXT, "Display name."),
        *VERSION_COLUMNS,
    ),
)
