"""The formats of dataset files: CSV, plain, in gzip or in ZIP, and Parquet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow as pa
import pyarrow.parquet as pq

from airtally.datasets.layout import Layout
from airtally.files.gzip import HEADER, Packer, trailer
from airtally.query.lines import bytes_of
from airtally.streams.declaration import Type

#: A file ends once it has so many bytes: clients allow 30 seconds for a download.
FILE_BYTES = 48_000_000
#: A packed file also ends once it unpacks to so many times as much.
MOST_UNPACKED = 20
#: 260 MB/s of lines on one core, at 1.3 times the size of level 6 with its 90 MB/s.
_ZIP_LEVEL = 1


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


class Gzip(DatasetWriter):
    """The lines as one gzip member."""

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path)
        self._file.write(HEADER)
        self._packer = Packer(self._file)
        self._packer.write(header_row(layout))

    @property
    def size(self) -> int:
        return _long_enough(self._packer.packed, self._packer.plain)

    def write(self, batch: pa.RecordBatch) -> None:
        self._packer.write(bytes_of(batch.column(0)))

    def finish(self) -> None:
        self._file.write(trailer([self._packer.finish()]))


class Zip(DatasetWriter):
    """One member, `<table>.csv`, dated 1980-01-01: the same rows give the same bytes."""

    def __init__(self, path: Path, layout: Layout) -> None:
        super().__init__(path)
        self._zip = ZipFile(self._file, "w", ZIP_DEFLATED, compresslevel=_ZIP_LEVEL)
        self._member = self._zip.open(f"{layout.table}.csv", "w")
        self._plain = self._member.write(header_row(layout))

    @property
    def size(self) -> int:
        return _long_enough(self._file.tell(), self._plain)

    def write(self, batch: pa.RecordBatch) -> None:
        self._plain += self._member.write(bytes_of(batch.column(0)))

    def finish(self) -> None:
        self._member.close()
        self._zip.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a file that was not finished; what went wrong with it is on its way
            self._member.close()
        with suppress(OSError):
            self._zip.close()
        super().__exit__(kind, error, trace)


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


def _long_enough(packed: int, plain: int) -> int:
    """What unpacks to twenty times as much counts by that: it is long enough too."""
    return max(packed, plain // MOST_UNPACKED)


FORMATS: dict[str, Callable[[Path, Layout], DatasetWriter]] = {
    "csv": Csv,
    "csv.gz": Gzip,
    "zip": Zip,
    "parquet": Parquet,
}
