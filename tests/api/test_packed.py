"""Packed answers over HTTP: bytes as they are sent, to GET and to HEAD, asked again, refused, and of a page."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pyarrow as pa
import pytest

DOCUMENT = "/api/v1/openapi.json"


def raw(server: Any, path: str, accepted: str, method: str = "GET", **headers: str) -> tuple[httpx.Headers, int, bytes]:
    asked = {"Accept-Encoding": accepted} | {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.stream(method, server.url + path, headers=asked) as answer:
        return answer.headers, answer.status_code, b"".join(answer.iter_raw())


@pytest.mark.parametrize(("accepted", "coding"), [("gzip", "gzip"), ("zstd, gzip;q=0.5", "zstd"), ("identity", None)])
def test_the_same_text_in_each_form(api_server: Any, accepted: str, coding: str | None) -> None:
    headers, status, body = raw(api_server, DOCUMENT, accepted)
    assert (status, headers.get("content-encoding")) == (200, coding)
    unpack = {
        "gzip": gzip.decompress,
        "zstd": lambda text: pa.CompressedInputStream(pa.BufferReader(text), "zstd").read(),
    }
    plain = raw(api_server, DOCUMENT, "identity")[2]
    assert (body if coding is None else unpack[coding](body)) == plain
    assert int(headers["content-length"]) == len(body)
    assert "Accept-Encoding" in headers["vary"]
    assert coding is None or len(body) < len(plain) / 4


def test_to_head_and_asked_again(api_server: Any, client: Any) -> None:
    path, key = "/api/v1/streams", f"Bearer {client.token}"
    got, status, body = raw(api_server, path, "gzip", Authorization=key)
    assert (status, got["content-encoding"]) == (200, "gzip")
    assert got["etag"].startswith('W/"')
    head, status, nothing = raw(api_server, path, "gzip", "HEAD", Authorization=key)
    assert (status, nothing) == (200, b"")
    assert "content-length" not in head
    assert [head[name] for name in ("etag", "vary", "content-encoding")] == [
        got[name] for name in ("etag", "vary", "content-encoding")
    ]
    again, status, nothing = raw(api_server, path, "gzip", Authorization=key, If_None_Match=got["etag"])
    assert (status, nothing) == (304, b"")
    assert "content-encoding" not in again
    assert again["etag"].removeprefix("W/") == got["etag"].removeprefix("W/")
    assert "Accept-Encoding" in again["vary"]
    assert gzip.decompress(body) == raw(api_server, path, "", Authorization=key)[2]


def test_pages_stay_as_they_are(api_server: Any) -> None:
    """They hold tokens of forms beside what a stranger may have put into a link (BREACH)."""
    headers, status, body = raw(api_server, "/login", "gzip", Accept="text/html")
    assert (status, headers.get("content-encoding")) == (200, None)
    assert b"<html" in body
