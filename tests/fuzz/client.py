"""Connections to the server under test. Answers are read strictly: one that is not HTTP is a fault of the server."""

from __future__ import annotations

import asyncio
import gzip
import random
import ssl
import time
import zlib
from dataclasses import dataclass, field

from fuzz.wire import Sent

#: Seconds until an answer counts as missing.
LONGEST = 30.0
#: How long to wait for an answer that need not come.
_MAYBE = 0.3
_REUSED = 200
_LINE = 64 << 10


class BadAnswer(AssertionError):
    """The server's bytes are no answer, in words."""


@dataclass
class Answer:
    """`seconds` from the last byte sent to the last byte received; `status` 0: the connection was closed instead."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def text(self) -> bytes:
        """Unpacked, whoever packed it."""
        body = self.body
        if body[:2] == b"\x1f\x8b":
            try:
                return gzip.decompress(body)
            except (OSError, EOFError, zlib.error):  # a range of a file
                return body
        return body


class Connection:
    """One at a time, used again until somebody closes it; each from another address of loopback.

    What is slowed down or refused by address is then not the whole run.
    """

    def __init__(self, host: str, port: int, *, tls: bool, place: int) -> None:
        self._at = (host, port)
        self._tls = _unverified() if tls else None
        self._addresses = random.Random(place)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0

    @property
    def fresh(self) -> bool:
        return self._streams is None

    async def ask(self, sent: Sent, *, head: bool) -> Answer:
        """Status 0 where the connection was closed without an answer, or none came that need not have come."""
        reader, writer = self._streams or await self._open()
        self._used += 1
        started = time.perf_counter()
        try:
            async with asyncio.timeout(LONGEST if sent.complete else _MAYBE):
                await _send(writer, sent)
                started = time.perf_counter()
                answer, stays = await _read(reader, head=head)
        except TimeoutError:
            answer, stays = Answer(), False
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            answer, stays = Answer(), False
        except BaseException:
            await self.close()
            raise
        answer.seconds = time.perf_counter() - started
        if not (stays and sent.complete and self._used < _REUSED):
            await self.close()
        return answer

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = ".".join(str(part) for part in (127, *(self._addresses.randrange(1, 255) for _ in range(3))))
        self._streams = await asyncio.open_connection(*self._at, ssl=self._tls, local_addr=(address, 0), limit=_LINE)
        self._used = 0
        return self._streams


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _send(writer: asyncio.StreamWriter, sent: Sent) -> None:
    for place, piece in enumerate(sent.pieces):
        if place:
            await asyncio.sleep(0.01)
        writer.write(piece)
        try:
            await writer.drain()
        except ConnectionError:  # refused before it was all sent: its answer is there, perhaps
            return


async def _read(reader: asyncio.StreamReader, *, head: bool) -> tuple[Answer, bool]:
    """The answer, and whether the connection stays."""
    status, headers = await _head(reader)
    while status == 100:
        status, headers = await _head(reader)
    answer = Answer(status, headers)
    stays = "close" not in headers.get("connection", "").lower()
    if head or status in {204, 304} or status < 200:
        return answer, stays and status != 101
    if "chunked" in headers.get("transfer-encoding", ""):
        answer.body = b"".join([chunk async for chunk in _chunks(reader)])
    elif "content-length" in headers:
        answer.body = await reader.readexactly(_whole(headers["content-length"]))
    else:
        answer.body, stays = await reader.read(), False
    return answer, stays


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    line = await reader.readuntil(b"\r\n")
    parts = line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1].strip()) != 3:
        raise BadAnswer(f"an answer begins with {line[:200]!r}")
    headers: dict[str, str] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").lower()
        if not colon or not key.strip() or key != key.strip():
            raise BadAnswer(f"a header is {line[:200]!r}")
        if key in {"content-length", "transfer-encoding", "content-type"} and key in headers:
            raise BadAnswer(f"{key} stands twice in an answer")
        headers[key] = value.decode("latin-1").strip()
    return _whole(parts[1].decode("latin-1")), headers


async def _chunks(reader: asyncio.StreamReader):  # type: ignore[no-untyped-def]
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


def _whole(text: str) -> int:
    if not text.strip().isdigit():
        raise BadAnswer(f"not a number: {text[:100]!r}")
    return int(text)
