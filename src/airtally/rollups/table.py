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
from airtally.lake.delta import DeltaFiles, Layout
from airtally.lake.place import Place
from airtally.lake.snapshot import DataFile
from airtally.streams.rollup import Rollup

#: Application whose version is the first day, as an ordinal, that may still be made anew.
FINAL = "final"
PARTITION_BY = ("account", "month", "day", "source")


@dataclass(frozen=True, slots=True)
class PartFile:
    """`day` is None of a base. `source` is the lake version that its parts are made of."""

    name: str
    account: str
    month: str
    day: str | None
    source: int
    modified_at_ms: int
    data: DataFile

    @property
    def partition(self) -> dict[str, str | None]:
        return {"account": self.account, "month": self.month, "day": self.day, "source": str(self.source)}


@dataclass(slots=True)
class MonthParts:
    """The files of an account's month."""

    base: PartFile | None = None
    days: dict[str, PartFile] = field(default_factory=dict)

    def source(self, day: str) -> int:
        """The lake version that a day's part is made of; -1 where there is none."""
        file = self.days.get(day) or self.base
        return -1 if file is None else file.source

    @property
    def files(self) -> Iterator[PartFile]:
        if self.base is not None:
            yield self.base
        yield from self.days.values()


NO_PARTS = MonthParts()


class RollupView:
    """Immutable."""

    def __init__(self, place: Place, handle: DeltaTable, mark: float) -> None:
        self.version = handle.version()
        self.mark = mark
        self.accounts: dict[str, dict[str, MonthParts]] = defaultdict(dict)
        for file in _files(place, handle):
            month = self.accounts[file.account].setdefault(file.month, MonthParts())
            if file.day is None:
                month.base = file
            else:
                month.days[file.day] = file
        self._transactions = {app: _transaction(handle, app) for app in (FINAL, "rewrite")}

    def committed(self, app_id: str) -> int:
        return self._transactions[app_id]

    @property
    def final_before(self) -> str:
        """The first day (ISO) that may still be made anew."""
        ordinal = self.committed(FINAL)
        return "" if ordinal < 0 else date.fromordinal(ordinal).isoformat()

    def months(self, account: str) -> Mapping[str, MonthParts]:
        return self.accounts.get(account, {})


class RollupTable(DeltaFiles[RollupView]):
    """Thread-safe; see `DeltaFiles`."""

    def __init__(self, rollup: Rollup, place: Place, *, clock: Clock, faults: Faults = NO_FAULTS) -> None:
        self.rollup = rollup
        names = (pa.field(name, pa.string()) for name in ("account", "month", "day"))
        schema = pa.schema([*part_schema(rollup), *names, pa.field("source", pa.int64())])
        layout = Layout(rollup.name, schema, PARTITION_BY, ("time",))
        super().__init__(
            layout, place, lambda handle, mark: RollupView(place, handle, mark), clock=clock, faults=faults
        )


def part_schema(rollup: Rollup) -> pa.Schema:
    """A row of a part: start of the interval, the dimensions, the measures."""
    dimensions = (pa.field(name, pa.string()) for name in rollup.dimensions)
    measures = (pa.field(measure.name, pa.int64()) for measure in rollup.measures)
    return pa.schema([*dimensions, pa.field("time", pa.timestamp("us", "UTC")), *measures])


def _files(place: Place, handle: DeltaTable) -> Iterator[PartFile]:
    actions: list[dict[str, Any]] = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    for action in actions:
        name = unquote(action["path"])
        yield PartFile(
            name=name,
            account=action["partition.account"],
            month=action["partition.month"],
            day=action["partition.day"],
            source=int(action["partition.source"]),
            modified_at_ms=action["modification_time"],
            data=DataFile(
                place.full(name), action["num_records"] or 0, action["size_bytes"], action["partition.day"], True
            ),
        )


def _transaction(handle: DeltaTable, app_id: str) -> int:
    found = handle.transaction_version(app_id)
    return -1 if found is None else found
