from __future__ import annotations

import string
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.ingest.checked import Checked
from airtally.ingest.decode import read_rows
from airtally.ingest.times import FEW
from airtally.ingest.validate import Findings, _check_texts, check, text_error, too_old
from airtally.kit.time import from_datetime
from airtally.streams import STREAMS
from airtally.streams.declaration import Column, Type

PLAY = {"player_id": 1, "media_id": 2, "played_at": "2026-11-22T08:00:00"}
SAMPLE = {"app": "a", "video_url": "v", "server": "s", "time": "2026-11-22T08:11:59.9Z", "viewers": 0}
AD = {"ad_group_id": "g", "time": "2026-11-22T08:00:00Z", "kind": "install"}
EVENT = {"application": "A", "event": "e", "time": "2026-11-22T08:00:00Z"}


def read(stream: str, *rows: dict[str, Any]) -> Checked:
    body = b"\n".join(map(msgspec.json.encode, rows))
    return read_rows(STREAMS[stream], body, "application/x-ndjson")


def verdict(stream: str, row: dict[str, Any]) -> tuple[str | None, str] | dict[str, Any]:
    """The stored row, or the field and the error; alone and among many alike."""
    alone, among = read(stream, row), read(stream, *[row] * FEW)
    found: list[Any] = []
    for checked in (alone, among):
        if checked.errors:
            found.append((checked.errors[-1].field, checked.errors[-1].error))
        else:
            found.append(checked.rows.to_pylist()[-1])
    assert found[0] == found[1]
    return found[0]  # type: ignore[no-any-return]


def test_defaults_fill_what_is_absent_or_null() -> None:
    row = verdict("playlogs", PLAY | {"ip": None})
    assert isinstance(row, dict)
    assert (row["type"], row["ip"], row["duration_seconds"], row["id"]) == ("I", "0.0.0.0", None, None)


