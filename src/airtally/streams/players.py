"""Players: the machines that show media."""

from __future__ import annotations

from airtally.streams.declaration import DESCRIPTION_BYTES, VERSION_COLUMNS, Column, Kind, Partition, Stream, Type

PLAYERS = Stream(
    name="players",
    kind=Kind.CHANGELOG,
    doc="The machines that show media, with their names and groups.",
    time="last_update_time_utc",
    key=("player_id",),
    entity=("player_id",),
    partition=Partition.NONE,
    columns=(
        Column("player_id", Type.INT64, "The player's number.", required=True),
        Column("name", Type.TEXT, "Display name.", required=True),
        Column("description", Type.TEXT, "Where it stands, or what it is for.", max_bytes=DESCRIPTION_BYTES),
        Column("platform", Type.TEXT, "Operating system or kind of device."),
        Column("group_id", Type.INT64, "The group it belongs to."),
        Column("group_name", Type.TEXT, "That group's name."),
        Column("last_contact_at", Type.TIME, "When the player last contacted the server."),
        Column("last_log_at", Type.TIME, "When its last log arrived."),
        *VERSION_COLUMNS,
    ),
)
