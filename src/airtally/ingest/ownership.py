"""Rows that name another account's application are refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.owners import Owners
from airtally.ingest.decode import RowError
from airtally.streams.declaration import Stream


class Ownership:
    """Declared streams claim their ids for the account; the others are checked against the claims."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def check(self, stream: Stream, account: Account, rows: pa.Table) -> tuple[pa.Table, list[RowError]]:
        """The rows the account may write, and the others as errors."""
        if stream.owned is None or rows.num_rows == 0:
            return rows, []
        column = rows.column(stream.owned.column)
        ids = [value for value in pc.unique(column).to_pylist() if value is not None]
        foreign = self._foreign(stream, account, ids)
        if not foreign:
            return rows, []
        refused = pc.fill_null(pc.is_in(column, value_set=pa.array(sorted(foreign), column.type)), False)
        return rows.filter(pc.invert(refused)), [
            RowError(0, stream.owned.column, "belongs to another account", b"") for _ in range(pc.sum(refused).as_py())
        ]

    def _foreign(self, stream: Stream, account: Account, ids: list[str]) -> set[str]:
        assert stream.owned is not None
        if stream.owned.declares:
            return {each for each in ids if not self._owners.claim(stream.owned.kind, each, account.id)}
        owned = ((each, self._owners.owner_of(stream.owned.kind, each)) for each in ids)
        return {each for each, owner in owned if owner is not None and owner != account.id}
