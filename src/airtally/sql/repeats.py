"""Which rows of events do not count, since their event was received again later: a query that is narrow and spills.

Of 3 million uncompacted rows in 80 files, ranking all columns of all rows took 4 s of processor time and 650 MB. Events
that come again are few, so that they are found by hashes first: 1 s and 330 MB. Hashes that are equal by chance do no
harm, as the rows that have them are compared as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from airtally.kit.time import DAY_US
from airtally.sql.compiler import Binder, column
from airtally.sql.statement import Rows
from airtally.storage.lake.last_received import received_before
from airtally.storage.lake.snapshot import AccountsSnapshot, Snapshot
from airtally.streams.declaration import ACCOUNT, RECEIVED_ORDER, ROW_ID, Stream

DAY_NUMBER = "_day"
_HASH, _ARRIVED, _AGAIN, _OLD = "_hash", "arrived", "again", "old"


def repeated_rows(binder: Binder, old: Rows, new: Rows) -> exp.Select:
    """`ROW_ID` and `DAY_NUMBER` (UTC, since 1970) of each row that an event of `new` makes one that does not count.

    `old` holds the rows of which nobody need be told that they are repeats of each other.
    """
    return BoundRepeats.of(binder, old, new).select()


@dataclass(frozen=True, slots=True)
class BoundRepeats:
    """The relations of `repeated_rows`, before their query is built."""

    stream: Stream
    key: tuple[str, ...]
    brought: exp.Table
    held: exp.Table | None

    @classmethod
    def of(cls, binder: Binder, old: Rows, new: Rows) -> BoundRepeats:
        brought = binder.relation(new, "new")
        held = None if old.empty else binder.relation(old, "old")
        return cls(new.snapshot.stream, key_of(new.snapshot), brought, held)

    def select(self) -> exp.Select:
        everything = self._identified(self.brought, (*self.key, *RECEIVED_ORDER))
        if self.held is not None:
            more = self._identified(self.held, (*self.key, *RECEIVED_ORDER))
            everything = exp.union(everything, more, distinct=False)
        candidates = _matched(everything, _AGAIN)
        key = [column(name) for name in (*self.key, DAY_NUMBER)]
        return (
            received_before(candidates, key, [column(name) for name in (*ROW_ID, DAY_NUMBER)])
            .with_(_ARRIVED, as_=self._identified(self.brought), materialized=True)
            .with_(_AGAIN, as_=self._repeated_hashes(), materialized=True)
        )

    def _identified(self, source: exp.Table, columns: Sequence[str] = ()) -> exp.Query:
        """The hash of each identity and day; with `columns` these and the day too."""
        parts = [column(name) for name in self.key]
        shown = [exp.func("hash", *parts, day_number(self.stream)).as_(_HASH, quoted=True)]
        if columns:
            day = day_number(self.stream).as_(DAY_NUMBER, quoted=True)
            shown += [*map(column, dict.fromkeys(columns)), day]
        return exp.select(*shown).from_(source.copy()).where(identified(self.stream))

    def _repeated_hashes(self) -> exp.Select:
        """The hashes that two rows have, one of them new at least."""
        hashes: exp.Query = exp.select(column(_HASH)).from_(_ARRIVED)
        if self.held is not None:
            hashes = exp.union(hashes, _matched(self._identified(self.held), _ARRIVED), distinct=False)
        counted = exp.select(column(_HASH)).from_(hashes.subquery("hashes")).group_by(column(_HASH))
        return counted.having(exp.Count(this=exp.Star()) > 1)


def key_of(snapshot: Snapshot) -> tuple[str, ...]:
    """What tells events of a day from one another: their identity, and the account where there are several."""
    several = (ACCOUNT.name,) if isinstance(snapshot, AccountsSnapshot) else ()
    return (*several, *snapshot.stream.identity)


def day_number(stream: Stream) -> exp.Expr:
    """The UTC day of a row's event, as events of one identity are told apart by it."""
    return exp.IntDiv(this=exp.UnixMicros(this=column(stream.time)), expression=exp.Literal.number(DAY_US))


def identified(stream: Stream) -> exp.Expr:
    """Whether a row has the whole identity of an event; without it a row is an event of its own."""
    return exp.and_(*(exp.not_(column(name).is_(exp.null())) for name in stream.identity))


def _matched(rows: exp.Query, hashes: str) -> exp.Select:
    """The rows with one of the hashes."""
    same = column(_HASH, _OLD).eq(column(_HASH, hashes))
    return exp.select(f"{_OLD}.*").from_(rows.subquery(_OLD)).join(exp.to_table(hashes), on=same, join_type="semi")
