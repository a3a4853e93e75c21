"""Serves a stored file over HTTP: whole, a range of it, or its headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.enums import HttpMethod
from litestar.response import Stream

from airtally.files.store import FileStore

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ServedFile:
    """`stored` is its name in the file store, `name` the name that clients save it under."""

    stored: str
    name: str
    size: int
    sha256: str
    media_type: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


def send(
    request: Request[Any, Any, Any], files: FileStore, file: ServedFile, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """Send the file or one range; `headers` override those made here. Reads the store: not for the event loop.

    Raises NotFound where the store has no such file, Unavailable where it does not answer.
    """
    base = _headers(file) | dict(headers or {})
    if request.headers.get("if-none-match") == file.etag:
        return Response(None, status_code=304, headers=base)
    start, end, status = _requested_range(request, file)
    if status == 416:
        unmet = {"Content-Range": f"bytes */{file.size}"}
        return Response(b"", status_code=416, headers=unmet, media_type=file.media_type)
    if status == 206:
        base["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    base["Content-Length"] = str(end - start)
    chunks: Iterator[bytes] = iter(())
    if request.method == HttpMethod.GET and start < end:
        chunks = files.read(file.stored, start, end)
    return Stream(chunks, status_code=status, headers=base, media_type=file.media_type)


def _requested_range(request: Request[Any, Any, Any], file: ServedFile) -> tuple[int, int, int]:
    """Start, end and status; a range that cannot be parsed is ignored."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or not (match[1] or match[2]) or request.headers.get("if-range", file.etag) != file.etag:
        return 0, file.size, 200
    if not match[1]:
        start, end = max(file.size - int(match[2]), 0), file.size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, file.size) if match[2] else file.size
    return (start, end, 206) if start < end else (0, 0, 416)


def _headers(file: ServedFile) -> dict[str, str]:
    return {
        "ETag": file.etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Airtally-Sha256": file.sha256,
    }
