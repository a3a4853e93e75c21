"""Packed answers: whole and in pieces, where the client accepts it and the answer is one that may be."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import MutableMapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from isal import isal_zlib

from airtally.files.gzip import packed_text
from airtally.query.answers import WrittenAnswer
from airtally.web.packing import LEAST_BYTES, Packing, answer_of

JSON = (b"content-type", b"application/json")
LONG = b'{"country":"US"},' * 100
VERY_LONG = LONG * 300


def sent(
    pieces: Sequence[bytes],
    accepted: str = "gzip",
    *headers: tuple[bytes, bytes],
    status: int = 200,
    head_only: bool = False,
) -> tuple[dict[bytes, bytes], list[bytes]]:
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    async def answer() -> None:
        packing = Packing(send, accepted, head_only=head_only)
        given = list(headers or [JSON])
        await packing({"type": "http.response.start", "status": status, "headers": given})
        for place, piece in enumerate(pieces):
            more = place < len(pieces) - 1
            await packing({"type": "http.response.body", "body": piece, "more_body": more})
        assert given == list(headers or [JSON]), "the handler's own headers stay as they are"

    asyncio.run(answer())
    assert len(dict(messages[0]["headers"])) == len(messages[0]["headers"]), "each header once"
    return dict(messages[0]["headers"]), [each["body"] for each in messages[1:]]


def plain(coding: bytes | None, pieces: Sequence[bytes]) -> bytes:
    whole = b"".join(pieces)
    if coding is None:
        return whole
    if coding == b"gzip":
        return zlib.decompress(whole, wbits=31)
    found: bytes = pa.CompressedInputStream(pa.BufferReader(whole), "zstd").read()
    return found


@pytest.mark.parametrize(("accepted", "coding"), [("gzip", b"gzip"), ("zstd", b"zstd"), ("gzip;q=0", None), ("", None)])
@pytest.mark.parametrize(
    "pieces",
    [[LONG], [VERY_LONG], [LONG[:7], b"", VERY_LONG, LONG], [b"", LONG], [LONG, b""]],
    ids=["long", "very long", "pieces", "empty first", "empty last"],
)
def test_what_comes_out_is_what_went_in(accepted: str, coding: bytes | None, pieces: list[bytes]) -> None:
    length = (b"content-length", str(sum(map(len, pieces))).encode())
    headers, packed = sent(pieces, accepted, JSON, length, (b"vary", b"Origin"), (b"etag", b'"t"'))
    assert plain(coding, packed) == b"".join(pieces)
    assert headers.get(b"content-encoding") == coding
    assert headers[b"vary"] == b"Origin, Accept-Encoding"
    assert headers[b"etag"] == (b'"t"' if coding is None else b'W/"t"')
    if coding is None:
        assert headers[b"content-length"] == length[1]
    else:
        assert headers.get(b"content-length") == (None if len(pieces) > 1 else str(len(packed[0])).encode())


def test_each_piece_can_be_read_at_once() -> None:
    pieces = [LONG, VERY_LONG, b"end"]
    reading = isal_zlib.decompressobj(wbits=31)
    assert [reading.decompress(each) for each in sent(pieces, "gzip")[1]] == pieces
    _, packed = sent(pieces, "zstd")
    assert all(packed)
    assert sum(map(len, packed)) < sum(map(len, pieces)) / 10


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, [(b"content-type", b"text/html")]),
        (200, [(b"content-type", b"application/gzip")]),
        (200, [(b"content-type", b"application/vnd.apache.arrow.stream")]),
        (200, [JSON, (b"content-encoding", b"br")]),
        (200, [(b"content-type", b"text/csv"), (b"accept-ranges", b"bytes")]),
        (200, [JSON, (b"cache-control", b"private, no-transform")]),
        (206, [(b"content-type", b"text/csv"), (b"content-range", b"bytes 0-1699/9000")]),
        (200, [(b"x-nothing", b"said")]),
    ],
    ids=["page", "file", "arrow", "packed", "ranges", "no-transform", "part", "no type"],
)
def test_what_is_never_packed(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    assert sent([LONG], "gzip", *headers, status=status) == (dict(headers), [LONG])


@pytest.mark.parametrize("kind", ["text/csv; charset=utf-8", "application/problem+json", "APPLICATION/JSON"])
@pytest.mark.parametrize("status", [200, 201, 404, 500])
def test_errors_and_csv_too(kind: str, status: int) -> None:
    headers, packed = sent([LONG], "gzip", (b"content-type", kind.encode()), status=status)
    assert plain(headers[b"content-encoding"], packed) == LONG


@pytest.mark.parametrize("accepted", ["gzip", "zstd", ""])
@pytest.mark.parametrize("text", [LONG, b"short"], ids=["long", "short"])
def test_an_answer_of_pieces_that_keep_their_packed_form(accepted: str, text: bytes) -> None:
    kept = WrittenAnswer(text, 0, 0, lambda: packed_text(text))
    answer = answer_of(accepted, [b"{", kept, b"}"], {"X-Said": "so"}, "application/json")
    coding = answer.headers.get("Content-Encoding")
    assert coding == ("gzip" if accepted == "gzip" and text is LONG else None)
    assert plain(None if coding is None else coding.encode(), [answer.content]) == b"{" + text + b"}"
    assert answer.headers["X-Said"] == "so"


def test_short_answers_stay_as_they_are() -> None:
    for size, coding in ((LEAST_BYTES - 1, None), (LEAST_BYTES, b"gzip")):
        headers, _ = sent([b"x" * size])
        assert headers.get(b"content-encoding") == coding
        assert headers[b"vary"] == b"Accept-Encoding"


@pytest.mark.parametrize(("size", "coding"), [(LEAST_BYTES - 1, None), (LEAST_BYTES, b"gzip")])
def test_the_head_alone_is_that_of_the_answer(size: int, coding: bytes | None) -> None:
    length = (b"content-length", str(size).encode())
    headers, body = sent([b""], "gzip", JSON, length, head_only=True)
    assert body == [b""]
    assert headers.get(b"content-encoding") == coding
    assert headers.get(b"content-length") == (length[1] if coding is None else None)


def test_an_answer_that_the_client_has_says_what_it_depends_on() -> None:
    tag = (b"etag", b'"t"')
    assert sent([b""], "gzip", tag, status=304)[0] == {b"etag": b'"t"', b"vary": b"Accept-Encoding"}
    file = (tag, (b"accept-ranges", b"bytes"))
    assert sent([b""], "gzip", *file, status=304)[0] == dict(file)
