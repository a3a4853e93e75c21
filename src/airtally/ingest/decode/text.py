"""A text file, packed or not, as unpacked bytes with a position."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
from isal import igzip
from isal.igzip_lib import IsalError

from airtally.kit.errors import BadRequest

BOM = b"\xef\xbb\xbf"
#: Text of some 250,000 rows.
CHUNK_BYTES = 32 << 20
_STEP = 1 << 20


class TextFile:
    """Reads forward only. `position` counts unpacked bytes, `line` is the number of the next line (from 1)."""

    def __init__(self, file: BinaryIO | pa.NativeFile, name: str) -> None:
        self._file: Any = file
        self._name = name
        self._ahead = b""
        self.position = 0
        self.line = 1

    @classmethod
    def of(cls, path: Path) -> Self:
        """Unpacks by the name's ending."""
        return cls(_open_decompressed(path), path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def skip(self, position: int) -> None:
        """Go forward to a position."""
        while self.position < position and self.read(min(_STEP, position - self.position)):
            pass

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        return self._passed(self._take(size))

    def lines(self, size: int, line_max: int) -> bytes:
        """`size` bytes and the rest of the line; empty at the end of the file.

        Of a line far over `line_max` something is left out, still over `line_max`; `position` counts it all.
        """
        block = self._take(size)
        if len(block) == size and not block.endswith(b"\n"):
            block += self._rest_of_line(line_max, len(block) - block.rfind(b"\n") - 1)
        return self._passed(block)

    def _rest_of_line(self, line_max: int, kept: int) -> bytes:
        pieces: list[bytes] = []
        ended = False
        while not ended and (piece := self._take(_STEP)):
            end = piece.find(b"\n") + 1
            if end:
                piece, self._ahead = piece[:end], piece[end:] + self._ahead
                ended = True
            if kept > line_max:
                self.position += len(piece) - ended
                piece = b"\n" if ended else b""
            pieces.append(piece)
            kept += len(piece)
        return b"".join(pieces)

    def _passed(self, block: bytes) -> bytes:
        self.position += len(block)
        self.line += block.count(b"\n")
        return block

    def _take(self, size: int) -> bytes:
        pieces = []
        while size > 0:
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            if not piece:
                piece = self._from_file(size)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _from_file(self, size: int) -> bytes:
        try:
            return bytes(self._file.read(size))
        # The last one's type information is wrong.
        except (zlib.error, EOFError, igzip.BadGzipFile, pa.ArrowException, IsalError) as error:  # type: ignore[misc]
            raise BadRequest(f"{self._name} cannot be unpacked: {error}") from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise BadRequest(f"{self._name} cannot be unpacked: {error}") from None


def _open_decompressed(path: Path) -> BinaryIO | pa.NativeFile:
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(igzip.open(path, "rb"))
    if path.suffix.lower() == ".zst":
        return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return path.open("rb")
