"""Rows that name another account's application are refused."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.owners import Owners
from airtally.ingest.checked import Checked
from airtally.streams.declaration import Owned, Stream


class Ownership:
    """Declaring streams claim their ids for the account; rows of the others are checked against the claims."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def check(self, stream: Stream, account: Account, checked: Checked) -> Checked:
        if stream.owned is None or checked.rows.num_rows == 0:
            return checked
        column = checked.rows.column(stream.owned.column)
        foreign = self._foreign(stream.owned, account, pc.unique(column.drop_null()).to_pylist())
        if not foreign:
            return checked
        wrong = pc.is_in(column, value_set=pa.array(sorted(foreign), column.type))
        return checked.without(wrong, stream.owned.column, "belongs to another account")

    def _foreign(self, owned: Owned, account: Account, ids: list[str]) -> set[str]:
        if owned.declares:
            return self._owners.claim_all(owned.kind, ids, account.id)
        known = self._owners.owners_of(owned.kind, ids)
        return {each for each, owner in known.items() if owner != account.id}
