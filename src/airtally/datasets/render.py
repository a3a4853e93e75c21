"""A window of a changelog becomes finished files on local disk; large ones in the child process for heavy work."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from airtally.datasets.formats import FILE_BYTES, FORMATS
from airtally.datasets.window import MOMENT, PublicationWindow, render_lines, render_marks, render_rows
from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_path
from airtally.kit.prefetch import prefetch
from airtally.kit.runner import Runner
from airtally.kit.time import utc_day
from airtally.sql.statement import Statement

#: Fewer rows are read in the server's own process: starting a child would take longer.
SMALL_ROWS = 200_000
#: Rows that a file grows by before its size is looked at.
_STEP_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A finished file at `path`. Report dates are ISO dates, UTC."""

    path: Path
    rows: int
    bytes: int
    sha256: str
    date_begin: str
    date_end: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files of a window in their order; `marks` are the last sequences in it, by machine."""

    files: tuple[RenderedFile, ...]
    marks: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class DatasetRenderer:
    """Reads through `engine` what is small, and what is large, or not for this engine, through `heavy`."""

    def __init__(self, engine: Engine, heavy: Runner, options: HeavyOptions, *, file_bytes: int = FILE_BYTES) -> None:
        self._engine = engine
        self._heavy = heavy
        self._options = options
        self._file_bytes = file_bytes

    def render(self, window: PublicationWindow, file_format: str, folder: Path) -> Rendered:
        """The files are left in `folder`. Raises what the engine raises, and StorageFull."""
        if not window.files:
            return Rendered((), {})
        if window.rows < SMALL_ROWS and self._engine.capabilities.file_lists:
            return render_window(self._engine, window, file_format, folder, self._file_bytes)
        return self._heavy.run(_in_child, self._options, window, file_format, folder, self._file_bytes)


def render_window(
    engine: Engine, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int
) -> Rendered:
    """One pass over the rows for the files, one over two columns for the marks."""
    marks = engine.query(render_marks(window))
    statement = render_rows(window) if file_format == "parquet" else render_lines(window)
    files = _Files(window, file_format, folder, file_bytes)
    with storage_failures(folder.name):
        made = tuple(files.made(_slices(engine, statement)))
    return Rendered(made, dict(zip(marks["machine"].to_pylist(), marks["through"].to_pylist(), strict=True)))


def _in_child(
    options: HeavyOptions, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int
) -> Rendered:
    return render_window(engine_in_child(options), window, file_format, folder, file_bytes)


class _Files:
    """Cuts a stream of rows into files of about one size."""

    def __init__(self, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int) -> None:
        self._layout = window.layout
        self._format = file_format
        self._folder = folder
        self._file_bytes = file_bytes

    def made(self, slices: Iterator[pa.RecordBatch]) -> Iterator[RenderedFile]:
        for number, first in enumerate(slices):
            yield self._one(self._folder / f"{number:03d}.{self._format}", first, slices)

    def _one(self, path: Path, first: pa.RecordBatch, slices: Iterator[pa.RecordBatch]) -> RenderedFile:
        """A file of `first` and as much of the rest as belongs into it."""
        rows, moments = 0, []
        batch: pa.RecordBatch | None = first
        with FORMATS[self._format](path, self._layout) as file:
            while batch is not None:
                file.write(batch)
                rows += batch.num_rows
                moments.append(pc.min_max(batch.column(MOMENT)))
                batch = None if file.size >= self._file_bytes else next(slices, None)
            file.finish()
        begin = min(each["min"].as_py() for each in moments)
        end = max(each["max"].as_py() for each in moments)
        size, sha256 = _settled(path)
        return RenderedFile(path, rows, size, sha256, utc_day(begin).isoformat(), utc_day(end).isoformat())


def _settled(path: Path) -> tuple[int, str]:
    """Size and checksum of a file that a power loss does not take any more."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        size = file.tell()
    sync_path(path)
    return size, digest.hexdigest()


def _slices(engine: Engine, statement: Statement) -> Iterator[pa.RecordBatch]:
    for batch in prefetch(engine.stream(statement)):
        for start in range(0, batch.num_rows, _STEP_ROWS):
            yield batch.slice(start, _STEP_ROWS)
