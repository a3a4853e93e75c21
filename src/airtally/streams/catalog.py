"""Catalog: titles, a dataset of the Slate API."""

from __future__ import annotations

from airtally.streams.declaration import LONG_TEXT_BYTES, VERSION_COLUMNS, Column, Kind, Partition, Stream, Type

CATALOG = Stream(
    name="catalog",
    kind=Kind.CHANGELOG,
    doc="Titles that can be streamed, and how they are described.",
    time="last_update_time_utc",
    key=("business_id", "id"),
    entity=("business_id", "id"),
    partition=Partition.ARRIVAL_DAY,
    business="business_id",
    columns=(
        Column("business_id", Type.TEXT, "The channel or studio it belongs to; it must exist.", required=True),
        Column("id", Type.TEXT, "Unique id of the title.", required=True),
        Column("marketplace_id", Type.INT64, "Marketplace of the offer."),
        Column("benefit_id", Type.TEXT, "Benefit that the content comes with."),
        Column("title", Type.TEXT, "Title of the series or movie.", max_bytes=LONG_TEXT_BYTES),
        Column("vendor_sku", Type.TEXT, "The supplier's id of the movie or episode."),
        Column("season", Type.INT64, "Season, of a series."),
        Column("episode", Type.INT64, "Episode, of a series."),
        Column("episode_name", Type.TEXT, "Name of the episode."),
        Column("runtime_minutes", Type.INT64, "Running time in minutes."),
        Column("live_linear_channel_name", Type.TEXT, "Channel, of live content."),
        Column("content_type", Type.TEXT, "Series or movie."),
        Column("content_quality", Type.TEXT, "Picture quality."),
        Column("content_group", Type.TEXT, "Group the content is sold in."),
        *VERSION_COLUMNS,
    ),
)
