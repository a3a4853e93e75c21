from __future__ import annotations

import io
import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from airtally.ingest.decode import Checked, DecodeLimits, read_file, read_rows
from airtally.kit.errors import BadRequest, TooLarge
from airtally.streams import STREAMS

PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
MOMENT = datetime(2026, 11, 22, 23, 59, 59, 500000)


def packed(table: pa.Table, media_type: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if media_type == PARQUET:
        pq.write_table(table, out, **options)
    else:
        with ipc.new_stream(out, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
            writer.write_table(table)
    return out.getvalue()


def plays(**columns: Any) -> pa.Table:
    count = max((len(column) for column in columns.values()), default=1)
    usual: dict[str, Any] = {"player_id": [1] * count, "media_id": [2] * count, "played_at": [MOMENT] * count}
    return pa.table(usual | columns)


@pytest.fixture(params=[PARQUET, ARROW])
def media_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(table: pa.Table, media_type: str, stream: str = "playlogs", **limits: int) -> Checked:
    return read_rows(STREAMS[stream], packed(table, media_type), media_type, limits=DecodeLimits(**limits))


def said(checked: Checked) -> list[tuple[int, str | None, str]]:
    return [(error.line, error.field, error.error) for error in checked.errors]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/Sao_Paulo", "+05:45"])
def test_local_times_are_the_wall_clock_with_and_without_zone(media_type: str, unit: str, zone: str | None) -> None:
    wall = MOMENT if unit != "s" else MOMENT.replace(microsecond=0)
    at = pa.array([wall], pa.timestamp(unit))
    if zone is not None:
        at = pc.assume_timezone(at, zone)
    checked = read(plays(played_at=at), media_type)
    assert checked.rows["played_at"].to_pylist() == [wall.replace(tzinfo=UTC)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_need_a_zone_and_are_kept_as_utc(media_type: str, unit: str) -> None:
    ad = {"ad_group_id": ["g"], "kind": ["install"]}
    at = pa.array([MOMENT.replace(microsecond=0)], pa.timestamp(unit))
    checked = read(pa.table(ad | {"time": at}), media_type, "ad_events")
    assert said(checked) == [(1, "time", "expected a time with offset, got one without")]
    zoned = pc.assume_timezone(at, "Asia/Kathmandu")
    checked = read(pa.table(ad | {"time": zoned}), media_type, "ad_events")
    assert checked.rows["time"].to_pylist() == [datetime(2026, 11, 22, 18, 14, 59, tzinfo=UTC)]


def test_finer_times_are_cut_to_microseconds(media_type: str) -> None:
    at = pa.array([1_795_339_800_123_456_789], pa.timestamp("ns"))
    checked = read(plays(played_at=at), media_type)
    assert checked.rows["played_at"].cast(pa.int64()).to_pylist() == [1_795_339_800_123_456]


def test_dates_out_of_range_are_refused(media_type: str) -> None:
    at = pa.array([-1, 2**62, 4_133_980_800_000_000, 0], pa.timestamp("us"))
    checked = read(plays(played_at=at), media_type)
    assert said(checked) == [(line, "played_at", "date out of range") for line in (1, 2, 3)]


@pytest.mark.parametrize(
    ("values", "kept", "wrong"),
    [
        (pa.array([1, 255], pa.uint8()), [1, 255], []),
        (pa.array([1, 2**63], pa.uint64()), [1], ["number out of range"]),
        (pa.array([1.0, 2.5, float("nan"), 1e30]), [1], ["expected integer, got number"] * 3),
        (pa.array(["7", "x", "9" * 30, "-3"]), [7, -3], ["expected integer, got string", "number out of range"]),
        (pa.array([True]), [], ["expected integer, got boolean"]),
        (pa.array(["5", "5"]).dictionary_encode(), [5, 5], []),
        (pa.array([Decimal("4.00"), Decimal("4.50")]), [4], ["expected integer, got number"]),
        (pa.nulls(2), [], ["required", "required"]),
        (pa.array([None, 3], pa.int16()), [3], ["required"]),
        (pa.array([[1]]), [], ["expected integer, got array"]),
        (pa.array([b"1"]), [], ["expected integer, got binary"]),
    ],
)
def test_integers_of_any_kind(media_type: str, values: pa.Array, kept: list[int], wrong: list[str]) -> None:
    checked = read(plays(player_id=values), media_type)
    assert checked.rows["player_id"].to_pylist() == kept
    assert [error for _, _, error in said(checked)] == wrong


def test_doubles_texts_and_money_of_any_kind(media_type: str) -> None:
    floats = read(plays(duration_seconds=pa.array([1.5, float("inf"), float("nan")], pa.float32())), media_type)
    assert said(floats) == [(line, "duration_seconds", "number out of range") for line in (2, 3)]
    texts = read(plays(id=pa.array(["é" * 200, "b"], pa.large_string())), media_type)
    assert said(texts) == [(1, "id", "longer than 256 bytes")]
    ad = {"ad_group_id": ["g"] * 2, "kind": ["install"] * 2, "time": ["2026-11-22T08:00:00Z"] * 2}
    for spend in ([0.1, -2.5], [Decimal("0.1"), Decimal("-2.5")], ["0.1", "-2.5"]):
        checked = read(pa.table(ad | {"spend": spend}), media_type, "ad_events")
        assert checked.rows["spend"].to_pylist() == [Decimal("0.1"), Decimal("-2.5")]


def test_json_columns_come_as_text_or_nested(media_type: str) -> None:
    medias = {"media_id": [1, 2, 3], "name": ["a", "b", "c"]}
    nested = [[{"id": 1, "name": "x"}], None, [{"id": 2, "name": None}]]
    checked = read(pa.table(medias | {"categories": nested}), media_type, "medias")
    assert checked.rows["categories"].to_pylist() == ['[{"id":1,"name":"x"}]', None]
    assert said(checked) == [(3, "categories", "required: name")]
    checked = read(pa.table(medias | {"categories": ['[{"name":"x","id":1}]', None, "x"]}), media_type, "medias")
    assert checked.rows["categories"].to_pylist() == ['[{"id":1,"name":"x"}]', None]
    maps = pa.array([[("b", "x"), ("a", "y")]], pa.map_(pa.string(), pa.string()))
    event = {"application": ["A"], "event": ["e"], "time": ["2026-11-22T08:00:00Z"], "attributes": maps}
    checked = read(pa.table(event), media_type, "app_events")
    assert checked.rows["attributes"].to_pylist() == ['{"a":"y","b":"x"}']


def test_unknown_columns_are_refused_row_by_row(media_type: str) -> None:
    checked = read(plays(plaid=[1, None]), media_type)
    assert said(checked) == [(1, "plaid", "unknown field"), (2, "plaid", "unknown field")]


def test_a_refused_row_is_kept_as_json_that_can_be_sent_again(media_type: str) -> None:
    checked = read(plays(player_id=[1, None, 3], id=["a", "b", None], duration_seconds=[1.5, None, 2.0]), media_type)
    assert json.loads(checked.errors[0].raw) == {"media_id": 2, "id": "b", "played_at": "2026-11-22 23:59:59.500000"}
    raw = json.dumps(json.loads(checked.errors[0].raw) | {"player_id": 2}).encode()
    assert read_rows(STREAMS["playlogs"], raw, "application/x-ndjson").rows.num_rows == 1
    many = read(plays(player_id=[None, 1] * 500, media_id=list(range(1000))), media_type)
    assert [json.loads(error.raw)["media_id"] for error in many.errors] == list(range(0, 1000, 2))


def test_rows_over_several_batches_keep_their_number(media_type: str) -> None:
    ids = [None if n in {3, 70_000, 119_999} else n for n in range(120_000)]
    checked = read(plays(player_id=ids), media_type)
    assert [error.line for error in checked.errors] == [4, 70_001, 120_000]
    assert checked.rows["player_id"].to_pylist() == [n for n in ids if n is not None]


def test_columns_named_twice_and_unreadable_types_are_refused_as_a_whole() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["player_id", "player_id"])
    with pytest.raises(BadRequest, match="twice"):
        read(twice, ARROW)
    with pytest.raises(BadRequest, match="no columns"):
        read(pa.table({}), ARROW)
    encoded = pc.run_end_encode(pa.array([1, 1]))
    with pytest.raises(BadRequest, match="a type that is not read"):
        read(plays(player_id=encoded), ARROW)
    with pytest.raises(BadRequest, match="a type that is not read"):
        read(plays(player_id=pa.array([b"12"], pa.binary(2))), ARROW)


def test_what_unpacks_to_too_much_is_refused(media_type: str) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 100_000])
    body = packed(plays(id=long), media_type)
    assert len(body) < 8 << 20
    with pytest.raises(TooLarge):
        read_rows(STREAMS["playlogs"], body, media_type)
    nested = pa.ListArray.from_arrays(pa.array(range(100_001), pa.int32()), long)
    with pytest.raises(TooLarge):
        read(pa.table({"media_id": [1] * 100_000, "categories": nested}), media_type, "medias")
    with pytest.raises(TooLarge):
        read(plays(player_id=list(range(100_000))), media_type, unpacked_max=100_000)


