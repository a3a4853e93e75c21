"""Values from the edges of types, in columns: each costs its own row, whatever the type, unit, zone or width."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from airtally.ingest.decode import Checked, read_file, read_rows
from airtally.streams import STREAMS

PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
MOMENT = datetime(2026, 11, 22, 8, tzinfo=UTC)
PLAY: dict[str, Any] = {"player_id": 1, "media_id": 2, "played_at": "2026-11-22T08:00:00"}
AD: dict[str, Any] = {"ad_group_id": "g", "kind": "install", "time": "2026-11-22T08:00:00Z"}
EVENT: dict[str, Any] = {"application": "A", "event": "e", "time": "2026-11-22T08:00:00Z"}
TAG: dict[str, Any] = {"application": "A", "hwid": "h", "tag": "t"}


@pytest.fixture(params=[PARQUET, ARROW])
def media_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def packed(table: pa.Table, media_type: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, out, **options)
    else:
        with ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


def read(stream: str, usual: dict[str, Any], media_type: str, **columns: pa.Array) -> Checked:
    count = len(next(iter(columns.values())))
    table = pa.table({name: [value] * count for name, value in usual.items() if name not in columns} | columns)
    return read_rows(STREAMS[stream], packed(table, media_type), media_type)


def said(checked: Checked) -> list[tuple[int, str | None, str]]:
    return [(error.line, error.field, error.error) for error in checked.errors]


def ticks(values: list[int | None], sent: pa.DataType) -> pa.Array:
    width = pa.int32() if sent.bit_width == 32 else pa.int64()
    return pa.array(values, width).view(sent)


@pytest.mark.parametrize("far", [datetime(2600, 12, 31, 23, 59, 59), datetime(1, 1, 1), datetime(9999, 12, 31)])
def test_int96_times_do_not_wrap(tmp_path: Path, far: datetime) -> None:
    at = pa.array(
        [datetime(2026, 11, 22, 8, 0, 0, 123456), far, None, datetime(2100, 12, 31, 23, 59, 59)], pa.timestamp("us")
    )
    table = pa.table({"player_id": [1, 2, 3, 4], "media_id": [2] * 4, "played_at": at})
    body = packed(table, PARQUET, use_deprecated_int96_timestamps=True)
    (tmp_path / "a.parquet").write_bytes(body)
    ((from_file, _),) = read_file(STREAMS["playlogs"], tmp_path / "a.parquet")
    for checked in (from_file, read_rows(STREAMS["playlogs"], body, PARQUET)):
        assert said(checked) == [(2, "played_at", "date out of range"), (3, "played_at", "required")]
        assert checked.rows["played_at"].to_pylist() == [at[row].as_py().replace(tzinfo=UTC) for row in (0, 3)]
        assert checked.rows["player_id"].to_pylist() == [1, 4]


@pytest.mark.parametrize("year", [300_000, 586_565, 5_000_000])
def test_int96_times_beyond_microseconds_do_not_wrap(year: int) -> None:
    """In microseconds, 64 bits are used up in the year 294247; 584,542 years later the numbers come again."""
    at = ticks([int((year - 1970) * 365.2425 * 86400)], pa.timestamp("s"))
    table = pa.table({"player_id": [1], "media_id": [2], "played_at": at})
    body = packed(table, PARQUET, use_deprecated_int96_timestamps=True)
    assert said(read_rows(STREAMS["playlogs"], body, PARQUET)) == [(1, "played_at", "date out of range")]


EDGES = [-(2**63), -(2**63) + 1, -1, 2**63 - 1, 2**62]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/Sao_Paulo", "+05:45", "-23:59", "Mars/Olympus"])
@pytest.mark.parametrize("stream", ["playlogs", "ad_events"])
@pytest.mark.parametrize("encoded", [False, True])
def test_one_time_out_of_range_costs_one_row(unit: str, zone: str | None, stream: str, encoded: bool) -> None:
    good = int(MOMENT.timestamp()) * {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    name, usual = ("played_at", PLAY) if stream == "playlogs" else ("time", AD)
    at = ticks([good, *EDGES, None, good], pa.timestamp(unit, zone))
    checked = read(stream, usual, ARROW, **{name: at.dictionary_encode() if encoded else at})
    errors = [error for _, _, error in said(checked)]
    if stream == "playlogs" and zone == "Mars/Olympus":
        assert errors[:2] == ["expected a time in a known zone, got one in Mars/Olympus"] * 2
    elif stream == "ad_events" and zone is None:
        assert errors[:2] == ["expected a time with offset, got one without"] * 2
    else:
        edge = stream == "playlogs" and zone == "+05:45"  # there it was 1970 already at -1
        assert errors == ["date out of range"] * (len(EDGES) - edge) + ["required"]
        assert checked.rows.num_rows == 2 + edge


@pytest.mark.parametrize(
    ("zone", "moment", "shown"),
    [
        ("America/New_York", datetime(2050, 7, 1, 12), datetime(2050, 7, 1, 8)),
        ("America/New_York", datetime(2036, 7, 1, 12), datetime(2036, 7, 1, 8)),
        ("Europe/London", datetime(2100, 12, 31, 23, 59, 59), datetime(2100, 12, 31, 23, 59, 59)),
        ("Australia/Lord_Howe", datetime(2050, 1, 1), datetime(2050, 1, 1, 11)),
        ("+05:45", datetime(2050, 7, 1), datetime(2050, 7, 1, 5, 45)),
        ("Africa/Monrovia", datetime(1971, 1, 1), datetime(1970, 12, 31, 23, 15, 30)),
    ],
)
def test_local_times_are_the_zones_clock_in_every_year(
    media_type: str, zone: str, moment: datetime, shown: datetime
) -> None:
    """From 2038 on the library knows no clock changes."""
    at = pa.array([None, moment.replace(tzinfo=UTC), MOMENT], pa.timestamp("us", zone))
    checked = read("playlogs", PLAY, media_type, played_at=at)
    assert checked.rows["played_at"].to_pylist()[0] == shown.replace(tzinfo=UTC)


def test_a_parquet_column_of_milliseconds_with_one_time_out_of_range() -> None:
    good = int(MOMENT.timestamp()) * 1000
    for zone in (None, "UTC"):
        at = ticks([good, 2**62, good], pa.timestamp("ms", zone))
        checked = read("playlogs", PLAY, PARQUET, played_at=at)
        assert said(checked) == [(2, "played_at", "date out of range")]
        assert checked.rows.num_rows == 2


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize(("sent", "per_day"), [(pa.date32(), 1), (pa.date64(), 86_400_000)])
def test_dates_are_the_local_midnight_and_no_time_with_offset(
    media_type: str, sent: pa.DataType, per_day: int, encoded: bool
) -> None:
    last = 2**31 - 1 if per_day == 1 or media_type == PARQUET else 2**62 // per_day
    days = ticks([0, 20_779 * per_day, -1 * per_day, 47_847 * per_day, 47_846 * per_day, last * per_day, None], sent)
    if encoded and media_type == ARROW:
        days = days.dictionary_encode()
    checked = read("playlogs", PLAY, media_type, played_at=days)
    assert checked.rows["played_at"].to_pylist() == [
        datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC)
    ]  # fmt: skip
    assert said(checked) == [
        *((line, "played_at", "date out of range") for line in (3, 4, 6)), (7, "played_at", "required")
    ]  # fmt: skip
    checked = read("ad_events", AD, media_type, time=days)
    assert said(checked)[0] == (1, "time", "expected a time with offset, got a date")
    assert checked.rows.num_rows == 0


@pytest.mark.parametrize("sent", [pa.time32("s"), pa.time64("us"), pa.duration("s")])
def test_what_is_no_moment_is_refused_in_words(sent: pa.DataType) -> None:
    got = {"time32[s]": "a time of day", "time64[us]": "a time of day"}.get(str(sent), "duration")
    for stream, usual, name in (("playlogs", PLAY, "played_at"), ("ad_events", AD, "time")):
        checked = read(stream, usual, ARROW, **{name: ticks([1, 2**31 - 1, None], sent)})
        assert [error.rpartition("got ")[2] for _, _, error in said(checked)] == [got, got, "required"]


@pytest.mark.parametrize("width", [pa.float16(), pa.float32(), pa.float64()])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_cost_one_row(media_type: str, width: pa.DataType, value: float) -> None:
    numbers = pa.array([1.5, value, None, 2.0], width)
    checked = read("device_tags", TAG, media_type, value=numbers)
    assert said(checked) == [(2, "value", "number out of range")]
    assert checked.rows["value"].to_pylist() == ["1.5", None, "2.0"]
    for nested in (
        pa.StructArray.from_arrays([numbers], names=["a"]),
        pa.MapArray.from_arrays([0, 1, 2, 3, 4], ["a"] * 4, numbers),
    ):
        checked = read("app_events", EVENT, media_type, attributes=nested)
        assert said(checked) == [(2, "attributes", "number out of range")]
        assert checked.rows["attributes"].to_pylist() == ['{"a":1.5}', "{}", '{"a":2.0}']
    checked = read("playlogs", PLAY, media_type, duration_seconds=numbers)
    assert said(checked) == [(2, "duration_seconds", "number out of range")]


def bad_text() -> pa.Array:
    return pa.array([b"a", b"\xff", None, b"b"], pa.binary()).view(pa.string())


# Each has one value that JSON can hold, then one that it cannot.
HOPELESS: dict[str, pa.Array] = {
    "a union": pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array(["1", "2"]), pa.array([0.5, float("nan")])]
    ),
    "a union of dates": pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array(["1"]), ticks([2**62], pa.timestamp("us"))]
    ),
    "bytes": pa.array([None, b"x"]),
    "fixed bytes": pa.array([None, b"xy"], pa.binary(2)),
    "a date": ticks([None, 20_000], pa.date32()),
    "a date that is none": ticks([None, 2**31 - 1], pa.date32()),
    "a time": ticks([None, 2**62], pa.timestamp("ms")),
    "a time in no zone": ticks([None, 5], pa.timestamp("ns", "Mars/Olympus")),
    "nanoseconds": ticks([None, 1], pa.timestamp("ns")),
    "a duration": ticks([None, 2**62], pa.duration("s")),
    "a time of day": ticks([None, 2**62], pa.time64("us")),
    "text that is not UTF-8": pa.array([b"1", b"\xff"]).view(pa.string()),
    "a list": pa.array([["a"], [None]]),
    "a list of numbers": pa.array([[], [1.5]]),
    "a nested object": pa.array([None, {"b": 1}]),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_json_cannot_hold_costs_one_row(name: str) -> None:
    values = HOPELESS[name]
    checked = read("app_events", EVENT, ARROW, attributes=pa.StructArray.from_arrays([values], names=["a"]))
    assert [(line, field) for line, field, _ in said(checked)] == [(2, "attributes")]
    assert checked.rows.num_rows == 1
    if not pa.types.is_fixed_size_binary(values.type):
        assert [line for line, _, _ in said(read("device_tags", TAG, ARROW, value=values))] == [2]


def test_decimals_and_maps_become_json() -> None:
    numbers = pa.array([Decimal("1.50"), Decimal("4.00")], pa.decimal128(20, 2))
    checked = read("device_tags", TAG, ARROW, value=numbers)
    assert checked.rows["value"].to_pylist() == ["1.5", "4.0"]
    whole = pa.array([Decimal(10**20), Decimal(-7)], pa.decimal256(40, 0))
    assert read("device_tags", TAG, ARROW, value=whole).rows["value"].to_pylist() == [str(10**20), "-7"]
    maps = pa.array([[], [("a", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int64()))
    assert read("app_events", EVENT, ARROW, attributes=maps).rows["attributes"].to_pylist() == ["{}", '{"a":2}', None]


def test_text_that_is_not_utf8_costs_one_row() -> None:
    for texts in (bad_text(), bad_text().cast(pa.large_binary(), safe=False).view(pa.large_string())):
        checked = read("playlogs", PLAY, ARROW, id=texts)
        assert said(checked) == [(2, "id", "invalid UTF-8")]
        assert checked.rows["id"].to_pylist() == ["a", None, "b"]
        assert "\ufffd".encode() in checked.errors[0].raw
    indices = pa.array([0, 1, 0], pa.int8())
    encoded = pa.DictionaryArray.from_arrays(indices, bad_text())
    assert said(read("playlogs", PLAY, ARROW, id=encoded)) == [(2, "id", "invalid UTF-8")]


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        (pa.array([1, 2**63, 2**64 - 1, 2**63 - 1], pa.uint64()), {2: "number out of range", 3: "number out of range"}),
        (pa.array([1.0, 1.5, -0.0, 2.0**63]), {2: "expected integer, got number", 4: "expected integer, got number"}),
        (pa.array([1.0, float("nan"), 2.0], pa.float16()), {2: "expected integer, got number"}),
        (pa.array([Decimal(2**63 - 1), Decimal(2**63), Decimal(-(2**63))]), {2: "number out of range"}),
        (pa.array([Decimal("1.0"), Decimal("1.5")], pa.decimal32(5, 1)), {2: "expected integer, got number"}),
        (pa.array([Decimal(10) ** 70, Decimal(5)], pa.decimal256(76, 0)), {1: "number out of range"}),
        (pa.array(["0" * 5000 + "5", "9" * 5000, "+7", "-9223372036854775808", "1_000", "\u0661", "1\n", " 1"]),
         {2: "number out of range", **dict.fromkeys((5, 6, 7, 8), "expected integer, got string")}),
    ],
)  # fmt: skip
def test_whole_numbers_of_any_type(media_type: str, values: pa.Array, errors: dict[int, str]) -> None:
    checked = read("playlogs", PLAY, media_type, player_id=values)
    assert {line: error for line, _, error in said(checked)} == errors
    kept = [value for line, value in enumerate(values.to_pylist(), 1) if line not in errors]
    assert checked.rows["player_id"].to_pylist() == [int(Decimal(value)) for value in kept]


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        (pa.array([Decimal("999999999999.999999"), Decimal(10**12), Decimal("-1e30")], pa.decimal128(38, 6)), {2, 3}),
        (pa.array([Decimal("0.000001"), Decimal("0.0000001")], pa.decimal128(38, 7)), {2}),
        (pa.array([Decimal("1.5"), Decimal(10) ** 60], pa.decimal256(76, 1)), {2}),
        (pa.array([Decimal("-1.50")], pa.decimal64(10, 2)), set()),
        (pa.array([0.1, float("nan"), float("-inf"), 1e12, 1e-7], pa.float64()), {2, 3, 4, 5}),
        (pa.array([1.5, float("nan")], pa.float16()), {2}),
        (pa.array([7, 2**64 - 1], pa.uint64()), {2}),
        (pa.array(["1_000", "\u0661", "1\n", " 1", "1e-99999999999999999999", "1e99999999999999999999", "1e1000000", "0e1000000", "+1.5"]),
         {1, 2, 3, 4, 5, 6, 7}),
    ],
)  # fmt: skip
def test_money_of_any_type(media_type: str, values: pa.Array, errors: set[int]) -> None:
    checked = read("ad_events", AD, media_type, spend=values)
    assert {line for line, _, _ in said(checked)} == errors
    kept = [value for line, value in enumerate(values.to_pylist(), 1) if line not in errors]
    assert checked.rows["spend"].to_pylist() == [Decimal(str(value)) for value in kept]
