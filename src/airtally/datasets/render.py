"""Renders a publication's rows as files on local disk; large windows in the child process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from airtally.datasets.formats import FILE_BYTES, FORMATS
from airtally.datasets.window import MOMENT, PublicationWindow, render_lines, render_offsets, render_rows
from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_and_hash
from airtally.kit.prefetch import prefetch
from airtally.kit.runner import Runner
from airtally.kit.time import utc_day
from airtally.sql.statement import Statement
from airtally.streams.declaration import WRITER_ID

#: Windows of fewer rows are rendered in the server's own process: starting a child takes longer.
SMALL_ROWS = 200_000
#: A file's size is checked each time so many rows were written.
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
class RenderedWindow:
    """The files of a window in their order; `offsets` are the last sequences in it, by writer."""

    files: tuple[RenderedFile, ...]
    offsets: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class DatasetRenderer:
    """Renders small windows through `engine`; large ones, and those that `engine` cannot read, through `heavy`.

    Thread-safe by immutability: it holds only what it was made with.
    """

    def __init__(self, engine: Engine, heavy: Runner, options: HeavyOptions, *, file_bytes: int = FILE_BYTES) -> None:
        self._engine = engine
        self._heavy = heavy
        self._options = options
        self._file_bytes = file_bytes

    def render(self, window: PublicationWindow, file_format: str, folder: Path) -> RenderedWindow:
        """The files are left in `folder`. Raises what the engine raises, and StorageFull."""
        if not window.files:
            return RenderedWindow((), {})
        if window.rows < SMALL_ROWS and self._engine.capabilities.file_lists:
            return render_window(self._engine, window, file_format, folder, self._file_bytes)
        return self._heavy.run(_in_child, self._options, window, file_format, folder, self._file_bytes)


def render_window(
    engine: Engine, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int
) -> RenderedWindow:
    """One pass over the rows for the files, and one over two columns for the offsets."""
    offsets = engine.query(render_offsets(window))
    statement = render_rows(window) if file_format == "parquet" else render_lines(window)
    files = _FileSplitter(window, file_format, folder, file_bytes)
    with storage_failures(folder.name):
        made = tuple(files.rendered(_slices(engine, statement)))
    ends = offsets["through"].to_pylist()
    return RenderedWindow(made, dict(zip(offsets[WRITER_ID.name].to_pylist(), ends, strict=True)))


def _in_child(
    options: HeavyOptions, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int
) -> RenderedWindow:
    return render_window(engine_in_child(options), window, file_format, folder, file_bytes)


class _FileSplitter:
    """Splits a stream of rows into files of about the same size."""

    def __init__(self, window: PublicationWindow, file_format: str, folder: Path, file_bytes: int) -> None:
        self._layout = window.layout
        self._format = file_format
        self._folder = folder
        self._file_bytes = file_bytes

    def rendered(self, slices: Iterator[pa.RecordBatch]) -> Iterator[RenderedFile]:
        for number, first in enumerate(slices):
            yield self._rendered_file(self._folder / f"{number:03d}.{self._format}", first, slices)

    def _rendered_file(self, path: Path, first: pa.RecordBatch, slices: Iterator[pa.RecordBatch]) -> RenderedFile:
        """Write `first` and the following batches until the file is long enough."""
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
        size, sha256 = sync_and_hash(path)
        return RenderedFile(path, rows, size, sha256, utc_day(begin).isoformat(), utc_day(end).isoformat())


def _slices(engine: Engine, statement: Statement) -> Iterator[pa.RecordBatch]:
    for batch in prefetch(engine.stream(statement)):
        for start in range(0, batch.num_rows, _STEP_ROWS):
            yield batch.slice(start, _STEP_ROWS)
