"""The Delta table of a rollup's parts, and what one version of it holds.

A part is an account's day. One sorted base file holds the parts of a month; a file of a single day hides that
day in the base. Each file says of which lake version its parts were made.
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
from airtally.streams.rollup import Rollup

#: Application whose version is the first day, as an ordinal, that may still be made anew.
FINAL = "final"
#: Application whose version is the first day, as an ordinal, that parts are kept of; 0: all that there ever was.
KEPT = "kept"
PARTITION_BY = ("account", "month", "day", "source")
#: Of a rollup by local days: the zones that its cells are cut in; see `zones_text`.
ZONES = "zones"


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """`day` is None of a base. `source` is the lake version that its parts are made of."""

    name: str
    account: str
    month: str
    day: str | None
    source: int
    modified_at_ms: int
    data: DataFile
    zones: str | None = None

    @property
    def partition(self) -> dict[str, str | None]:
        values = {"account": self.account, "month": self.month, "day": self.day, "source": str(self.source)}
        return values if self.zones is None else values | {ZONES: self.zones}

    def zone(self, day: str) -> str:
        """The zone that a day's cells are cut in."""
        found = "UTC"
        for item in (self.zones or "").split():
            first, _, zone = item.rpartition("=")
            found = zone if first <= day else found
        return found


@dataclass(slots=True)
class MonthParts:
    """The files of an account's month."""

    base: SegmentFile | None = None
    days: dict[str, SegmentFile] = field(default_factory=dict)

    def source(self, day: str) -> int:
        """The lake version that a day's part is made of; -1 where there is none."""
        file = self.days.get(day) or self.base
        return -1 if file is None else file.source

    def zone(self, day: str) -> str:
        """The zone that the cells of a day's part are cut in."""
        file = self.days.get(day) or self.base
        return "UTC" if file is None else file.zone(day)

    def is_empty(self, day: str) -> bool:
        """Whether there was no row of a day, as far as can be told without a look at one."""
        file = self.days.get(day) or self.base
        return file is None or not file.data.rows

    @property
    def files(self) -> Iterator[SegmentFile]:
        if self.base is not None:
            yield self.base
        yield from self.days.values()


NO_PARTS = MonthParts()


class RollupView:
    """Immutable."""

    def __init__(self, place: TableStorage, handle: DeltaTable, log_state: float) -> None:
        self.version = handle.version()
        self.log_state = log_state
        self.accounts: dict[str, dict[str, MonthParts]] = defaultdict(dict)
        for file in _files(place, handle):
            month = self.accounts[file.account].setdefault(file.month, MonthParts())
            if file.day is None:
                month.base = file
            else:
                month.days[file.day] = file
        self._transactions = {app: _transaction(handle, app) for app in (FINAL, KEPT, "rewrite")}

    @property
    def names(self) -> list[str]:
        months = (month for months in self.accounts.values() for month in months.values())
        return [file.name for month in months for file in month.files]

    def committed(self, app_id: str) -> int:
        return self._transactions[app_id]

    @property
    def final_before(self) -> str:
        """The first day (ISO) that may still be made anew."""
        ordinal = self.committed(FINAL)
        return "" if ordinal < 0 else date.fromordinal(ordinal).isoformat()

    @property
    def kept_from(self) -> str | None:
        """The first day (ISO) that parts are kept of, "" for all that there ever was; None of a table of 0.1.0."""
        ordinal = self.committed(KEPT)
        return None if ordinal < 0 else iso_day(ordinal)

    @property
    def has_parts(self) -> bool:
        return bool(self.accounts)

    def months(self, account: str) -> Mapping[str, MonthParts]:
        return self.accounts.get(account, {})


class RollupTable(DeltaFiles[RollupView]):
    """Thread-safe; see `DeltaFiles`."""

    def __init__(self, rollup: Rollup, place: TableStorage, *, clock: Clock, faults: Faults = NO_FAULTS) -> None:
        self.rollup = rollup
        texts = ("account", "month", "day", ZONES) if rollup.local else ("account", "month", "day")
        names = (pa.field(name, pa.string()) for name in texts)
        schema = pa.schema([*part_schema(rollup), *names, pa.field("source", pa.int64())])
        partition_by = (*PARTITION_BY, ZONES) if rollup.local else PARTITION_BY
        layout = TableLayout(rollup.folder, schema, partition_by, ("time",))
        super().__init__(
            layout, place, lambda handle, log_state: RollupView(place, handle, log_state), clock=clock, faults=faults
        )


def iso_day(ordinal: int) -> str:
    """Of 0: a text before all days."""
    return date.fromordinal(ordinal).isoformat() if ordinal > 0 else ""


def day_number(iso: str) -> int:
    """The ordinal of a day; 0 of the text before all days."""
    return date.fromisoformat(iso).toordinal() if iso else 0


def zones_text(zones: Mapping[str, str]) -> str:
    """The zones of days (ISO) in order: `America/Sao_Paulo`, or `UTC 2026-11-10=Asia/Kolkata` from a day on."""
    items: list[str] = []
    held = None
    for day, zone in sorted(zones.items()):
        if zone != held:
            items.append(zone if held is None else f"{day}={zone}")
        held = zone
    return " ".join(items)


def part_schema(rollup: Rollup) -> pa.Schema:
    """A row of a part: start of the interval, the dimensions, the measures."""
    dimensions = (pa.field(name, pa.string()) for name in rollup.dimensions)
    measures = (pa.field(measure.name, pa.int64()) for measure in rollup.measures)
    return pa.schema([*dimensions, pa.field("time", pa.timestamp("us", "UTC")), *measures])


def _files(place: TableStorage, handle: DeltaTable) -> Iterator[SegmentFile]:
    actions: list[dict[str, Any]] = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    for action in actions:
        name = unquote(action["path"])
        yield SegmentFile(
            name=name,
            account=action["partition.account"],
            month=action["partition.month"],
            day=action["partition.day"],
            source=int(action["partition.source"]),
            modified_at_ms=action["modification_time"],
            data=DataFile(
                place.full(name), action["num_records"] or 0, action["size_bytes"], action["partition.day"], True
            ),
            zones=action.get(f"partition.{ZONES}"),
        )


def _transaction(handle: DeltaTable, app_id: str) -> int:
    found = handle.transaction_version(app_id)
    return -1 if found is None else found
