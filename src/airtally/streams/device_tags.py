"""Device tags: what is known of a device's user."""

from __future__ import annotations

from airtally.streams.declaration import LONG_TEXT_BYTES, VERSION_COLUMNS, Column, Kind, Owned, Partition, Stream, Type

DEVICE_TAGS = Stream(
    name="device_tags",
    kind=Kind.CHANGELOG,
    doc="Tags that devices carry, with their values.",
    time="last_update_time_utc",
    key=("application", "hwid", "tag"),
    entity=("application", "hwid"),
    partition=Partition.ARRIVAL_DAY,
    owned=Owned("application", "application"),
    columns=(
        Column("application", Type.TEXT, "The application's code; null for a tag that all applications share."),
        Column("hwid", Type.TEXT, "The device.", required=True, identifies="hwid"),
        Column("tag", Type.TEXT, "Name of the tag.", required=True),
        Column(
            "value",
            Type.JSON,
            "Its value; null removes it.",
            max_bytes=LONG_TEXT_BYTES,
            json=str | int | float | bool | list[str],
            json_says="string, number, boolean, list of strings or null",
        ),
        *VERSION_COLUMNS,
    ),
)
