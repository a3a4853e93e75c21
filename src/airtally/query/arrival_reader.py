"""Reads from files when the last row of each value of a column arrived, and merges such entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.sql.compiler import column as named
from airtally.sql.compiler import micros
from airtally.sql.statement import Relation, Rows, Statement
from airtally.storage.lake.snapshot import DataFile, Snapshot
from airtally.streams.declaration import RECEIVED_AT

Numbers = npt.NDArray[np.int64]

#: Files, and rows of them, that one statement reads: it gives at most a row for each of these.
_FILES_AT_ONCE, _ROWS_AT_ONCE = 50, 4_000_000
_WANTED = "wanted"


class TooManyValues(Exception):
    """A column has more different values than are kept in memory."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The last arrival of each value, by value: microseconds UTC, and the place of the file that has that row."""

    values: Numbers
    last_us: Numbers
    owners: Numbers

    @classmethod
    def none(cls) -> Arrivals:
        empty = np.array([], dtype=np.int64)
        return cls(empty, empty, empty)

    @classmethod
    def of_columns(
        cls, values: pa.ChunkedArray, last_us: pa.ChunkedArray, owners: pa.ChunkedArray | None = None
    ) -> Arrivals:
        """Columns of whole numbers, a value as often as one likes: the last arrival counts."""
        numbers = _as_numbers(values)
        places = np.full(len(numbers), -1, dtype=np.int64) if owners is None else _as_numbers(owners)
        return _last_of_each(numbers, _as_numbers(last_us), places)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.values.nbytes + self.last_us.nbytes + self.owners.nbytes

    def merged(self, other: Arrivals) -> Arrivals:
        """The later arrival of each value of both."""
        pairs = zip(self._columns(), other._columns(), strict=True)
        return _last_of_each(*(np.concatenate(pair) for pair in pairs))

    def moved(self, places: int) -> Arrivals:
        """With owners so many places later."""
        return Arrivals(self.values, self.last_us, self.owners + places)

    def among(self, values: Numbers) -> Arrivals:
        return self._where(np.isin(self.values, values, assume_unique=True))

    def of_owners(self, places: Sequence[int]) -> tuple[Arrivals, Arrivals]:
        """Those of some files, whose places become 0, 1, …; and the others."""
        owned = np.isin(self.owners, places)
        kept, order = self._where(owned), np.argsort(places, kind="stable")
        if places:
            sorted_places = np.asarray(places)[order]
            kept = Arrivals(kept.values, kept.last_us, order[np.searchsorted(sorted_places, kept.owners)])
        return kept, self._where(~owned)

    def earlier_than(self, other: Arrivals) -> Numbers:
        """The values of `other` whose arrival here is earlier, or that are not here."""
        places = np.searchsorted(self.values, other.values)
        if not len(self.values):
            return other.values
        within = np.minimum(places, len(self.values) - 1)
        here = self.values[within] == other.values
        late = here & (self.last_us[within] >= other.last_us)
        found: Numbers = other.values[~late]
        return found

    def as_dict(self) -> dict[int, int]:
        return dict(zip(self.values.tolist(), self.last_us.tolist(), strict=True))

    def _columns(self) -> tuple[Numbers, Numbers, Numbers]:
        return self.values, self.last_us, self.owners

    def _where(self, mask: npt.NDArray[np.bool_]) -> Arrivals:
        return Arrivals(self.values[mask], self.last_us[mask], self.owners[mask])


class ArrivalReader:
    """For an engine with `file_lists`. Thread-safe: the engine is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last_arrivals(
        self, snapshot: Snapshot, files: Sequence[DataFile], column: str, values: Numbers | None = None
    ) -> Arrivals:
        """Of the account's rows in the files, or of those with one of `values`; the owner is the place in `files`.

        Raises TooManyValues, and what the engine raises.
        """
        found, done = Arrivals.none(), 0
        for some in _batches(files):
            table = self._engine.query(_statement(snapshot, some, column, values))
            if table.num_rows > _ROWS_AT_ONCE:
                raise TooManyValues
            read = Arrivals.of_columns(table.column("value"), table.column("last"), table.column("owner"))
            found, done = found.merged(read.moved(done)), done + len(some)
        return found


def _batches(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    some: list[DataFile] = []
    for file in files:
        if some and (len(some) == _FILES_AT_ONCE or sum(each.rows for each in some) + file.rows > _ROWS_AT_ONCE):
            yield some
            some = []
        some.append(file)
    if some:
        yield some


def _statement(snapshot: Snapshot, files: Sequence[DataFile], column: str, values: Numbers | None) -> Statement:
    relations: dict[str, Relation] = {f"rows_{n}": Rows(snapshot, (file,), ()) for n, file in enumerate(files)}
    selects: list[exp.Query] = [_last_of_file(n, column, among=values is not None) for n in range(len(files))]
    tree = reduce(lambda one, other: exp.union(one, other, distinct=False, copy=False), selects)
    if values is not None:
        relations[_WANTED] = pa.table({"value": values})
    key = ("last arrivals", snapshot.stream.name, column, len(files), values is not None)
    return Statement(tree.limit(_ROWS_AT_ONCE + 1), relations, key=key)


def _last_of_file(number: int, column: str, *, among: bool) -> exp.Select:
    last = exp.Max(this=micros(RECEIVED_AT.name)).as_("last", quoted=True)
    owner = exp.cast(exp.Literal.number(number), "bigint").as_("owner", quoted=True)
    value = named(column).as_("value", quoted=True)
    tree = exp.select(owner, value, last).from_(exp.to_table(f"rows_{number}"))
    tree = tree.where(exp.not_(named(column).is_(exp.null()))).group_by(named(column))
    if among:
        wanted = exp.select(named("value")).from_(exp.to_table(_WANTED))
        tree = tree.where(named(column).isin(query=wanted))
    return tree


def _last_of_each(values: Numbers, last_us: Numbers, owners: Numbers) -> Arrivals:
    order = np.lexsort((last_us, values))
    ordered = values[order]
    ends = np.ones(len(ordered), dtype=bool)
    ends[:-1] = ordered[1:] != ordered[:-1]
    places = order[ends]
    return Arrivals(values[places], last_us[places], owners[places])


def _as_numbers(column: pa.ChunkedArray) -> Numbers:
    found: Numbers = column.cast(pa.int64()).to_numpy()
    return found