def test_packed_arrow_buffers_are_bounded_before_they_are_unpacked() -> None:
    table = plays(id=["x" * 200] * 50_000)
    for compression in ("zstd", "lz4"):
        body = packed(table, ARROW, compression=compression)
        assert read_rows(STREAMS["playlogs"], body, ARROW).rows.num_rows == 50_000
        with pytest.raises(TooLarge):
            read_rows(STREAMS["playlogs"], body, ARROW, limits=DecodeLimits(unpacked_max=1 << 20))
    dictionary = packed(
        plays(id=pa.array(["x" * 1000 + str(n) for n in range(5000)]).dictionary_encode()), ARROW, compression="zstd"
    )
    with pytest.raises(TooLarge):
        read_rows(STREAMS["playlogs"], dictionary, ARROW, limits=DecodeLimits(unpacked_max=1 << 20))


def test_a_batch_that_claims_endless_rows_is_refused() -> None:
    body = packed(pa.table({"player_id": pa.nulls(30_000_001)}), ARROW)
    assert len(body) < 1000
    with pytest.raises(TooLarge):
        read_rows(STREAMS["playlogs"], body, ARROW)


BODIES = {
    PARQUET: packed(plays(id=["a", "b", None], duration_seconds=[1.0, None, 2.0]), PARQUET),
    ARROW: packed(plays(id=["a", "b", None], duration_seconds=[1.0, None, 2.0]), ARROW, compression="zstd"),
}


