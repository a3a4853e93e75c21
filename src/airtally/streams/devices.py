"""Devices: where an application is installed."""

from __future__ import annotations

from airtally.streams.declaration import (
    DESCRIPTION_BYTES,
    VERSION_COLUMNS,
    Column,
    Kind,
    Owned,
    Partition,
    Stream,
    Type,
)

DEVICES = Stream(
    name="devices",
    kind=Kind.CHANGELOG,
    doc="Installations of applications on devices.",
    time="last_update_time_utc",
    key=("application", "hwid"),
    entity=("application", "hwid"),
    partition=Partition.ARRIVAL_DAY,
    owned=Owned("application", "application"),
    columns=(
        Column("application", Type.TEXT, "The application's code.", required=True),
        Column("hwid", Type.TEXT, "The device.", required=True, identifies="hwid"),
        Column("device_type", Type.INT64, "Number of the device's type."),
        Column("push_token", Type.TEXT, "Token by which push messages reach the device.", max_bytes=DESCRIPTION_BYTES),
        Column("language", Type.TEXT, "The user's language."),
        Column("timezone_seconds", Type.INT64, "The device's offset from UTC in seconds."),
        Column("user_id", Type.TEXT, "The user.", identifies="user_id"),
        Column("email", Type.TEXT, "The user's address.", identifies="email"),
        *VERSION_COLUMNS,
    ),
)
