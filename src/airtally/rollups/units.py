"""Units of a rebuild, days of one account's month, and groups of them that are built and committed together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
from deltalake.transaction import AddAction, RemoveAction

from airtally.rollups.build import BuildTask, KeptSegments
from airtally.rollups.claims import FileClaims
from airtally.rollups.plan import month_end
from airtally.rollups.segment_files import BuiltFile
from airtally.rollups.table import (
    NO_SEGMENTS,
    ZONES,
    MonthSegments,
    RollupTable,
    RollupTableVersion,
    StoredFile,
    zones_text,
)
from airtally.storage.lake import LakeTable, TableVersion
from airtally.storage.lake.snapshot import AccountsSnapshot

#: Accounts that are built together at most. A file's claims name them all, in each version of the log.
ACCOUNTS_TOGETHER = 512
#: The same where files of a release before 0.3 are merged, each of which is read on its own.
_UNNAMED_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class RebuildUnit:
    """Days of an account's month to be built; with `merge` into a month file."""

    account: str
    month: str
    days: tuple[str, ...]
    merge: bool


@dataclass(frozen=True, slots=True)
class RebuildGroup:
    """Units of one month, each of another account, that are built together."""

    units: tuple[RebuildUnit, ...]

    @property
    def month(self) -> str:
        return self.units[0].month

    @property
    def merge(self) -> bool:
        return self.units[0].merge

    @property
    def days(self) -> frozenset[str]:
        """The days (ISO) of all units."""
        return frozenset(day for unit in self.units for day in unit.days)

    def halves(self) -> tuple[RebuildGroup, RebuildGroup]:
        middle = len(self.units) // 2
        return RebuildGroup(self.units[:middle]), RebuildGroup(self.units[middle:])


def grouped(
    units: Iterable[RebuildUnit], segments: RollupTableVersion | None, zone_of: Callable[[str], str | None]
) -> Iterator[RebuildGroup]:
    """Units that can be built in one statement and share a file: of one month, kind and time zone.

    `zone_of` gives the time zone of an account's cells, None where it does not matter.
    """
    together: dict[tuple[bool, tuple[object, ...]], list[RebuildUnit]] = defaultdict(list)
    for unit in units:
        month, zone = month_of(segments, unit.account, unit.month), zone_of(unit.account)
        old = unit.merge and any(not file.claims.named for file in month.files)
        mixed = _zones_of(month, unit, zone) if unit.merge and zone is not None else None
        days = bool(unit.days) if mixed is None else unit.days
        together[old, (unit.month, unit.merge, days, zone, mixed)].append(unit)
    for (old, _), found in together.items():
        most = _UNNAMED_TOGETHER if old else ACCOUNTS_TOGETHER
        for at in range(0, len(found), most):
            yield RebuildGroup(tuple(found[at : at + most]))


def _zones_of(month: MonthSegments, unit: RebuildUnit, zone: str) -> str | None:
    """The zones of the days that stay, where some are not cut in the account's zone."""
    left = {day: month.zone(day) for day in days_of(unit.month) if day not in unit.days}
    has_files = month.month_file is not None or bool(month.day_files)
    return zones_text(left) if has_files and set(left.values()) - {zone} else None


def rows_of_units(table: LakeTable, view: TableVersion, group: RebuildGroup) -> AccountsSnapshot:
    """The group's rows in the lake, without buffered ones: a segment is of one lake version."""
    days, accounts = group.days, tuple(unit.account for unit in group.units)
    of_days = (file for file in view.files if file.data.day in days)
    found = [file for file in of_days if any(map(file.may_hold, accounts))]
    compacted = tuple(file.data for file in found if file.compacted)
    uncompacted = tuple(file.data for file in found if not file.compacted)
    return AccountsSnapshot(table.stream, "", table.url, view.version, compacted, uncompacted, accounts=accounts)


def month_of(segments: RollupTableVersion | None, account: str, month: str) -> MonthSegments:
    return NO_SEGMENTS if segments is None else segments.months(account).get(month, NO_SEGMENTS)


def build_task(
    table: RollupTable, rows: AccountsSnapshot, group: RebuildGroup, segments: RollupTableVersion, zone: str
) -> BuildTask:
    """`segments` is what there is before the rebuild; `zone` the time zone of the accounts' cells.

    Raises ValueError where the accounts' months have become too different for one file since they were grouped.
    """
    return BuildTask(
        rollup=table.rollup,
        zone=zone,
        table_url=table.url,
        storage_options=table.storage.options,
        rows=rows,
        month=group.month,
        days={unit.account: unit.days for unit in group.units},
        merge=group.merge,
        kept=tuple(_kept_in_layers(segments, group)) if group.merge else (),
        zones=_zones_of_file(segments, group, zone) if table.rollup.local and group.merge else zone,
    )


