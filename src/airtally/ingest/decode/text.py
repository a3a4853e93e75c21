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

_STEP = 1 << 20


class TextFile:
    """Reads forward only. `position` counts unpacked bytes, `line` is the number of the next line (from 1)."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._file: Any = _opened(path)
        self._ahead = b""
        self.position = 0
        self.line = 1
        while self.position < start:
            self._step(self._read(min(_STEP, start - self.position)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def lines(self, size: int, line_max: int) -> bytes:
        """At least `size` bytes, up to the end of a line; all of them only if no line is far over `line_max`.

        What is left out of a longer line still counts in `position`. Empty at the end of the file.
        """
        block = self._read(size)
        if len(block) == size and not block.endswith(b"\n"):
            block = self._with_line(block, line_max)
        self._step(block)
        return block

    def _with_line(self, block: bytes, line_max: int) -> bytes:
        """The block and the rest of its last line."""
        pieces = [block]
        kept = len(block) - (block.rfind(b"\n") + 1)
        while piece := self._read(_STEP):
            end = piece.find(b"\n") + 1
            if end:
                piece, self._ahead = piece[:end], piece[end:]
            if kept > line_max and not end:
                self.position += len(piece)
                continue
            if kept > line_max:
                self.position += len(piece) - 1
                piece = b"\n"
            pieces.append(piece)
            kept += len(piece)
            if end:
                break
        return b"".join(pieces)

    def _step(self, block: bytes) -> None:
        self.position += len(block)
        self.line += block.count(b"\n")

    def _read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
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
        except (zlib.error, IsalError, EOFError, igzip.BadGzipFile, pa.ArrowException) as error:  # type: ignore[misc]
            raise BadRequest(f"{self._path.name} cannot be unpacked: {error}") from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise BadRequest(f"{self._path.name} cannot be unpacked: {error}") from None


def _opened(path: Path) -> BinaryIO | pa.NativeFile:
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(igzip.open(path, "rb"))
    if path.suffix.lower() == ".zst":
        return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return path.open("rb")
