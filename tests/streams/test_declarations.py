from __future__ import annotations

import hashlib
import re

import pyarrow as pa
import pytest

from airtally.streams import STREAMS
from airtally.streams.declaration import Column, Kind, Owned, Partition, Stream, Type
from airtally.streams.evolution import SERVER_COLUMNS_VERSION

VERSION = ("create_time_utc", "last_update_time_utc", "is_deleted")

COLUMNS = {
    "playlogs": "id? player_id media_id played_at type? ip? duration_seconds?",
    "players": "player_id name description? platform? group_id? group_name? last_contact_at? last_log_at?",
    "medias": "media_id name description? file? duration_seconds? categories?",
    "subscriptions": """business_id subscription_event_id subscription_event_type? subscription_event_time_utc?
        subscription_event_time_zone? cid? offer_id? offer_name? offer_type? offer_marketplace? offer_billing_type?
        offer_payment_amount? benefit_id? channel_label? channel_tier_label? is_promo?""",
    "playback": """business_id session_id marketplace_id? marketplace_desc? cid? benefit_id? catalog_id?
        subscription_offer_id? subscription_event_id? start_segment_utc? end_segment_utc? seconds_viewed?
        position_start? position_end? connection_type? stream_type? device_class? device_sub_class? geo_dma?
        playback_method? quality? event_type?""",
    "catalog": """business_id id marketplace_id? benefit_id? title? vendor_sku? season? episode? episode_name?
        runtime_minutes? live_linear_channel_name? content_type? content_quality? content_group?""",
    "ad_groups": "ad_group_id name platform secondary_offer_id?",
    "ad_events": "id? ad_group_id time kind country? count? spend?",
    "viewer_apps": "app app_id?",
    "viewer_samples": "app video_url server time viewers",
    "applications": "application name?",
    "app_events": "id? application event time hwid? user_id? count? attributes?",
    "devices": "application hwid device_type? push_token? language? timezone_seconds? user_id? email?",
    "device_tags": "application? hwid tag value?",
}


def test_all_fourteen_streams_are_declared() -> None:
    assert set(STREAMS) == set(COLUMNS)
    assert all(name == stream.name for name, stream in STREAMS.items())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_stream_has_its_columns_and_no_others(name: str) -> None:
    stream = STREAMS[name]
    expected = set(COLUMNS[name].split())
    if stream.kind is Kind.CHANGELOG:
        expected |= {f"{each}?" for each in VERSION}
    assert {each.name if each.required else f"{each.name}?" for each in stream.columns} == expected


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_declaration_is_sound(stream: Stream) -> None:
    assert re.fullmatch(r"[a-z_]+", stream.name)
    assert stream.doc.endswith(".")
    assert all(column.doc for column in stream.columns)
    assert len(stream.stored_schema) <= 32, "Delta keeps statistics of the first 32 columns"
    assert bool(stream.key) == (stream.kind is Kind.CHANGELOG)
    assert bool(stream.identity) == (stream.kind is Kind.EVENT)
    if stream.kind is Kind.CHANGELOG:
        assert tuple(column.name for column in stream.columns[-3:]) == VERSION
        assert stream.time == "last_update_time_utc"
        assert stream.partition is not Partition.EVENT_DAY
    else:
        assert stream.column(stream.time).required
    for column in stream.columns:
        assert column.default is None or pa.scalar(column.default, column.type.arrow).is_valid


def test_retention_is_what_the_streams_promise() -> None:
    assert {name: stream.retention_days for name, stream in STREAMS.items() if stream.retention_days} == {
        "viewer_samples": 15,
        "ad_events": 731,
    }


def test_a_declaration_that_contradicts_itself_is_refused() -> None:
    columns = (Column("time", Type.TIME, required=True),)
    with pytest.raises(ValueError, match="no column id"):
        Stream("odd", Kind.EVENT, "Odd.", columns, time="time", identity=("id",))
    with pytest.raises(ValueError, match="no column code"):
        Stream("odd", Kind.EVENT, "Odd.", columns, time="time", owned=Owned("application", "code"))
    with pytest.raises(ValueError, match="without pattern_says"):
        Column("code", Type.TEXT, pattern="[a-z]")
    with pytest.raises(ValueError, match="needs json and json_says"):
        Column("more", Type.JSON)


#: The version of each stream and a digest of its columns. A change of a digest needs a new version, and a step
#: in the stream's `steps` where more was done than adding a column: homes of earlier releases hold rows from before.
STORED = {
    "ad_events": (1, "6821938573f9"),
    "ad_groups": (1, "61084cdf951c"),
    "app_events": (1, "3edba8d460ca"),
    "applications": (1, "0dd45c9918a6"),
    "catalog": (1, "0f5059e11ead"),
    "device_tags": (1, "53def8f12d68"),
    "devices": (1, "b48e95218963"),
    "medias": (1, "510e8da25d5b"),
    "playback": (1, "4d3088f8e46f"),
    "players": (1, "28ea77820396"),
    "playlogs": (1, "5c1231494038"),
    "subscriptions": (1, "d4b6e584525e"),
    "viewer_apps": (1, "eab27a88e948"),
    "viewer_samples": (1, "47117e7232e9"),
}


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_changed_schema_has_a_new_version(name):
    stream = STREAMS[name]
    fields = "\n".join(f"{field.name} {field.type}" for field in stream.row_schema)
    assert (stream.version, hashlib.sha256(fields.encode()).hexdigest()[:12]) == STORED[name]


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_changed_columns_of_the_server_have_a_new_version(name):
    """They need a step in `SERVER_STEPS`, as a stream's own columns need one in its `steps`."""
    stream = STREAMS[name]
    added = {field.name: str(field.type) for field in stream.stored_schema if field.name not in stream.by_name}
    added.pop("day", None)
    text, time = "string", "timestamp[us, tz=UTC]"
    assert SERVER_COLUMNS_VERSION == 2
    assert added == {"account": text, "received_at": time, "writer_id": text, "sequence": "int64"}
