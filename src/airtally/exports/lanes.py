"""Lanes: the pieces of an export's rows that are read one after the other, and how far each was written.

An export of many rows has as many lanes as there are cores, which are made side by side; what is written of one says
nothing of another. Work is taken up again behind the last part of each lane that ends where reading can begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from airtally.exports.spec import Compression, ExportFormat
from airtally.exports.wanted import Wanted
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot


class ReadUnit(msgspec.Struct, frozen=True, array_like=True):
    """Files that are read by one statement, by their positions in the snapshot, and about how many rows that gives."""

    compacted: tuple[int, ...]
    uncompacted: tuple[int, ...]
    rows: int

    @classmethod
    def joined(cls, units: Sequence[ReadUnit]) -> ReadUnit:
        """Of several units of one lane, to be read by one statement."""
        return cls(
            tuple(at for each in units for at in each.compacted),
            tuple(at for each in units for at in each.uncompacted),
            sum(each.rows for each in units),
        )

    def of(self, snapshot: Snapshot) -> Snapshot:
        return replace(
            snapshot,
            compacted=tuple(snapshot.compacted[at] for at in self.compacted),
            uncompacted=tuple(snapshot.uncompacted[at] for at in self.uncompacted),
        )


class LanePoint(msgspec.Struct, frozen=True, array_like=True):
    """Where a lane's reading goes on: at a unit, behind its first `skip` rows."""

    unit: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True)
class ExportLane:
    """`units` are all of the lane's; those before `start` are written already, in `places` parts."""

    number: int
    units: tuple[ReadUnit, ...]
    start: LanePoint = field(default_factory=LanePoint)
    places: int = 0

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.units)

    @property
    def done_rows(self) -> int:
        """Of the units before `start`, and of its own those that are skipped."""
        return sum(each.rows for each in self.units[: self.start.unit]) + self.start.skip


@dataclass(frozen=True, slots=True)
class PartLimits:
    """A part ends at the first of them."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RenderJob:
    """All that rendering needs to know, to be handed to another process.

    Rows are read from a snapshot, unit by unit; figures by one statement, whose lane has one unit; the answer to a
    caller's statement as it comes (None).
    """

    wanted: Wanted
    form: ExportFormat
    compression: Compression
    limits: PartLimits
    reads: Snapshot | Statement | None
    lanes: tuple[ExportLane, ...]
    folder: str
    ending: str


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """A finished part on local disk, fsynced. `then` is where its lane goes on, None where it cannot go on there."""

    lane: int
    place: int
    path: str
    rows: int
    bytes: int
    sha256: str
    then: LanePoint | None


class Pin(msgspec.Struct, frozen=True):
    """The snapshot that an export's rows are read from, and its lanes, as a stored file keeps them."""

    version: int
    table_url: str
    data_through_us: int
    compacted: tuple[DataFile, ...]
    uncompacted: tuple[DataFile, ...]
    lanes: tuple[tuple[ReadUnit, ...], ...]

    @property
    def rows(self) -> int:
        return sum(unit.rows for lane in self.lanes for unit in lane)
