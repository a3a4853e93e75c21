"""Blank lines and invalid rows cost no more memory or work than valid rows."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.ingest.decode import Checked, DecodeLimits, ndjson, read_file, read_rows, unpacked
from airtally.ingest.decode import json as json_module
from airtally.ingest.decode import unpack as unpack_function
from airtally.ingest.row_errors import Errors
from airtally.kit.errors import BadRequest
from airtally.streams import PLAYLOGS

NDJSON, JSON = "application/x-ndjson", "application/json"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
GOOD = b'{"player_id":1,"media_id":2,"played_at":"2026-11-22T08:00:00"}'
ROWS = 60_000


def peak(work: Callable[[], Any]) -> tuple[Any, int]:
    """What the work gives, and the most bytes of Python's own that it held."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def gzipped(unit: bytes, size: int, members: int = 1) -> bytes:
    each = size // members // (1 << 20)
    piece = unit * ((1 << 20) // len(unit))
    packed = []
    for _ in range(members):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        packed += [packer.compress(piece) for _ in range(each)] + [packer.flush()]
    return b"".join(packed)


@pytest.mark.parametrize("members", [1, 8])
@pytest.mark.parametrize("unit", [b"\n", b"\r\n", b"   \t\n", b" "], ids=repr)
def test_blank_lines_are_never_held(unit: bytes, members: int) -> None:
    body = gzipped(unit, 32 << 20, members)

    def work() -> Checked:
        return read_rows(PLAYLOGS, unpacked(body, "gzip", unpacked_max=1 << 30), NDJSON)

    checked, most = peak(work)
    assert (checked.rows.num_rows, len(checked.errors)) == (0, 0)
    assert most < 16 << 20  # of 32 MiB; 8 are held before it is known that there are more


def test_a_row_after_many_blank_lines_has_its_line(tmp_path: Any) -> None:
    body = gzipped(b"\n", 10 << 20) + gzip.compress(b"x\n" + GOOD + b"\n" + b" \n" * (10 << 20) + b"{}")
    (tmp_path / "plays.ndjson.gz").write_bytes(body)
    blanks = 10 << 20
    sent = read_rows(PLAYLOGS, unpacked(body, "gzip", unpacked_max=1 << 30), NDJSON)
    loaded = [checked for checked, _ in read_file(PLAYLOGS, tmp_path / "plays.ndjson.gz")]
    lines = [blanks + 1, 2 * blanks + 3]
    assert [(error.line, error.raw) for error in sent.errors] == list(zip(lines, [b"x", b"{}"], strict=True))
    assert [error.line for checked in loaded for error in checked.errors] == lines
    assert sent.rows.num_rows == sum(checked.rows.num_rows for checked in loaded) == 1


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def plays(**columns: Any) -> pa.Table:
    right = {"player_id": 1, "media_id": 2, "played_at": "2026-11-22T08:00:00"}
    return pa.table(
        {name: value if isinstance(value, pa.Array) else [value] * ROWS for name, value in (right | columns).items()}
    )


NOT_UTF8 = pa.Array.from_buffers(pa.string(), ROWS, pa.array([b"\xff"] * ROWS, pa.binary()).buffers())
WRONG: dict[str, tuple[str, bytes]] = {
    "empty": (NDJSON, b"{}\n" * ROWS),
    "not JSON": (NDJSON, b"hello\n" * ROWS),
    "number": (NDJSON, b"1\n" * ROWS),
    "of another type": (NDJSON, (GOOD.replace(b":2,", b':"x",') + b"\n") * ROWS),
    "unknown field": (NDJSON, (GOOD[:-1] + b',"x":1}\n') * ROWS),
    "given twice": (NDJSON, (GOOD[:-1] + b',"media_id":"x","media_id":"y"}\n') * ROWS),
    "no time": (NDJSON, (GOOD.replace(b"11-22", b"13-22") + b"\n") * ROWS),
    "before 1970": (NDJSON, (GOOD.replace(b"2026", b"1926") + b"\n") * ROWS),
    "too long": (NDJSON, b"x" * 2000 + b"\n" + b"y" * 2000),
    "array of empty": (JSON, b"[" + b",".join([b"{}"] * ROWS) + b"]"),
    "array of numbers": (JSON, b"[" + b",".join([b"1"] * ROWS) + b"]"),
    "array of texts": (JSON, b"[" + b",".join([b'"a,b"'] * ROWS) + b"]"),
    "Parquet": (PARQUET, parquet(plays(player_id=pa.nulls(ROWS, pa.int64())))),
    "Parquet with a field too many": (PARQUET, parquet(plays(x=1))),
    "Arrow": (ARROW, arrow(plays(played_at="soon"))),
    "Arrow that is not UTF-8": (ARROW, arrow(plays(id=NOT_UTF8))),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_rows_are_numbers_until_somebody_looks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = Errors._made
    monkeypatch.setattr(Errors, "_made", lambda self, which: made.append(len(which)) or make(self, which))
    media_type, body = WRONG[kind]
    count = 2 if kind == "too long" else ROWS
    checked = read_rows(PLAYLOGS, body, media_type, limits=DecodeLimits(line_max=1000))
    assert (checked.rows.num_rows, len(checked.errors), made) == (0, count, [])
    assert [error.line for error in checked.errors[-2:]] == [count - 1, count]
    assert sum(made) == 2


@pytest.mark.parametrize("kind", [b"{}", b"hello", b"1", b'{"player_id":"x"}', b'{"x":1}'], ids=repr)
def test_a_wrong_row_takes_few_bytes(kind: bytes) -> None:
    body = (kind + b"\n") * 40_000
    checked, most = peak(lambda: read_rows(PLAYLOGS, body, NDJSON))
    assert len(checked.errors) == 40_000
    assert most < 64 * 40_000  # an object with its text took 200 each


def test_reasons_of_which_every_row_has_its_own_are_found_again() -> None:
    body = b"".join(b'{"field%d":1}\n' % number for number in range(30_000))
    errors = read_rows(PLAYLOGS, body, NDJSON).errors
    assert [(error.line, error.field) for error in errors[29_000:]] == [
        (n + 1, f"field{n}") for n in range(29_000, 30_000)
    ]


def test_too_many_wrong_rows_end_the_work_soon() -> None:
    body = gzipped(b"{}\n", 60 << 20)

    def work() -> None:
        with pytest.raises(BadRequest, match="more than 10000 rows"):
            read_rows(
                PLAYLOGS, unpacked(body, "gzip", unpacked_max=1 << 30), NDJSON, limits=DecodeLimits(errors_max=10_000)
            )

    assert peak(work)[1] < 24 << 20


LINES = st.lists(
    st.sampled_from([GOOD, b"", b" ", b"\r", b"{}", b"x", b"[]", b'{"player_id":"x"}', GOOD + b"\r", b"z" * 300, b" " + GOOD])
    | st.binary(max_size=20).map(lambda each: each.replace(b"\n", b"")),
    max_size=40,
)  # fmt: skip


def told(checked: Checked) -> tuple[Any, Any]:
    return checked.rows.to_pylist(), [(e.line, e.field, e.error, e.raw, e.row) for e in checked.errors]


@settings(max_examples=60, deadline=None)
@given(LINES, st.integers(1, 400))
def test_a_body_is_judged_alike_whether_it_is_held_or_not(lines: list[bytes], block: int) -> None:
    limits = DecodeLimits(line_max=200)
    texts = {NDJSON: b"\n".join(lines), JSON: b"[" + b" ,\n".join([GOOD, b"{}", b"1", b'"},"'] * len(lines)) + b"\n]"}
    small = unpack_function.__globals__
    before = small["SMALL"], ndjson.BLOCK, json_module.WINDOW
    for media_type, text in texts.items():
        held = read_rows(PLAYLOGS, text, media_type, limits=limits) if media_type == NDJSON or lines else None
        try:
            small["SMALL"], ndjson.BLOCK, json_module.WINDOW = 0, block, block
            body = unpacked(gzip.compress(text), "gzip", unpacked_max=1 << 20)
            assert body.content is None or not text
            if held is not None:
                assert told(read_rows(PLAYLOGS, body, media_type, limits=limits)) == told(held)
        finally:
            small["SMALL"], ndjson.BLOCK, json_module.WINDOW = before
