"""Bodies for the decoders: right ones of every format, and what grammar-aware and blind mutations make of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa

from airtally.streams import STREAMS
from airtally.streams.declaration import Stream
from fuzz.chance import Chance
from fuzz.decoding.body import Body
from fuzz.decoding.columnar import arrow, feather, parquet
from fuzz.decoding.damage import damaged
from fuzz.decoding.text import csv_text, json_array, ndjson
from fuzz.rows import row
from fuzz.tenants import A, Tenant

PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
NDJSON, JSON, CSV = "application/x-ndjson", "application/json", "text/csv"

Rows = list[dict[str, Any]]
#: Each gives the content, and how many rows it holds where that is known.
Maker = Callable[[Chance, Stream, Rows, bool], tuple[bytes, int | None]]

_BODIES: dict[str, Maker] = {NDJSON: ndjson, JSON: json_array, PARQUET: parquet, ARROW: arrow, CSV: csv_text}
_FILES: dict[str, Maker] = {
    ".csv": csv_text, ".ndjson": ndjson, ".json": json_array, ".parquet": parquet, ".arrows": arrow, ".arrow": feather, ".feather": feather,
}  # fmt: skip
_COUNTS = {0: 1, 1: 6, 3: 10, 12: 6, 200: 2, 3000: 1}


def draw(chance: Chance, today: date, tenant: Tenant = A, *, stream: str | None = None, files: bool = True) -> Body:
    """Mostly spoiled in some way; one in six is right. Without `files` as HTTP takes it alone."""
    of = STREAMS[stream or chance.choice(list(STREAMS))]
    as_file = files and chance.one_in(3)
    kind = chance.choice(list(_FILES if as_file else _BODIES))
    spoiled = not chance.one_in(6)
    rows = _rows(chance, tenant, of, today)
    content, count = (_FILES if as_file else _BODIES)[kind](chance, of, rows, spoiled and not chance.one_in(3))
    if spoiled and chance.one_in(2):
        content, count = damaged(chance, content), None
    if not as_file and chance.one_in(8):
        kind = ""  # no content type: the body is looked at
    body = Body(of.name, kind, content, "", count)
    return _packed(chance, body, spoiled=spoiled) if chance.one_in(4) else body


def _rows(chance: Chance, tenant: Tenant, stream: Stream, today: date) -> Rows:
    """Large counts repeat a few rows: it is the decoders' time that is wanted, not this program's."""
    count = chance.weighted(_COUNTS)
    few = [row(chance, tenant, stream, today) for _ in range(min(count, 12))]
    return [few[at % 12] for at in range(count)]


def _packed(chance: Chance, body: Body, *, spoiled: bool) -> Body:
    """Gzip or zstd, whole, in members, cut, or not what the name says."""
    wrapped = {"gzip": _gzip, "zstd": _zstd}
    name = chance.choice(list(wrapped))
    content = wrapped[name](chance, body.content)
    rows = body.rows
    if spoiled and chance.one_in(2):
        content, rows = damaged(chance, content), None
    if body.is_file:
        text = body.kind in {".csv", ".ndjson", ".json"}
        ending = {"gzip": ".gz", "zstd": ".zst"}[name]
        return Body(body.stream, body.kind + (ending if text else ""), content if text else body.content, "", rows)
    said = name
    if spoiled and chance.one_in(10):
        said, rows = chance.of("", "identity", "br", "gzip, gzip", "x-gzip", "GZIP", "zstd", "gzip"), None
    return Body(body.stream, body.kind, content, said, rows)


def _gzip(chance: Chance, content: bytes) -> bytes:
    if chance.one_in(4):
        at = chance.randrange(len(content) + 1)
        return _member(content[:at]) + chance.of(b"", b"\0" * 9) + _member(content[at:])
    return _member(content)


def _member(content: bytes) -> bytes:
    """One gzip member without the time it was made: a case must be the same again in the next second."""
    return gzip.compress(content, 1, mtime=0)


def _zstd(chance: Chance, content: bytes) -> bytes:
    frame: bytes = pa.compress(content, "zstd", asbytes=True)
    return frame * chance.of(1, 1, 1, 0) or frame
