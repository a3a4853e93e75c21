"""Packed bodies to plain ones, never beyond the limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from isal import isal_zlib
from isal.igzip_lib import IsalError

from airtally.ingest.decode.bodies import SMALL, UnpackedBody
from airtally.kit.errors import BadRequest, TooLarge, UnsupportedMedia
from airtally.kit.fair import pause

#: Some milliseconds' worth.
_STEP = 1 << 20
_BLOCK = 1 << 20
_MEMBERS_MAX = 100_000
_GZIP = 31  # window bits with gzip header


def unpack(body: bytes | memoryview, content_encoding: str, *, unpacked_max: int) -> bytes:
    """`unpacked`, whole."""
    return bytes(unpacked(body, content_encoding, unpacked_max=unpacked_max).whole())


def unpacked(body: bytes | memoryview, content_encoding: str, *, unpacked_max: int) -> UnpackedBody:
    """The body as it was before `Content-Encoding`: gzip (several members too), zstd or none.

    It has been read to its end once. Raises UnsupportedMedia, BadRequest (broken or cut short) and TooLarge (over
    `unpacked_max` bytes; stops there).
    """
    encoding = content_encoding.strip().lower()
    if encoding in {"", "identity"}:
        if len(body) > unpacked_max:
            raise _too_large(unpacked_max)
        return UnpackedBody.of(bytes(body))
    if encoding not in _UNPACK:
        raise UnsupportedMedia(f"cannot unpack Content-Encoding {encoding[:100]}", hint="Send gzip or zstd.")
    held: list[bytes] = []
    total = 0
    for piece in _UNPACK[encoding](body):
        pause()
        total += len(piece)
        if total > unpacked_max:
            raise _too_large(unpacked_max)
        if total <= SMALL:
            held.append(piece)
    if total <= SMALL:
        return UnpackedBody.of(held[0] if len(held) == 1 else b"".join(held))
    return UnpackedBody(total, lambda: _UNPACK[encoding](body))


def _gzip(body: bytes | memoryview) -> Iterator[bytes]:
    """In blocks: what is left of one is copied for each member, and a body of tiny members has many."""
    view, members = memoryview(body), 0
    member: Any = None
    try:
        for start in range(0, len(view), _BLOCK):
            rest: bytes | memoryview = view[start : start + _BLOCK]
            if members and member is None:
                rest = bytes(rest).lstrip(b"\0")
            while rest:
                if member is None:
                    members += 1
                    member = _member(members)
                yield from _inflate(member, rest)
                rest = b""
                if member.eof:
                    rest, member = bytes(member.unused_data).lstrip(b"\0"), None
    except (zlib.error, IsalError) as error:  # type: ignore[misc]  # its stub has no class
        raise BadRequest(f"the body is not gzip: {error}") from None
    if member is not None or not members:
        raise BadRequest("the gzip body is cut short")


def _member(number: int) -> Any:
    if number > _MEMBERS_MAX:
        raise BadRequest(f"the gzip body has more than {_MEMBERS_MAX} members")
    return isal_zlib.decompressobj(wbits=_GZIP)


def _inflate(member: Any, block: bytes | memoryview) -> Iterator[bytes]:
    """What a block adds to a member, until one of them ends."""
    rest = block
    while not member.eof:
        piece = member.decompress(rest, _STEP)
        rest = member.unconsumed_tail
        if piece:
            yield piece
        elif not rest:
            return


def _zstd(body: bytes | memoryview) -> Iterator[bytes]:
    if not body:
        raise BadRequest("the zstd body is cut short")
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := stream.read(_STEP):
                yield piece
    except (OSError, pa.ArrowException) as error:
        raise BadRequest(f"the body is not zstd: {error}") from None


_UNPACK = {"gzip": _gzip, "x-gzip": _gzip, "zstd": _zstd}


def _too_large(unpacked_max: int) -> TooLarge:
    return TooLarge(f"the body is over {unpacked_max} bytes unpacked", hint="Send it in several batches.")
