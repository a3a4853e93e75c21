"""Rows that come to the lake after they were erased: out of the buffer of a machine that nobody waited for any more.

An operator may give up a writer whose machine is lost; where it comes back, its rows are flushed. Those that an erasure
since was about are left out, by the keyed hashes of their ids that it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from sqlalchemy import select

from airtally.accounts.secrets import Secrets
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, erasures
from airtally.erasure.person import FOLDED, hashed_id
from airtally.erasure.records import ErasureKind
from airtally.streams.declaration import ACCOUNT, RECEIVED_AT, Stream

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _PastErasure:
    account: str
    kind: ErasureKind
    through_us: int
    hashes: dict[str, set[str]]


class LateRows:
    """Costs one small query for each flush. Thread-safe: it holds no state."""

    def __init__(self, store: MetadataStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    def left(self, stream: Stream, rows: pa.Table) -> pa.Table:
        """The rows (`stream.stored_schema`) that no erasure was about; see `storage.store.Sieve`."""
        if not rows.num_rows:
            return rows
        first_us = pc.min(rows.column(RECEIVED_AT.name)).cast(pa.int64()).as_py()
        gone = [self._named(stream, rows, each) for each in self._past(stream, first_us)]
        if not gone:
            return rows
        named = gone[0]
        for each in gone[1:]:
            named = pc.or_(named, each)
        left = rows.filter(pc.invert(named))
        if left.num_rows < rows.num_rows:
            _log.warning("late rows left out: they were erased", stream=stream.name, rows=rows.num_rows - left.num_rows)
        return left

    def _past(self, stream: Stream, first_us: int) -> Sequence[_PastErasure]:
        """Erasures that may be about rows received from a moment on."""
        query = select(accounts.c.slug, erasures.c.kind, erasures.c.through, erasures.c.hashes)
        of_account = (erasures.c.kind == ErasureKind.ACCOUNT) & erasures.c.through.is_not(None)
        of_person = (erasures.c.kind == ErasureKind.PERSON) & (erasures.c.through >= first_us)
        query = query.join_from(erasures, accounts).where(
            (of_account | of_person) if stream.person_columns else of_account
        )
        with self._store.read() as connection:
            found = connection.execute(query).all()
        return [
            _PastErasure(
                row.slug,
                ErasureKind(row.kind),
                row.through,
                msgspec.json.decode(row.hashes, type=dict[str, set[str]]),
            )
            for row in found
        ]

    def _named(self, stream: Stream, rows: pa.Table, past: _PastErasure) -> pa.ChunkedArray:
        """For each row, whether the erasure was about it."""
        of_account = pc.equal(rows.column(ACCOUNT.name), past.account)
        if past.kind is ErasureKind.ACCOUNT:  # whenever they were received
            return of_account
        through = pa.scalar(past.through_us, RECEIVED_AT.type)
        mine = pc.and_(of_account, pc.less_equal(rows.column(RECEIVED_AT.name), through))
        named = pc.and_(mine, pa.scalar(value=False))
        for column in stream.person_columns:
            kind = str(column.identifies)
            values = rows.column(column.name)
            values = pc.utf8_lower(values) if kind in FOLDED else values
            erased = self._erased(kind, values.filter(mine), past.hashes.get(kind, set()))
            named = pc.or_(named, pc.and_(mine, pc.is_in(values, value_set=erased)))
        return named

    def _erased(self, kind: str, values: pa.ChunkedArray, hashes: set[str]) -> pa.Array:
        distinct = pc.unique(values.drop_null()).to_pylist() if hashes else []
        return pa.array([each for each in distinct if hashed_id(self._secrets, kind, each) in hashes], pa.string())
