"""Cuts a snapshot into units that are read one after the other, and these into lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airtally.exports.lanes import ReadUnit
from airtally.storage.lake.snapshot import DataFile, Snapshot


@dataclass
class _DayFiles:
    """The files of one day, by their positions in the snapshot. `rows` are the account's, all files' rows `stored`."""

    day: str | None
    rows: int = 0
    stored: int = 0
    compacted: list[int] = field(default_factory=list)
    uncompacted: list[int] = field(default_factory=list)
    repeats: bool = False

    def add(self, at: int, file: DataFile, *, compacted: bool) -> None:
        (self.compacted if compacted else self.uncompacted).append(at)
        self.stored += file.rows
        self.repeats |= not compacted and not file.ids_all_null

    @property
    def unit(self) -> ReadUnit:
        return ReadUnit(tuple(self.compacted), tuple(self.uncompacted), self.rows)


def units_of_days(snapshot: Snapshot, rows_of_days: Mapping[str, int], most: int) -> list[ReadUnit]:
    """Units of about `most` rows: whole days, in order, or files, where none of a large day repeats another's events."""
    units: list[ReadUnit] = []
    for day in _days(snapshot, rows_of_days):
        pieces = list(_by_files(snapshot, day)) if day.rows > most and not day.repeats else [day.unit]
        for unit in pieces:
            if units and units[-1].rows + unit.rows <= most:
                units[-1] = ReadUnit.joined((units[-1], unit))
            else:
                units.append(unit)
    return units


def one_unit(snapshot: Snapshot, rows: int) -> ReadUnit:
    """All files together, where rows of any of them may replace rows of any other."""
    return ReadUnit(tuple(range(len(snapshot.compacted))), tuple(range(len(snapshot.uncompacted))), rows)


def lanes_of(units: Sequence[ReadUnit], count: int) -> tuple[tuple[ReadUnit, ...], ...]:
    """At most `count` runs of units with about as many rows each; at least one lane."""
    total, read = sum(each.rows for each in units), 0
    lanes: list[list[ReadUnit]] = [[]]
    for unit in units:
        if lanes[-1] and read >= total * len(lanes) / count:
            lanes.append([])
        lanes[-1].append(unit)
        read += unit.rows
    return tuple(map(tuple, lanes))


def _days(snapshot: Snapshot, rows_of_days: Mapping[str, int]) -> list[_DayFiles]:
    """The days that have rows, in order."""
    days: dict[str | None, _DayFiles] = {}
    for files, compacted in ((snapshot.compacted, True), (snapshot.uncompacted, False)):
        for at, file in enumerate(files):
            days.setdefault(file.day, _DayFiles(file.day)).add(at, file, compacted=compacted)
    for day in days.values():
        day.rows = rows_of_days.get(str(day.day), 0)
    return sorted((day for day in days.values() if day.rows), key=lambda each: str(each.day))


def _by_files(snapshot: Snapshot, day: _DayFiles) -> Iterator[ReadUnit]:
    """The account's rows are taken to be spread over the day's files as all rows are."""
    for at in day.compacted:
        yield ReadUnit((at,), (), snapshot.compacted[at].rows * day.rows // day.stored)
    for at in day.uncompacted:
        yield ReadUnit((), (at,), snapshot.uncompacted[at].rows * day.rows // day.stored)
