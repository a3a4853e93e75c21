"""Replies as JSON, or as PHP's serialize() writes the same array.

docs/vendors/scaleengine.md#5, #6: keys and their order are exact. Rows are written column by column, as a reply
may have hundreds of thousands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import phpserialize
import pyarrow as pa
import pyarrow.compute as pc
from litestar import Request

from airtally.kit.time import SECOND_US
from airtally.query.narrow import is_wide, plain
from airtally.query.question import BUCKET

COUNTS = ("viewer_count_avg", "viewer_count_min", "viewer_count_max", "viewer_count_sum")
_SLICE = 1 << 16
#: Of a time such as `2026-11-20 08:00:00`.
_TIME_LENGTH = 19

Piece = bytes | memoryview


@dataclass(frozen=True, slots=True)
class CallContext:
    """When a request came (`time.perf_counter`), and whether its reply is to be PHP's."""

    started: float
    serialized: bool = False

    @property
    def handle_time(self) -> str:
        return f"{time.perf_counter() - self.started:.4f} seconds"


@dataclass(frozen=True, slots=True)
class ReplyBody:
    content: bytes
    media_type: str


def call_of(request: Request[Any, Any, Any]) -> CallContext:
    state = request.scope.get("state") or {}
    return CallContext(state.get("started") or time.perf_counter(), state.get("serialized", False))


def failed(call: CallContext, code: str, message: str) -> ReplyBody:
    return _body(call, {"message": message, "status": "failure", "code": code})


def nobody(call: CallContext, message: str, status: str) -> ReplyBody:
    return _body(call, {"message": message, "status": status, "data": []})


def found(call: CallContext, message: str, table: pa.Table) -> ReplyBody:
    """`table` has a row for each app, stream and bucket: their samples, sum, least and greatest."""
    rows = _render_rows(table, _PHP if call.serialized else _JSON)
    return _body(call, {"message": message, "status": "success", "data": rows})


def _body(call: CallContext, members: dict[str, Any]) -> ReplyBody:
    """A value that is a list of bytes is written already. The time is taken last."""
    members["handle_time"] = call.handle_time
    form = _PHP if call.serialized else _JSON
    parts: list[Piece] = [form.opening % len(members) if form.numbered else form.opening]
    for name, value in members.items():
        parts += [form.write(name), form.colon]
        parts += value if value and isinstance(value, list) else [form.write(value)]
        parts.append(form.comma)
    return ReplyBody(b"".join([*_closed(parts, form), form.closing]), form.media_type)


def _closed(parts: list[Piece], form: _Format) -> list[Piece]:
    """Without the comma after the last."""
    parts[-1] = parts[-1][: len(parts[-1]) - len(form.comma)]
    return parts


@dataclass(frozen=True, slots=True)
class _Format:
    """How values are written; `start` and `between`: the texts before a row's counts; `end`: those around its time."""

    media_type: str
    write: Callable[[Any], bytes]
    opening: bytes
    closing: bytes
    colon: bytes
    comma: bytes
    row_list: tuple[bytes, bytes]
    start: Callable[[str, str], str]
    between: Sequence[str]
    end: tuple[str, str]
    numbered: bool = False


def _json_text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _php_text(text: str) -> str:
    written: bytes = phpserialize.dumps(text)
    return written.decode()


_JSON = _Format(
    media_type="application/json; charset=utf-8",
    write=msgspec.json.encode,
    opening=b"{",
    closing=b"}",
    colon=b":",
    comma=b",",
    row_list=(b"[", b"]"),
    start=lambda app, url: f'{{"app":{_json_text(app)},"video_url":{_json_text(url)},"{COUNTS[0]}":',
    between=[f',"{name}":' for name in COUNTS[1:]],
    end=(',"time":"', '"},'),
)
_PHP = _Format(
    media_type="text/plain",  # the framework adds the charset
    write=phpserialize.dumps,
    opening=b"a:%d:{",
    closing=b"}",
    colon=b"",
    comma=b"",
    row_list=(b"a:%d:{", b"}"),
    start=lambda app, url: "".join(("a:7:{", *map(_php_text, ("app", app, "video_url", url, COUNTS[0])), "i:")),
    between=[f";{_php_text(name)}i:" for name in COUNTS[1:]],
    end=(f';{_php_text("time")}s:{_TIME_LENGTH}:"', '";}'),
    numbered=True,
)


