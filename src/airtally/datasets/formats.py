"""The formats of dataset files: CSV, plain, in gzip or in ZIP, and Parquet."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from airtally.datasets.layout import Layout
from airtally.files.gzip import HEADER, LAST_BLOCK, Packed, Packer, trailer
from airtally.query.lines import bytes_of
from airtally.streams.declaration import Type

#: A file ends once it has so many bytes: clients allow 30 seconds for a download.
FILE_BYTES = 48_000_000
#: A packed file also ends once it unpacks to so many times as much.
MOST_UNPACKED = 20


class DatasetWriter(ABC):
    """One file being written. `finish` completes it, and the end of the `with` block closes it."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def finish(self) -> None: ...

    @property
    def size(self) -> int:
        """About how many bytes it has so far."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def header_row(layout: Layout) -> bytes:
    return ",".join(column.name for column in layout.columns).encode() + b"\n"


class Csv(DatasetWriter):
    """The lines as the engine rendered them."""

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path)
        self._file.write(header_row(layout))

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(bytes_of(batch.column(0)))

    def finish(self) -> None:
        """Nothing to do: nothing follows the last line."""


class _Packed(DatasetWriter):
    """The lines as one deflate stream, between a header (`before`) and a trailer (`after`)."""

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path)
        self._member = f"{layout.table}.csv".encode()
        self._file.write(self.before())
        self._packer = Packer(self._file)
        self._packer.write(header_row(layout))

    @property
    def size(self) -> int:
        """The packed bytes, or a twentieth of the unpacked ones if that is more."""
        return max(self._packer.packed, self._packer.plain // MOST_UNPACKED)

    @abstractmethod
    def before(self) -> bytes: ...

    @abstractmethod
    def after(self, packed: Packed) -> bytes: ...

    def write(self, batch: pa.RecordBatch) -> None:
        self._packer.write(bytes_of(batch.column(0)))

    def finish(self) -> None:
        self._file.write(self.after(self._packer.finish()))


class Gzip(_Packed):
    def before(self) -> bytes:
        return HEADER

    def after(self, packed: Packed) -> bytes:
        return trailer([packed])


class Zip(_Packed):
    """One member, `<table>.csv`, followed by its sizes, which are far below what would need 64 bits."""

    _FLAGS = 1 << 3 | 1 << 11  # sizes follow; names are UTF-8
    _DEFLATED, _VERSION = 8, 20
    _DATE, _TIME = (1 << 5) | 1, 0  # 1980-01-01: the same rows give the same bytes

    def before(self) -> bytes:
        member = self._member
        return struct.pack("<4s5H3I2H", b"PK\3\4", *self._common(), 0, 0, 0, len(member), 0) + member

    def after(self, packed: Packed) -> bytes:
        member = self._member
        sizes = (packed.crc32, packed.packed_bytes + len(LAST_BLOCK), packed.plain_bytes)
        follows = LAST_BLOCK + struct.pack("<4s3I", b"PK\7\x08", *sizes)
        start = 30 + len(member) + packed.packed_bytes + len(follows)
        entry = struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", self._VERSION, *self._common(), *sizes, len(member), 0, 0, 0, 0, 0, 0
        )
        entry += member
        return follows + entry + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), start, 0)

    def _common(self) -> tuple[int, ...]:
        return self._VERSION, self._FLAGS, self._DEFLATED, self._TIME, self._DATE


class Parquet(DatasetWriter):
    """Times as UTC milliseconds, whole numbers as int64, column names as in the CSV."""

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path)
        self._schema = pa.schema(
            [
                pa.field(column.name, pa.timestamp("ms", "UTC") if column.type is Type.TIME else column.type.arrow)
                for column in layout.columns
            ]
        )
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([batch]).select(self._schema.names)
        self._writer.write_table(table.cast(self._schema, safe=False))

    def finish(self) -> None:
        self._writer.close()


FORMATS: dict[str, Callable[[Path, Layout], DatasetWriter]] = {
    "csv": Csv,
    "csv.gz": Gzip,
    "zip": Zip,
    "parquet": Parquet,
}