def _kept_in_layers(segments: RollupTableVersion, group: RebuildGroup) -> Iterator[KeptSegments]:
    """What stays of each account's month, in parts in whose files no account has a day twice."""
    built, days = group.days, days_of(group.month)
    taken: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    files: dict[str, StoredFile] = {}
    for unit in group.units:
        month = month_of(segments, unit.account, unit.month)
        for day in days:
            file = None if day in built else month.file_of(day)
            if file is not None and month.rows_in(file):
                files[file.name] = file
                taken[file.name][unit.account].append(day)
    for layer in _layers(files.values()):
        found: dict[str, list[str]] = defaultdict(list)
        for file in layer:
            for account, own in taken[file.name].items():
                found[account] += own
        only = None if layer[0].claims.named else next(iter(found))
        kept_days = {account: tuple(own) for account, own in found.items()}
        yield KeptSegments(tuple(file.data for file in layer), kept_days, only)


def _layers(files: Iterable[StoredFile]) -> Iterator[list[StoredFile]]:
    """Files that can be read together, as none has a day of an account that another has too, be it a dead one."""
    open_layers: list[tuple[list[StoredFile], set[tuple[str, str | None]]]] = []
    for file in files:
        held = {(account, file.day) for account in file.claims.rows}
        if not file.claims.named:
            yield [file]
            continue
        for layer, taken in open_layers:
            if (layer[0].day is None) == (file.day is None) and taken.isdisjoint(held):
                layer.append(file)
                taken.update(held)
                break
        else:
            open_layers.append(([file], held))
    yield from (layer for layer, _ in open_layers)


def replaced_files(segments: RollupTableVersion, group: RebuildGroup) -> list[StoredFile]:
    """The files of which no account needs anything once the group is built."""
    found: dict[str, set[str]] = defaultdict(set)
    files: dict[str, StoredFile] = {}
    for unit in group.units:
        month = month_of(segments, unit.account, unit.month)
        for file in month.files:
            if unit.merge or file.day in unit.days:
                files[file.name] = file
                found[file.name].add(unit.account)
    return [file for name, file in files.items() if not holders(segments, file, found[name])]


def holders(segments: RollupTableVersion, file: StoredFile, but: Collection[str] = ()) -> list[str]:
    """The accounts whose segments are read from a file, without those in `but`."""
    return [
        account
        for account in file.claims.rows
        if account not in but and any(each is file for each in month_of(segments, account, file.month).files)
    ]


def add_action(built: BuiltFile, task: BuildTask, segments: RollupTableVersion, now_ms: int) -> AddAction:
    """`segments` is what there was before the rebuild."""
    claims = FileClaims(segments.next_made, built.rows)
    values: dict[str, str | None] = {
        "account": claims.text(),
        "month": task.month,
        "day": built.day,
        "source": str(task.rows.version),
    }
    if task.rollup.local:
        values[ZONES] = task.zones
    return add_of(built.name, sum(built.rows.values()), built.size, values, now_ms)


def add_of(name: str, rows: int, size: int, values: Mapping[str, str | None], now_ms: int) -> AddAction:
    stats = msgspec.json.encode({"numRecords": rows}).decode()
    return AddAction(name, size, dict(values), now_ms, data_change=True, stats=stats)


def remove_action(file: StoredFile, now_ms: int) -> RemoveAction:
    return RemoveAction(
        file.name, data_change=True, deletion_timestamp=now_ms, size=file.data.size, partition_values=file.partition
    )


def _zones_of_file(segments: RollupTableVersion, group: RebuildGroup, zone: str) -> str:
    """Days built before an account's zone changed, and not built anew, keep the zone of their cells."""
    built, days, found = group.days, days_of(group.month), set()
    for unit in group.units:
        month = month_of(segments, unit.account, unit.month)
        kept = month.month_file is not None or month.day_files
        found.add(zones_text({day: month.zone(day) if kept and day not in built else zone for day in days}))
    if len(found) > 1:
        raise ValueError("days of an account have changed their time zone since the group was made")
    return found.pop()


def days_of(month: str) -> Sequence[str]:
    """The days (ISO) of a month."""
    first, last = date.fromisoformat(f"{month}-01"), date.fromisoformat(month_end(month))
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
