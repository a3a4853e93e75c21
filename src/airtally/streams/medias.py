"""Medias: what players show."""

from __future__ import annotations

import msgspec

from airtally.streams.declaration import (
    DESCRIPTION_BYTES,
    LONG_TEXT_BYTES,
    VERSION_COLUMNS,
    Column,
    Kind,
    Partition,
    Stream,
    Type,
)


class Category(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of `categories`."""

    id: int
    name: str


MEDIAS = Stream(
    name="medias",
    kind=Kind.CHANGELOG,
    doc="What players show.",
    time="last_update_time_utc",
    key=("media_id",),
    entity=("media_id",),
    partition=Partition.NONE,
    columns=(
        Column("media_id", Type.INT64, "The media's number.", required=True),
        Column("name", Type.TEXT, "Display name.", required=True),
        Column("description", Type.TEXT, "What it is about.", max_bytes=DESCRIPTION_BYTES),
        Column("file", Type.TEXT, "Path or address of its file.", max_bytes=LONG_TEXT_BYTES),
        Column("duration_seconds", Type.INT64, "Its length in seconds."),
        Column(
            "categories",
            Type.JSON,
            "The categories it is filed under.",
            json=list[Category],
            json_says="list of objects with `id` (int64) and `name` (text)",
        ),
        *VERSION_COLUMNS,
    ),
)
