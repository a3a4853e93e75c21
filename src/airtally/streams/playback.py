"""Playback: streaming sessions, a dataset of the Slate API."""

from __future__ import annotations

from airtally.streams.declaration import VERSION_COLUMNS, Column, Kind, Partition, Stream, Type

PLAYBACK = Stream(
    name="playback",
    kind=Kind.CHANGELOG,
    doc="Streaming sessions of channel customers.",
    time="last_update_time_utc",
    key=("business_id", "session_id"),
    entity=("business_id", "session_id"),
    partition=Partition.ARRIVAL_DAY,
    business="business_id",
    columns=(
        Column("business_id", Type.TEXT, "The channel or studio it belongs to; it must exist.", required=True),
        Column("session_id", Type.TEXT, "Unique id of the session.", required=True),
        Column("marketplace_id", Type.INT64, "Marketplace of the playback."),
        Column("marketplace_desc", Type.TEXT, "That marketplace's name."),
        Column("cid", Type.TEXT, "Anonymous user, as in the stream `subscriptions`.", identifies="cid"),
        Column("benefit_id", Type.TEXT, "Benefit of the streamed content."),
        Column("catalog_id", Type.TEXT, "The title, as `id` in the stream `catalog`."),
        Column("subscription_offer_id", Type.TEXT, "Offer of the customer's subscription at the time."),
        Column("subscription_event_id", Type.TEXT, "The subscription event that gives the status at the time."),
        Column("start_segment_utc", Type.TIME, "Start of the played segment."),
        Column("end_segment_utc", Type.TIME, "End of the played segment."),
        Column("seconds_viewed", Type.INT64, "Seconds streamed."),
        Column("position_start", Type.DOUBLE, "Second in the content where streaming began."),
        Column("position_end", Type.DOUBLE, "Second in the content where it ended."),
        Column("connection_type", Type.TEXT, "Connection used."),
        Column("stream_type", Type.TEXT, "On demand, live or just after broadcast."),
        Column("device_class", Type.TEXT, "Broad kind of device."),
        Column("device_sub_class", Type.TEXT, "Finer kind of device."),
        Column("geo_dma", Type.TEXT, "Three-digit designated market area, with its leading zeros."),
        Column("playback_method", Type.TEXT, "Online or offline."),
        Column("quality", Type.TEXT, "Picture quality."),
        Column("event_type", Type.TEXT, "Kind of event."),
        *VERSION_COLUMNS,
    ),
)
