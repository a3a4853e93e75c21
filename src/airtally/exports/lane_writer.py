"""Writes one lane of an export: reads its units and fills parts, step by step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from airtally.exports.lanes import ExportLane, LanePoint, ReadUnit, RenderedPart, RenderJob
from airtally.exports.part_files import PartFile
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_and_hash


@dataclass(frozen=True, slots=True)
class LaneStep:
    """What one step did: rows read in all, by the units' own measure, and the part that it finished."""

    done_rows: int
    part: RenderedPart | None = None


@dataclass(frozen=True, slots=True)
class LaneSource:
    """How units are read and written. `read` gives the rows of a unit behind so many of them.

    `ordered`: the rows of a unit come in one order, so that some can be skipped. A part's size is looked at each time
    `step_rows` were written.
    """

    read: Callable[[ReadUnit, int], Iterator[pa.RecordBatch]]
    new_file: Callable[[Path], PartFile]
    ordered: bool
    step_rows: int


class LaneSteps(Protocol):
    """What makes one lane, on one thread."""

    def steps(self) -> Generator[LaneStep]:
        """May be left at any step; what is not finished then is removed."""
        ...


class LaneWriter:
    """One lane, on one thread. `steps` may be left at any step; what is not finished then is removed."""

    def __init__(self, job: RenderJob, lane: ExportLane, source: LaneSource) -> None:
        self._job, self._lane, self._source = job, lane, source
        self._place = lane.places
        self._file: PartFile | None = None
        self._unit, self._skipped = lane.start.unit, lane.start.skip

    def steps(self) -> Generator[LaneStep]:
        """Raises what the engine raises, StorageFull and Unavailable."""
        with storage_failures(f"lane {self._lane.number}"):
            try:
                yield from self._steps()
            finally:
                self._drop()

    def _steps(self) -> Iterator[LaneStep]:
        while self._unit < len(self._lane.units):
            unit = self._lane.units[self._unit]
            if self._ends_before(unit):
                yield LaneStep(self._done_rows(0), self._finished(LanePoint(self._unit)))
            yield from self._read(unit)
            self._unit, self._skipped = self._unit + 1, 0
            yield LaneStep(self._done_rows(0))
        if self._file is not None:
            yield LaneStep(self._done_rows(0), self._finished(LanePoint(self._unit)))

    def _read(self, unit: ReadUnit) -> Iterator[LaneStep]:
        written = self._skipped
        for batch in self._source.read(unit, self._skipped):
            start = 0
            while start < batch.num_rows:
                if self._is_full():
                    then = LanePoint(self._unit, written) if self._source.ordered else None
                    yield LaneStep(self._done_rows(written), self._finished(then))
                count = self._write(batch.slice(start))
                start, written = start + count, written + count
            yield LaneStep(self._done_rows(written))

    def _write(self, batch: pa.RecordBatch) -> int:
        """Write the first rows of a batch, without taking the part beyond its rows; returns how many."""
        file = self._opened()
        piece = batch.slice(0, min(self._source.step_rows, self._job.limits.rows - file.rows))
        file.write(piece)
        return int(piece.num_rows)

    def _is_full(self) -> bool:
        file, limits = self._file, self._job.limits
        return file is not None and (file.rows >= limits.rows or file.size >= limits.bytes)

    def _ends_before(self, unit: ReadUnit) -> bool:
        """Whether the part ends between units, where reading can begin again, rather than within the next one."""
        rows, most = 0 if self._file is None else self._file.rows, self._job.limits.rows
        return self._is_full() or (2 * rows >= most and rows + unit.rows > most)

    def _opened(self) -> PartFile:
        if self._file is None:
            self._file = self._source.new_file(new_path(self._job, self._lane.number, self._place))
        return self._file

    def _finished(self, then: LanePoint | None) -> RenderedPart:
        file = self._opened()
        with file:
            file.finish()
        self._file = None
        size, sha256 = sync_and_hash(file.path)
        self._place += 1
        return RenderedPart(self._lane.number, self._place - 1, str(file.path), file.rows, size, sha256, then)

    def empty(self) -> RenderedPart:
        """A part without rows."""
        with storage_failures("an empty part"):
            return self._finished(LanePoint(len(self._lane.units)))

    def _done_rows(self, written: int) -> int:
        """A unit's rows are an estimate, which what was written of it cannot exceed."""
        units = self._lane.units
        before = sum(each.rows for each in units[: self._unit])
        return before + (min(written, units[self._unit].rows) if self._unit < len(units) else 0)

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with file:
                pass
            file.path.unlink(missing_ok=True)


def new_path(job: RenderJob, lane: int, place: int) -> Path:
    """A name that no other attempt uses."""
    return Path(job.folder) / f"{lane}-{place}-{secrets.token_hex(6)}{job.ending}"
