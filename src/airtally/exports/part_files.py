"""The files of parts while they are written: CSV and NDJSON, plain or compressed, and Parquet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from airtally.exports.spec import Compression
from airtally.files.gzip import HEADER, Packer, trailer

#: Turns rows into the bytes of a text file.
AsBytes = Callable[[pa.RecordBatch], bytes | memoryview]


class _Sink(ABC):
    """Bytes on their way into a file. `finish` completes it."""

    def __init__(self, file: Any) -> None:
        self.file = file

    @abstractmethod
    def write(self, data: bytes | memoryview) -> None: ...

    @abstractmethod
    def finish(self) -> None: ...


class _PlainSink(_Sink):
    def write(self, data: bytes | memoryview) -> None:
        self.file.write(data)

    def finish(self) -> None:
        """Nothing is held back."""


class _GzipSink(_Sink):
    """One gzip member."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        file.write(HEADER)
        self._packer = Packer(file)

    def write(self, data: bytes | memoryview) -> None:
        self._packer.write(data)

    def finish(self) -> None:
        self.file.write(trailer([self._packer.finish()]))


class _ZstdSink(_Sink):
    """One zstd frame."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._stream = pa.CompressedOutputStream(_Unclosed(file), "zstd")

    def write(self, data: bytes | memoryview) -> None:
        self._stream.write(data)

    def finish(self) -> None:
        self._stream.close()


class _Unclosed:
    """A file that stays open when the compression above it is closed, as its size is asked for later."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """The file is closed by whoever opened it."""


_SINKS: Mapping[Compression, type[_Sink]] = {
    Compression.NONE: _PlainSink,
    Compression.GZIP: _GzipSink,
    Compression.ZSTD: _ZstdSink,
}


class PartFile(ABC):
    """One part being written. `finish` completes it, and the end of the `with` block closes it, finished or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._file = pa.OSFile(str(path), "wb")

    @property
    def size(self) -> int:
        """About how many bytes it has so far: what a compression still holds is not among them."""
        return int(self._file.tell())

    def write(self, batch: pa.RecordBatch) -> None:
        self._write(batch)
        self.rows += batch.num_rows

    @abstractmethod
    def _write(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def finish(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class TextPart(PartFile):
    """Lines, under a header line where `header` is given."""

    def __init__(self, path: Path, compression: Compression, header: bytes, as_bytes: AsBytes) -> None:
        super().__init__(path)
        self._sink = _SINKS[compression](self._file)
        self._as_bytes = as_bytes
        if header:
            self._sink.write(header)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._sink.write(self._as_bytes(batch))

    def finish(self) -> None:
        self._sink.finish()


class ParquetPart(PartFile):
    """Each batch, as `convert` makes it one of the schema, is a row group."""

    def __init__(
        self,
        path: Path,
        compression: Compression,
        schema: pa.Schema,
        convert: Callable[[pa.RecordBatch], pa.RecordBatch],
    ) -> None:
        super().__init__(path)
        self._convert = convert
        self._writer = pq.ParquetWriter(self._file, schema, compression=compression.value)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(self._convert(batch))

    def finish(self) -> None:
        self._writer.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a file that was not finished; what went wrong with it is on its way
            self._writer.close()
        super().__exit__(kind, error, trace)
