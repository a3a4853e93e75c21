"""The Delta table of a rollup's segments, and what one version of it holds.

A segment is the figures of one account's UTC day. A month file holds accounts' segments of a month, sorted; a day file
holds those of a day and hides that day of theirs in month files. A large account has files of its own, small ones share
files. Each file notes the lake version its segments were built of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from airtally.kit.clock import Clock
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.rollups.claims import FileClaims
from airtally.storage.lake.delta import REWRITE, DeltaFiles, TableLayout
from airtally.storage.lake.snapshot import DataFile
from airtally.storage.lake.table_storage import TableStorage
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams.declaration import ACCOUNT
from airtally.streams.rollup import Rollup

#: Application id whose version is the first day, as an ordinal, that may still be rebuilt.
FINAL = "final"
#: Application id whose version is the first day, as an ordinal, that segments are kept of; 0: no day was ever dropped.
KEPT = "kept"
#: Partition columns. `account` has the file's claims, `source` is the source version; homes have these names.
PARTITION_BY = ("account", "month", "day", "source")
#: One more for a rollup of local days: the time zones that its cells are cut in; see `zones_text`.
ZONES = "zones"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of segments as the log has it. `day` is None for a month file; `data` has the rows of all its accounts."""

    name: str
    claims: FileClaims
    month: str
    day: str | None
    source_version: int
    modified_at_ms: int
    data: DataFile
    zones: str | None = None

    @property
    def partition(self) -> dict[str, str | None]:
        values = {
            "account": self.claims.text(),
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

    def data_of(self, account: str) -> DataFile:
        """The account's rows of the file; it names the account if it has no others."""
        return replace(self.data, rows=self.claims.rows[account], account=None if self.claims.shared else account)


@dataclass(slots=True)
class MonthSegments:
    """The files of an account's month. Filled while they are looked up, unchanged afterwards."""

    account: str = ""
    month_file: StoredFile | None = None
    day_files: dict[str, StoredFile] = field(default_factory=dict)

    def file_of(self, day: str) -> StoredFile | None:
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
        """Whether the day had no rows, as far as the number of the account's rows in its file tells."""
        file = self.file_of(day)
        return file is None or not self.rows_in(file)

    def rows_in(self, file: StoredFile) -> int:
        """How many of a file's rows are the account's."""
        return file.claims.rows[self.account]

    @property
    def files(self) -> Iterator[StoredFile]:
        if self.month_file is not None:
            yield self.month_file
        yield from self.day_files.values()


NO_SEGMENTS = MonthSegments()


class RollupTableVersion:
    """One version of a rollup's table. Immutable but for what it remembers of accounts, so threads share it unlocked.

    Two threads that look up an account at once make equal months of it, and either is kept.

    What was found of this very object is kept by its `mark`: a restored table may have a version's number again.
    """

    def __init__(self, place: TableStorage, handle: DeltaTable, log_state: float) -> None:
        self.version = handle.version()
        self.log_state = log_state
        self.mark = object()
        self.files = tuple(_stored_files(place, handle))
        self._by_account = _by_account(self.files)
        self._months: dict[str, Mapping[str, MonthSegments]] = {}
        self._transactions = {app: _transaction(handle, app) for app in (FINAL, KEPT, REWRITE)}

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    @property
    def next_made(self) -> int:
        """What `FileClaims.made` is of files that the next commit on this version adds."""
        return max(self.committed(REWRITE), 0) + 1

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
        return bool(self.files)

    @property
    def slugs(self) -> Iterable[str]:
        """The accounts that there are segments of."""
        return self._by_account.keys()

    def months(self, account: str) -> Mapping[str, MonthSegments]:
        found = self._months.get(account)
        if found is None:
            found = self._months[account] = _months(account, self._by_account.get(account, ()))
        return found

    def claimed(self, account: str) -> Sequence[StoredFile]:
        """All files that hold rows of an account, dead ones too."""
        return self._by_account.get(account, ())


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


def stored_schema(rollup: Rollup) -> pa.Schema:
    """The columns of a file of segments: the account, and those of a segment's row."""
    return pa.schema([ACCOUNT, *segment_schema(rollup)])


def segment_schema(rollup: Rollup) -> pa.Schema:
    """A segment's row: the dimensions, the start of the interval, the measures."""
    dimensions = (pa.field(name, pa.string()) for name in rollup.dimensions)
    measures = (pa.field(measure.name, pa.int64()) for measure in rollup.measures)
    return pa.schema([*dimensions, pa.field("time", pa.timestamp("us", "UTC")), *measures])


def _by_account(files: Iterable[StoredFile]) -> dict[str, list[StoredFile]]:
    found: dict[str, list[StoredFile]] = defaultdict(list)
    for file in files:
        for account in file.claims.rows:
            found[account].append(file)
    return dict(found)


def _months(account: str, claimed: Iterable[StoredFile]) -> dict[str, MonthSegments]:
    """By month, of all files that hold rows of an account: the last made counts, and a month file ends earlier days."""
    months: dict[str, MonthSegments] = {}
    for file in sorted(claimed, key=_order_made):
        month = months.get(file.month)
        if month is None:
            month = months[file.month] = MonthSegments(account)
        if file.day is None:
            month.month_file = file
            month.day_files.clear()
        else:
            month.day_files[file.day] = file
    return months


def _order_made(file: StoredFile) -> tuple[int, bool]:
    return file.claims.made, file.day is not None


def _stored_files(place: TableStorage, handle: DeltaTable) -> Iterator[StoredFile]:
    actions: list[dict[str, Any]] = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    for action in actions:
        name, rows = unquote(action["path"]), action["num_records"] or 0
        yield StoredFile(
            name=name,
            claims=FileClaims.read(action["partition.account"], rows),
            month=action["partition.month"],
            day=action["partition.day"],
            source_version=int(action["partition.source"]),
            modified_at_ms=action["modification_time"],
            data=DataFile(place.full(name), rows, action["size_bytes"], action["partition.day"], ids_all_null=True),
            zones=action.get(f"partition.{ZONES}"),
        )


def _transaction(handle: DeltaTable, app_id: str) -> int:
    found = handle.transaction_version(app_id)
    return -1 if found is None else found
