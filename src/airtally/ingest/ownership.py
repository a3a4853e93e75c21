"""Rows that name another account's application are refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.owners import Owners
from airtally.ingest.decode import Checked
from airtally.streams.declaration import Owned, Stream


class Ownership:
    """Declared streams claim their ids for the account; the others are checked against the claims."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def check(self, stream: Stream, account: Account, checked: Checked) -> Checked:
        """The same with the rows refused that the account may not write."""
        if stream.owned is None or checked.rows.num_rows == 0:
            return checked
        column = checked.rows.column(stream.owned.column)
        ids = [value for value in pc.unique(column).to_pylist() if value is not None]
        foreign = self._foreign(stream.owned, account, ids)
        if not foreign:
            return checked
        refused = pc.is_in(column, value_set=pa.array(sorted(foreign), column.type))
        return checked.without(refused, stream.owned.column, "belongs to another account")

    def _foreign(self, owned: Owned, account: Account, ids: list[str]) -> set[str]:
        if owned.declares:
            return {each for each in ids if not self._owners.claim(owned.kind, each, account.id)}
        owners = ((each, self._owners.owner_of(owned.kind, each)) for each in ids)
        return {each for each, owner in owners if owner is not None and owner != account.id}
