"""Compressed answers: `Accept-Encoding` honoured for JSON and CSV, whoever writes them, whole or in pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from io import BytesIO
from typing import Any, Protocol

import pyarrow as pa
from isal import isal_zlib
from litestar import Response

from airtally.files.gzip import LEVEL, PackedText, member, packed_text
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import coding_of

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

#: Shorter answers are sent as they are.
LEAST_BYTES = 1024
#: In the order in which the server prefers them.
CODINGS = ("gzip", "zstd")
_MEDIA_TYPES = frozenset(
    {b"application/json", b"application/problem+json", b"application/x-ndjson", b"application/ndjson", b"text/csv"}
)
#: More bytes are packed on a worker thread, so that the event loop does not wait.
_ON_LOOP_BYTES = 1 << 17
#: No content, a part of a file, what the client has, no such part.
_NEVER = frozenset({204, 206, 304, 416})
_GZIP_MEMBER = 31


class Coder(Protocol):
    """Packs an answer piece by piece; a reader can unpack all that was given so far."""

    def pack(self, piece: bytes, *, last: bool) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._deflate = isal_zlib.compressobj(LEVEL, wbits=_GZIP_MEMBER)

    def pack(self, piece: bytes, *, last: bool) -> bytes:
        packed: bytes = self._deflate.compress(piece)
        rest: bytes = self._deflate.flush() if last else self._deflate.flush(isal_zlib.Z_SYNC_FLUSH)
        return packed + rest


class _Zstd:
    def __init__(self) -> None:
        self._sink = BytesIO()
        self._stream = pa.CompressedOutputStream(pa.PythonFile(_Open(self._sink), "wb"), "zstd")

    def pack(self, piece: bytes, *, last: bool) -> bytes:
        self._stream.write(piece)
        if last:
            self._stream.close()
        else:
            self._stream.flush()
        packed = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return packed


class _Open:
    """A sink that closing its stream leaves open."""

    closed = False

    def __init__(self, sink: BytesIO) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        return


_CODERS: dict[str, Callable[[], Coder]] = {"gzip": _Gzip, "zstd": _Zstd}


class Packing:
    """Sends an answer on, packed if the client accepts that and the answer may be.

    The head waits for the first piece of the body, which tells whether the answer is long enough. An answer that may
    be packed has `Vary: Accept-Encoding` in either form; a packed one has a weak `ETag`, as its bytes are not those
    of the other form, and no `Content-Length` where it comes in pieces, or where only its head is asked for.
    """

    __slots__ = ("_coder", "_coding", "_head", "_head_only", "_send")

    def __init__(self, send: Send, accepted: str, *, head_only: bool) -> None:
        self._send, self._head_only = send, head_only
        self._coding = coding_of(accepted, CODINGS)
        self._head: Message | None = None
        self._coder: Coder | None = None

    @classmethod
    def of(cls, scope: Mapping[str, Any], send: Send) -> Packing:
        """For the answer to a request."""
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        return cls(send, accepted.decode("latin-1"), head_only=scope["method"] == "HEAD")

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if may_be_packed(message["status"], message.get("headers", ())):
                self._head = {**message, "headers": varying(message.get("headers", ()))}
            else:
                await self._send(_like_its_answer(message))
        elif self._head is not None:
            head, self._head = self._head, None
            await self._begin(head, message)
        elif self._coder is not None:
            await self._send(await self._packed(message))
        else:
            await self._send(message)

    async def _begin(self, head: Message, message: Message) -> None:
        more, length = message.get("more_body", False), len(message.get("body", b""))
        if self._head_only:
            length = _announced(head["headers"])
        if self._coding is None or (length < LEAST_BYTES and (self._head_only or not more)):
            await self._send(head)
            await self._send(message)
            return
        if self._head_only:
            await self._send({**head, "headers": _coded(head["headers"], self._coding, None)})
            await self._send(message)
            return
        self._coder = _CODERS[self._coding]()
        packed = await self._packed(message)
        size = None if more else len(packed["body"])
        await self._send({**head, "headers": _coded(head["headers"], self._coding, size)})
        await self._send(packed)

    async def _packed(self, message: Message) -> Message:
        assert self._coder is not None  # noqa: S101 (made with the first piece)
        piece, more = message.get("body", b""), message.get("more_body", False)
        if not piece and more:
            return message
        if len(piece) <= _ON_LOOP_BYTES:
            packed = self._coder.pack(piece, last=not more)
        else:
            packed = await in_thread(_pack, self._coder, piece, not more)
        return {**message, "body": packed}


class PackedPiece(Protocol):
    """A part of an answer that keeps its packed form, as `query/answers.py` does."""

    @property
    def body(self) -> bytes: ...

    @property
    def pack(self) -> Callable[[], PackedText]: ...


def answer_of(
    accepted: str, pieces: Iterable[bytes | PackedPiece], headers: Mapping[str, str], media_type: str
) -> Response[bytes]:
    """The pieces as one answer: to a client that prefers gzip, of the packed forms that they keep."""
    found = list(pieces)
    texts = [each if isinstance(each, bytes) else each.body for each in found]
    if sum(map(len, texts)) < LEAST_BYTES or coding_of(accepted, CODINGS) != "gzip":
        return Response(b"".join(texts), headers=dict(headers), media_type=media_type)
    content = member(packed_text(each) if isinstance(each, bytes) else each.pack() for each in found)
    coded = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(content, headers={**headers, **coded}, media_type=media_type)


def may_be_packed(status: int, headers: Headers) -> bool:
    """Whether an answer is JSON or CSV, whole, in its plain form, and no file that is read in ranges."""
    if status in _NEVER:
        return False
    found = {name.lower(): value for name, value in headers}
    if not found.keys().isdisjoint({b"content-encoding", b"content-range", b"accept-ranges"}):
        return False
    if b"no-transform" in found.get(b"cache-control", b""):
        return False
    return found.get(b"content-type", b"").partition(b";")[0].strip().lower() in _MEDIA_TYPES


def varying(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers with `Accept-Encoding` in their one `Vary`."""
    named = [value for name, value in headers if name.lower() == b"vary"]
    others = [pair for pair in headers if pair[0].lower() != b"vary"]
    return [*others, (b"vary", b", ".join([*named, b"Accept-Encoding"]))]


def _like_its_answer(head: Message) -> Message:
    """With the `Vary` that the answer has which a client keeps (RFC 9110, 15.4.5); a file has none."""
    headers = head.get("headers", ())
    if head["status"] != 304 or any(name.lower() == b"accept-ranges" for name, _ in headers):
        return head
    return {**head, "headers": varying(headers)}


def _pack(coder: Coder, piece: bytes, last: bool) -> bytes:  # noqa: FBT001 (called by position on another thread)
    return coder.pack(piece, last=last)


def _coded(headers: Headers, coding: str, size: int | None) -> list[tuple[bytes, bytes]]:
    sent = [_weak(name, value) for name, value in headers if name.lower() != b"content-length"]
    length = [] if size is None else [(b"content-length", str(size).encode())]
    return [*sent, (b"content-encoding", coding.encode()), *length]


def _weak(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return (name, b"W/" + value) if name.lower() == b"etag" and not value.startswith(b"W/") else (name, value)


def _announced(headers: Headers) -> int:
    found = next((value for name, value in headers if name.lower() == b"content-length"), b"")
    return int(found) if found.isdigit() else 0
