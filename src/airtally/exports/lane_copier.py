"""Writes one lane of an export as Parquet by the engine itself, which is quicker than through Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile

from airtally.engine.protocol import Engine
from airtally.exports.lane_writer import LaneSource, LaneStep, LaneWriter, new_path
from airtally.exports.lanes import ExportLane, LanePoint, ReadUnit, RenderedPart, RenderJob
from airtally.exports.sources import statement_of
from airtally.exports.spec import Compression, ExportFormat
from airtally.exports.wanted import WantedRows
from airtally.files.store import storage_failures
from airtally.kit.durable import sync_and_hash
from airtally.sql.filters import EVERYTHING
from airtally.storage.lake.snapshot import Snapshot


def can_be_copied(job: RenderJob, engine: Engine) -> bool:
    """Only where the rows of units are known beforehand: all events of the days, compressed about as in the lake."""
    wanted = job.wanted
    return (
        job.form is ExportFormat.PARQUET
        and job.compression is not Compression.NONE
        and engine.capabilities.writes_parquet
        and isinstance(wanted, WantedRows)
        and wanted.is_events
        and wanted.where == EVERYTHING
    )


class LaneCopier:
    """One lane, on one thread: as many units as fit into a part are one statement."""

    def __init__(self, engine: Engine, job: RenderJob, lane: ExportLane, source: LaneSource) -> None:
        self._engine, self._job, self._lane, self._source = engine, job, lane, source
        self._statement = statement_of(job, engine)
        self._most = _rows_of_a_part(job)

    def steps(self) -> Generator[LaneStep]:
        """Raises what the engine raises, StorageFull and Unavailable."""
        at, place, units = self._lane.start.unit, self._lane.places, self._lane.units
        while at < len(units):
            end = at + self._count_fitting(units[at:])
            if end > at:
                yield self._copied(at, end, place)
                at, place = end, place + 1
                continue
            for step in self._split(at, place):
                yield step
                place += step.part is not None
            at += 1

    def _count_fitting(self, units: Sequence[ReadUnit]) -> int:
        """How many of the first units fit into a part; 0 where the first one alone does not."""
        totals = accumulate(each.rows for each in units)
        return sum(1 for _ in takewhile(lambda total: total <= self._most, totals))

    def _copied(self, at: int, end: int, place: int) -> LaneStep:
        units = self._lane.units
        path = new_path(self._job, self._lane.number, place)
        statement = self._statement(ReadUnit.joined(units[at:end]), 0)
        with storage_failures(path.name):
            rows = self._engine.write_parquet(statement, path, self._job.compression)
            size, sha256 = sync_and_hash(path)
        part = RenderedPart(self._lane.number, place, str(path), rows, size, sha256, LanePoint(end))
        return LaneStep(sum(each.rows for each in units[:end]), part)

    def _split(self, at: int, place: int) -> Iterator[LaneStep]:
        """A unit that is larger than a part, as parts of its own."""
        lane = replace(self._lane, units=self._lane.units[: at + 1], start=LanePoint(at), places=place)
        yield from LaneWriter(self._job, lane, self._source).steps()


def _rows_of_a_part(job: RenderJob) -> int:
    """By the rows asked for, and by the bytes that these take in the lake, where they have some columns more."""
    snapshot = job.reads
    assert isinstance(snapshot, Snapshot)  # noqa: S101 (rows are read from one)
    files = snapshot.compacted + snapshot.uncompacted
    size, rows = sum(each.size for each in files), sum(each.rows for each in files)
    return min(job.limits.rows, job.limits.bytes * rows // size if size else job.limits.rows)
