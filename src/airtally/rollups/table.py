"""The Delta table of a rollup's segments, and what one version of it holds.

A segment is the figures of one account's UTC day. A month file holds an account's segments of a month, sorted; a day
file holds one segment and hides that day in the month file. Each file notes the lake version its segments were built of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.storage.lake.delta import DeltaFiles, TableLayout
from airtally.storage.lake.snapshot import DataFile
from airtally.storage.lake.table_storage import TableStorage
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams.rollup import Rollup

#: Application id whose version is the first day, as an ordinal, that may still be rebuilt.
FINAL = "final"
#: Application id whose version is the first day, as an ordinal, that segments are kept of; 0: no day was ever dropped.
KEPT = "kept"
#: Partition columns. `source` is the source version; the name is stored in every home, so it stays.
PARTITION_BY = ("account", "month", "day", "source")
#: One more for a rollup of local days: the time zones that its cells are cut in; see `zones_text`.
ZONES = "zones"


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file of segments. `day` is None for a month file; `source_version` is the lake version it was built of."""

    name: str
    account: str
    month: str
    day: str | None
    source_version: int
    modified_at_ms: int
    data: DataFile
    zones: str | None = None

    @property
    def partition(self) -> dict[str, str | None]:
        values = {
            "account": self.account,
            "month": self.month,
            "day": self.day,
            "source": str(self.source_version),
        }
        return values if self.zones is None else values | {ZONES: self.zones}

    def zone(self, day: str) -> str:
        """The time zone that a day's cells are cut in."""
        found = "UTC"
        for item in (self.zones or "").split():
            first, _, zone = item.rpartition("=")
            found = zone if first <= day else found
        return found


@dataclass(slots=True)
class MonthSegments:
    """The files of an account's month. Filled while a `RollupTableVersion` is read, unchanged afterwards."""

    month_file: SegmentFile | None = None
    day_files: dict[str, SegmentFile] = field(default_factory=dict)

    def file_of(self, day: str) -> SegmentFile | None:
        """The file that a day's segment is read from."""
        return self.day_files.get(day) or self.month_file

    def source_version(self, day: str) -> int:
        """The lake version that a day's segment was built of; -1 without one."""
        file = self.file_of(day)
        return -1 if file is None else file.source_version

    def zone(self, day: str) -> str:
        """The time zone that the cells of a day's segment are cut in."""
        file = self.file_of(day)
        return "UTC" if file is None else file.zone(day)

    def is_empty(self, day: str) -> bool:
        """Whether the day had no rows, as far as the number of rows in its file tells."""
        file = self.file_of(day)
        return file is None or not file.data.rows

    @property
    def files(self) -> Iterator[SegmentFile]:
        if self.month_file is not None:
            yield self.month_file
        yield from self.day_files.values()


NO_SEGMENTS = MonthSegments()


class RollupTableVersion:
    """One version of a rollup's table. Immutable once it is read, so threads share it without a lock.

    What was found of this very object is kept by its `mark`: a restored table may have a version's number again.
    """

    def __init__(self, place: TableStorage, handle: DeltaTable, log_state: float) -> None:
        self.version = handle.version()
        self.log_state = log_state
        self.mark = object()
        self.accounts: Mapping[str, Mapping[str, MonthSegments]] = _months_by_account(place, handle)
        self._transactions = {app: _transaction(handle, app) for app in (FINAL, KEPT, "rewrite")}

    @property
    def names(self) -> list[str]:
        months = (month for months in self.accounts.values() for month in months.values())
        return [file.name for month in months for file in month.files]

    def committed(self, app_id: str) -> int:
        return self._transactions[app_id]

    @property
    def final_before(self) -> str:
        """The first day (ISO) that may still be rebuilt."""
        ordinal = self.committed(FINAL)
        return "" if ordinal < 0 else date.fromordinal(ordinal).isoformat()

    @property
    def kept_from(self) -> str | None:
        """The first day (ISO) that segments are kept of, "" if no day was ever dropped; None in a table of 0.1.0."""
        ordinal = self.committed(KEPT)
        return None if ordinal < 0 else iso_day(ordinal)

    @property
    def has_segments(self) -> bool:
        return bool(self.accounts)

    def months(self, account: str) -> Mapping[str, MonthSegments]:
        return self.accounts.get(account, {})


class RollupTable(DeltaFiles[RollupTableVersion]):
    """The table of one version of a rollup. Thread-safe by the lock of `DeltaFiles`; it adds no state of its own."""

    def __init__(
        self,
        rollup: Rollup,
        place: TableStorage,
        *,
        clock: Clock,
        faults: Faults = NO_FAULTS,
        marks: Marks = NO_MARKS,
    ) -> None:
        self.rollup = rollup
        texts = ("account", "month", "day", ZONES) if rollup.local else ("account", "month", "day")
        names = (pa.field(name, pa.string()) for name in texts)
        schema = pa.schema([*segment_schema(rollup), *names, pa.field("source", pa.int64())])
        partition_by = (*PARTITION_BY, ZONES) if rollup.local else PARTITION_BY
        layout = TableLayout(rollup.folder, schema, partition_by, ("time",))
        super().__init__(
            layout,
            place,
            lambda handle, log_state: RollupTableVersion(place, handle, log_state),
            clock=clock,
            faults=faults,
            marks=marks,
        )


def iso_day(ordinal: int) -> str:
    """The day (ISO) of an ordinal; for 0 the empty text, which sorts before all days."""
    return date.fromordinal(ordinal).isoformat() if ordinal > 0 else ""


def day_number(iso: str) -> int:
    """The ordinal of a day (ISO); 0 for the empty text."""
    return date.fromisoformat(iso).toordinal() if iso else 0


def zones_text(zones: Mapping[str, str]) -> str:
    """The time zones of days (ISO) as one text: `America/Sao_Paulo`, or `UTC 2026-11-10=Asia/Kolkata` from a day on."""
    items: list[str] = []
    held = None
    for day, zone in sorted(zones.items()):
        if zone != held:
            items.append(zone if held is None else f"{day}={zone}")
        held = zone
    return " ".join(items)


def segment_schema(rollup: Rollup) -> pa.Schema:
    """A segment's row: the dimensions, the start of the interval, the measures."""
    dimensions = (pa.field(name, pa.string()) for name in rollup.dimensions)
    measures = (pa.field(measure.name, pa.int64()) for measure in rollup.measures)
    return pa.schema([*dimensions, pa.field("time", pa.timestamp("us", "UTC")), *measures])


def _months_by_account(place: TableStorage, handle: DeltaTable) -> dict[str, dict[str, MonthSegments]]:
    accounts: dict[str, dict[str, MonthSegments]] = defaultdict(dict)
    for file in _segment_files(place, handle):
        month = accounts[file.account].setdefault(file.month, MonthSegments())
        if file.day is None:
            month.month_file = file
        else:
            month.day_files[file.day] = file
    return dict(accounts)


def _segment_files(place: TableStorage, handle: DeltaTable) -> Iterator[SegmentFile]:
    actions: list[dict[str, Any]] = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    for action in actions:
        name = unquote(action["path"])
        yield SegmentFile(
            name=name,
            account=action["partition.account"],
            month=action["partition.month"],
            day=action["partition.day"],
            source_version=int(action["partition.source"]),
            modified_at_ms=action["modification_time"],
            data=DataFile(
                place.full(name), action["num_records"] or 0, action["size_bytes"], action["partition.day"], True
            ),
            zones=action.get(f"partition.{ZONES}"),
        )


def _transaction(handle: DeltaTable, app_id: str) -> int:
    found = handle.transaction_version(app_id)
    return -1 if found is None else found