def any_values() -> pa.Table:
    """Of the types whose offsets and indices could leave the data."""
    union = pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array(["a", "b"]), pa.array([1.5])]
    )
    nested: dict[str, pa.Array] = {
        "a": pa.array([["x", "y"], None, ["z" * 20]], pa.list_(pa.string_view())),
        "b": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "c": pa.array(["x", None, "x"]).dictionary_encode(),
        "d": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
        "e": union,
        "f": pa.array([b"long enough to lie elsewhere", b"", None], pa.binary_view()),
        "g": pa.array([["x"], [], None], pa.large_list(pa.large_string())),
    }
    attributes = pa.StructArray.from_arrays(list(nested.values()), names=list(nested))
    return pa.table(
        {"application": ["A"] * 3, "event": ["e"] * 3, "time": [MOMENT] * 3, "attributes": attributes, **nested}
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage_to_any_type_has_an_answer(data: st.DataObject) -> None:
    body = bytearray(packed(any_values(), ARROW))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 5))
        body[at : at + 4] = struct.pack("<I", data.draw(st.sampled_from([0, 1, 255, 2**31 - 1, 2**32 - 1])))
    try:
        read_rows(STREAMS["app_events"], bytes(body), ARROW)
    except (BadRequest, TooLarge):
        return


def test_one_large_value_in_every_row_is_counted_as_often() -> None:
    """Views and dense unions may name it with a few bytes each."""
    rows, large = 2_000, "x" * 1_000_000
    one = pa.array([large], pa.string_view()).buffers()
    views = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(one[1].to_pybytes() * rows), *one[2:]])
    encoded = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([large], pa.string_view()))
    for texts in (views, encoded):
        with pytest.raises(TooLarge):
            read(plays(id=texts), ARROW)
    zeros = pa.array([0] * rows, pa.int8())
    union = pa.UnionArray.from_dense(zeros, zeros.cast(pa.int32()), [pa.array([large]), pa.array([1])])
    for values in (union, pa.StructArray.from_arrays([union], names=["a"])):
        with pytest.raises(TooLarge):
            read(pa.table({"hwid": ["h"] * rows, "tag": ["t"] * rows, "value": values}), ARROW, "device_tags")


