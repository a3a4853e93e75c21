"""Unpacked bodies: small ones are held in memory, others are unpacked again each time they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

from airtally.ingest.decode.text import TextFile
from airtally.kit.fair import pause

#: Bodies up to this unpacked size are held in memory.
SMALL = 8 << 20
#: Bytes by which a body without a content type is judged: more than the longest line has.
HEAD = 1 << 20


class UnpackedBody:
    """`size` is the unpacked size.

    `pieces` unpacks the body from the beginning; `content` is all of it, if it is held.
    """

    def __init__(self, size: int, pieces: Callable[[], Iterator[bytes]], content: bytes | None = None) -> None:
        self.size = size
        self._pieces = pieces
        self.content = content
        self._forward: TextFile | None = None

    @classmethod
    def of(cls, content: bytes) -> UnpackedBody:
        return cls(len(content), lambda: iter((content,)), content)

    def whole(self) -> bytes | bytearray:
        """The whole body, for formats that cannot be read piece by piece."""
        if self.content is not None:
            return self.content
        whole, end = bytearray(self.size), 0
        for piece in self._with_pauses():
            whole[end : end + len(piece)] = piece
            end += len(piece)
        return whole

    @property
    def head(self) -> bytes:
        """The first bytes: all, or at least `HEAD`, however small the pieces are."""
        if self.content is not None:
            return self.content
        found, size = [], 0
        for piece in self._pieces():
            found.append(piece)
            size += len(piece)
            if size >= HEAD:
                break
        return b"".join(found)

    def digest(self) -> str:
        digest = hashlib.sha256()
        for piece in self._with_pauses():
            digest.update(piece)
        return digest.hexdigest()

    def text(self) -> TextFile:
        """The body as a file, from the beginning."""
        file: Any = _Pieces(self._pieces()) if self.content is None else io.BytesIO(self.content)
        return TextFile(file, "the body")

    def at(self, position: int) -> TextFile:
        """The body as a file from a position, which ends the use of the last such file.

        Cheap while positions ascend.
        """
        if self._forward is None or self._forward.position > position:
            self._forward = self.text()
        self._forward.skip(position)
        return self._forward

    def _with_pauses(self) -> Iterator[bytes]:
        for piece in self._pieces():
            pause()
            yield piece


class _Pieces:
    """Reads pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> memoryview:
        """At most `size` bytes; empty only at the end."""
        piece = self._rest or memoryview(next(self._pieces, b""))
        self._rest = piece[size:]
        return piece[:size]

    def close(self) -> None:
        self._pieces = iter(())