def _render_rows(table: pa.Table, form: _Format) -> list[Piece]:
    """In order of time, app and stream, texts by their bytes."""
    opening, closing = form.row_list
    ordered = table.sort_by([(BUCKET, "ascending"), ("app", "ascending"), ("video_url", "ascending")])
    parts: list[Piece] = [opening % table.num_rows if form.numbered else opening]
    parts += [_slice(ordered.slice(start, _SLICE), start, form) for start in range(0, ordered.num_rows, _SLICE)]
    return [*_closed(parts, form), closing]


def _slice(table: pa.Table, start: int, form: _Format) -> memoryview:
    counts = [_average(table), *(table[name].combine_chunks() for name in ("min", "max", "sum"))]
    first, *others = map(_digits, counts)
    columns = [_starts(table, form), first]
    for between, count in zip(form.between, others, strict=True):
        columns += [between, count]
    columns.append(_ends(table, form))
    if form.numbered:
        numbers = pc.cast(pa.array(range(start, start + table.num_rows), pa.int64()), pa.string())
        columns = ["i:", numbers, ";", *columns]
    return _concatenate(pc.binary_join_element_wise(*columns, ""))


def _digits(counts: pa.Array) -> pa.Array:
    return pa.array(list(map(str, plain(counts))), pa.string()) if is_wide(counts) else pc.cast(counts, pa.string())


def _average(table: pa.Table) -> pa.Array:
    """Rounded half up; no count is negative. The rest is compared, as twice the sum need not fit."""
    total, samples = table["sum"].combine_chunks(), table["samples"].combine_chunks()
    if is_wide(total):  # what is rounded is no more than the largest sample
        pairs = zip(plain(total), samples.to_pylist(), strict=True)
        return pa.array([(2 * each + count) // (2 * count) for each, count in pairs], pa.int64())
    whole = pc.divide(total, samples)
    rest = pc.subtract(total, pc.multiply(whole, samples))
    up = pc.greater_equal(rest, pc.subtract(samples, rest))
    return pc.add(whole, pc.cast(up, pa.int64()))


def _starts(table: pa.Table, form: _Format) -> pa.Array:
    """Each pair of app and stream is written once."""
    apps, urls = (pc.dictionary_encode(table[name].combine_chunks()) for name in ("app", "video_url"))
    width = len(urls.dictionary)
    pairs = pc.add(pc.multiply(pc.cast(apps.indices, pa.int64()), width), pc.cast(urls.indices, pa.int64()))
    pairs = pc.dictionary_encode(pairs)
    names, paths = apps.dictionary.to_pylist(), urls.dictionary.to_pylist()
    texts = [form.start(names[pair // width], paths[pair % width]) for pair in pairs.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(pairs.indices)


def _ends(table: pa.Table, form: _Format) -> pa.Array:
    """Each time is written once, by numpy: that takes a seventh of the time of `strftime`."""
    buckets = pc.dictionary_encode(table[BUCKET].combine_chunks())
    seconds = (buckets.dictionary.to_numpy() // SECOND_US).astype("datetime64[s]")
    moments = pc.replace_substring(pa.array(np.datetime_as_string(seconds)), "T", " ")
    before, after = form.end
    return pc.binary_join_element_wise(before, moments, after, "").take(buckets.indices)


def _concatenate(texts: pa.Array) -> memoryview:
    """The texts one after the other, which is how Arrow holds them."""
    offsets = memoryview(texts.buffers()[1]).cast("i")
    return memoryview(texts.buffers()[2])[offsets[texts.offset] : offsets[texts.offset + len(texts)]]