def test_what_is_cut_short_is_refused(media_type: str) -> None:
    body = BODIES[media_type]
    for size in (0, 4, 20, len(body) // 2, len(body) - 30):
        with pytest.raises(BadRequest):
            read_rows(STREAMS["playlogs"], body[:size], media_type)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_has_an_answer(data: st.DataObject) -> None:
    media_type = data.draw(st.sampled_from([PARQUET, ARROW]))
    body = bytearray(BODIES[media_type])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 5))
        body[at : at + 4] = struct.pack("<I", data.draw(st.integers(0, 2**32 - 1)))
    try:
        read_rows(STREAMS["playlogs"], bytes(body), media_type)
    except (BadRequest, TooLarge):
        return


@pytest.mark.parametrize(
    ("stream", "name", "sent"),
    [
        ("playlogs", "player_id", pa.array([1, None, None, None])),
        ("playlogs", "id", pa.array(["a", None, None, "\0"])),
        ("playlogs", "played_at", pa.array([MOMENT, None, None, MOMENT])),
        ("playlogs", "type", pa.array(["I", None, None, "I"]).dictionary_encode()),
        ("medias", "categories", pa.array([{"id": 1}, None, None, {"id": 2}])),
    ],
)
def test_a_column_has_as_many_nulls_as_it_says(stream: str, name: str, sent: pa.Array) -> None:
    """What is judged believes the count, or the bits: rows without a needed value would be taken."""
    lying = sent if pa.types.is_dictionary(sent.type) else _saying(sent, nulls=1)
    if pa.types.is_dictionary(sent.type):
        lying = pa.DictionaryArray.from_arrays(_saying(sent.indices, nulls=1), sent.dictionary)
    # text that cannot be read keeps the library's own look at the whole from being the last word
    bad = pa.Array.from_buffers(pa.string(), 4, pa.array([b"\xff"] * 4).buffers())
    other = "name" if stream == "medias" else "ip"
    table = pa.table({name: lying, other: bad})
    with pytest.raises(BadRequest, match=r"nulls|null_count"):
        read(table, ARROW, stream)


def _saying(array: pa.Array, *, nulls: int) -> pa.Array:
    children = [array.field(i) for i in range(array.type.num_fields)] if pa.types.is_struct(array.type) else None
    return pa.Array.from_buffers(
        array.type, len(array), array.buffers()[: 1 if children else None], null_count=nulls, children=children
    )


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
@pytest.mark.parametrize("text", [b"Mars/Olympus", b"last_contact_at"])
def test_names_and_zones_that_are_no_utf8_are_refused_in_words(tmp_path: Path, name: str, text: bytes) -> None:
    """Of a request as of a file: the library fails only when it is asked for them."""
    at = pa.array([MOMENT], pa.timestamp("us", "Mars/Olympus"))
    table = pa.table({"player_id": [1], "name": ["x"], "last_contact_at": at})
    out = io.BytesIO()
    with (ipc.new_file if name == "a.arrow" else ipc.new_stream)(out, table.schema) as writer:
        writer.write_table(table)
    body = out.getvalue().replace(text, b"\x80" + text[1:])
    (tmp_path / name).write_bytes(body)
    with pytest.raises(BadRequest, match="not UTF-8"):
        list(read_file(STREAMS["players"], tmp_path / name))
    if name == "a.arrows":
        with pytest.raises(BadRequest, match="not UTF-8"):
            read_rows(STREAMS["players"], body, ARROW)