@pytest.mark.parametrize(
    ("stream", "row", "field", "error"),
    [
        ("playlogs", PLAY | {"player_id": "1"}, "player_id", "expected integer, got string"),
        ("playlogs", PLAY | {"player_id": True}, "player_id", "expected integer, got boolean"),
        ("playlogs", PLAY | {"player_id": 1.5}, "player_id", "expected integer, got number"),
        ("playlogs", PLAY | {"player_id": 2**63}, "player_id", "number out of range"),
        ("playlogs", PLAY | {"player_id": -(10**400)}, "player_id", "number out of range"),
        ("playlogs", PLAY | {"player_id": None}, "player_id", "required"),
        ("playlogs", {"player_id": 1, "media_id": 2}, "played_at", "required"),
        ("playlogs", PLAY | {"plaid_at": 1}, "plaid_at", "unknown field"),
        ("playlogs", PLAY | {"id": "x" * 257}, "id", "longer than 256 bytes"),
        ("playlogs", PLAY | {"id": "é" * 129}, "id", "longer than 256 bytes"),
        ("playlogs", PLAY | {"id": "a\0b"}, "id", "holds the character U+0000"),
        ("playlogs", PLAY | {"id": 5}, "id", "expected string, got number"),
        ("playlogs", PLAY | {"id": ["x"]}, "id", "expected string, got array"),
        ("playlogs", PLAY | {"type": "abc"}, "type", "expected 1 or 2 letters or digits"),
        ("playlogs", PLAY | {"type": "I\n"}, "type", "expected 1 or 2 letters or digits"),
        ("playlogs", PLAY | {"type": "é"}, "type", "expected 1 or 2 letters or digits"),
        ("playlogs", PLAY | {"type": ""}, "type", "expected 1 or 2 letters or digits"),
        ("playlogs", PLAY | {"ip": "1.2.3.256"}, "ip", "expected an IPv4 address"),
        ("playlogs", PLAY | {"ip": "\u0661.2.3.4"}, "ip", "expected an IPv4 address"),
        ("playlogs", PLAY | {"played_at": "1969-12-31T23:59:59"}, "played_at", "date out of range"),
        ("playlogs", PLAY | {"played_at": "2101-01-01T00:00:00"}, "played_at", "date out of range"),
        ("playlogs", PLAY | {"played_at": "0000-01-01T00:00:00"}, "played_at", "date out of range"),
        ("playlogs", PLAY | {"played_at": "22/11/2026"}, "played_at", "expected a time such as 2026-11-22T08:00:00"),
        ("playlogs", PLAY | {"played_at": 1795339800}, "played_at", "expected string, got number"),
        ("ad_events", AD | {"time": "2026-11-22T08:00:00"}, "time", "expected a time with offset such as 2026-11-22T08:00:00Z"),
        ("ad_events", AD | {"kind": "click"}, "kind", "expected one of paid_click, global_render, global_conversion, install"),
        ("ad_events", AD | {"country": "usa"}, "country", "expected 2 capital letters"),
        ("ad_events", AD | {"count": -1}, "count", "expected 0 or more"),
        ("ad_events", AD | {"spend": "ten"}, "spend", "expected number, got string"),
        ("ad_events", AD | {"spend": "NaN"}, "spend", "number out of range"),
        ("ad_events", AD | {"spend": True}, "spend", "expected number, got boolean"),
        ("ad_events", AD | {"spend": {}}, "spend", "expected number, got object"),
        ("ad_events", AD | {"spend": 10**12}, "spend", "number out of range"),
        ("ad_events", AD | {"spend": "1e999999"}, "spend", "number out of range"),
        ("ad_events", AD | {"spend": "0.0000001"}, "spend", "expected at most 6 decimals"),
        ("viewer_samples", SAMPLE | {"viewers": -1}, "viewers", "expected 0 or more"),
        ("app_events", EVENT | {"attributes": ["x"]}, "attributes", "expected object, got array"),
        ("app_events", EVENT | {"attributes": {"a": {"b": 1}}}, "attributes", "expected boolean or integer or number or string or array, got object"),
        ("app_events", EVENT | {"attributes": {"a": "x" * 2049}}, "attributes", "longer than 2048 bytes"),
        ("medias", {"media_id": 1, "name": "m", "categories": [{"id": 1}]}, "categories", "required: name"),
        ("players", {"player_id": 1}, "name", "required"),
        ("players", {"player_id": 1, "name": "p", "is_deleted": 2}, "is_deleted", "expected 0 to 1"),
        ("players", {"is_deleted": 1}, "player_id", "required"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(stream: str, row: dict[str, Any], field: str, error: str) -> None:
    found = verdict(stream, row)
    assert found[0] == field  # type: ignore[index]
    assert error in found[1]  # type: ignore[index]


def test_a_deletion_may_carry_the_key_alone() -> None:
    row = verdict("players", {"player_id": 7, "is_deleted": 1})
    assert isinstance(row, dict)
    assert (row["player_id"], row["name"], row["is_deleted"]) == (7, None, 1)
    assert row["last_update_time_utc"] is row["create_time_utc"] is None


def test_times_are_cut_where_the_stream_says_so() -> None:
    sample = verdict("viewer_samples", SAMPLE)
    assert sample["time"] == datetime(2026, 11, 22, 8, 11, tzinfo=UTC)  # type: ignore[call-overload]
    version = {"player_id": 1, "name": "p", "last_update_time_utc": "2026-11-22T08:00:00.123999Z"}
    player = verdict("players", version)
    assert player["last_update_time_utc"].microsecond == 123000  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("spend", "kept"),
    [(1.5, "1.5"), ("-12.345678", "-12.345678"), (1e2, "100"), ("1e-6", "0.000001"), ("0.1000000", "0.1"), (0, "0")],
)
def test_money_is_exact(spend: Any, kept: str) -> None:
    row = verdict("ad_events", AD | {"spend": spend})
    assert row["spend"] == Decimal(kept)  # type: ignore[call-overload]


def test_json_columns_are_kept_in_one_form() -> None:
    row = verdict("app_events", EVENT | {"attributes": {"z": [], "a": 1.0, "é": True, "b": "x\ny"}})
    assert row["attributes"] == '{"a":1.0,"b":"x\\ny","z":[],"é":true}'  # type: ignore[call-overload]
    media = verdict("medias", {"media_id": 1, "name": "m", "categories": [{"name": "n", "id": 3}]})
    assert media["categories"] == '[{"id":3,"name":"n"}]'  # type: ignore[call-overload]
    for value, kept in (("x", '"x"'), (5, "5"), (True, "true"), (["a", "b"], '["a","b"]'), (None, None)):
        tag = verdict("device_tags", {"application": None, "hwid": "h", "tag": "t", "value": value})
        assert tag["value"] == kept  # type: ignore[call-overload]


def test_dataset_streams_take_any_text_where_values_are_listed() -> None:
    key = {"business_id": "b", "subscription_event_id": "e"}
    row = verdict("subscriptions", key | {"subscription_event_type": "Ünheard of"})
    assert row["is_promo"] == row["is_deleted"] == 0  # type: ignore[call-overload]


pattern_columns = st.sampled_from(
    [column for stream in STREAMS.values() for column in stream.columns if column.type is Type.TEXT]
)
texts = st.text(max_size=5) | st.text(string.ascii_letters + string.digits + ".\0é", min_size=1, max_size=20)


@given(pattern_columns, st.lists(st.none() | texts | st.just("é" * 2100), min_size=1, max_size=5))
def test_texts_are_judged_alike_one_by_one_and_by_the_column(column: Column, values: list[str | None]) -> None:
    many = values * FEW
    findings = Findings(len(many))
    _check_texts(column, pa.array(many, pa.string()), findings)
    one_by_one = [None if value is None else text_error(column, value) for value in many]
    wrong, codes = findings.wrong()
    found = {row: findings.reasons[code][1] for row, code in zip(wrong.tolist(), codes, strict=True)}
    assert [found.get(row) for row in range(len(many))] == one_by_one


def test_rows_refused_later_keep_their_line_and_raw_text() -> None:
    old, new = PLAY | {"played_at": "2020-01-01T00:00:00"}, PLAY
    checked = read("playlogs", new, old, {"bad": 1}, new | {"player_id": "x"}, old | {"media_id": 9}, new)
    limit = from_datetime(datetime(2025, 1, 1, tzinfo=UTC))
    kept = too_old(STREAMS["playlogs"], checked, limit)
    assert [(error.line, error.error) for error in kept.errors] == [
        (2, "older than retention"),
        (3, "unknown field"),
        (4, "expected integer, got string"),
        (5, "older than retention"),
    ]
    assert b'"media_id":9' in kept.errors[3].raw
    again = kept.without(pa.array([False, True]), "media_id", "no")
    assert [error.line for error in again.errors] == [2, 3, 4, 5, 6]
    assert again.rows.num_rows == 1
    assert too_old(STREAMS["players"], read("players", {"player_id": 1, "name": "p"}), limit).errors == []


def test_a_batch_of_no_columns_lacks_what_is_required() -> None:
    checked = check(STREAMS["playlogs"], {}, 3)
    assert [(error.line, error.field, error.error) for error in checked.errors] == [
        (line, "player_id", "required") for line in (1, 2, 3)
    ]
