"""Proof of play: one row for each time a player showed a media."""

from airtally.streams.declaration import Column, Kind, Stream, Type

PLAYLOGS = Stream(
    name="playlogs",
    kind=Kind.EVENT,
    doc="One row for each time a player showed a media.",
    time="played_at",
    identity=("id",),
    entity=("player_id",),
    columns=(
        Column("player_id", Type.INT64, "The player, as in the stream `players`.", required=True),
        Column("played_at", Type.LOCAL_TIME, "Start of the play on the player's wall clock.", required=True),
        Column("id", Type.TEXT, "The same id on the same day is the same play."),
        Column("media_id", Type.INT64, "The media, as in the stream `medias`.", required=True),
        Column(
            "type",
            Type.TEXT,
            "Kind of play.",
            default="I",
            pattern="[A-Za-z0-9]{1,2}",
            pattern_says="1 or 2 letters or digits",
        ),
        Column(
            "ip",
            Type.TEXT,
            "IPv4 address of the player.",
            default="0.0.0.0",  # noqa: S104 (the vendor's word for "unknown")
            pattern=r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)",
            pattern_says="an IPv4 address",
        ),
        Column("duration_seconds", Type.DOUBLE, "Length of the play in seconds."),
    ),
)
