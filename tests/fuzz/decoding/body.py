"""One body or file for the decoders: drawn, and written down as a line of text."""

from __future__ import annotations

import base64
import zlib

import msgspec


class Body(msgspec.Struct):
    """`kind` is a media type, empty if none is said, or for a file its ending. `rows` is how many it holds, None where nobody can say."""

    stream: str
    kind: str
    content: bytes
    encoding: str = ""
    rows: int | None = None

    @property
    def is_file(self) -> bool:
        return self.kind.startswith(".")

    def written(self) -> str:
        return base64.urlsafe_b64encode(zlib.compress(msgspec.msgpack.encode(self), 9)).decode()

    @classmethod
    def read(cls, text: str) -> Body:
        return msgspec.msgpack.decode(zlib.decompress(base64.urlsafe_b64decode(text)), type=cls)

    def shown(self) -> str:
        return f"{self.stream} {self.kind} {self.encoding} {self.content[:200]!r} ({len(self.content)} bytes, rows {self.rows})"
