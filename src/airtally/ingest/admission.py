"""Checks of rows against the server's state: retention, owners of ids, businesses, and declared types of values."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.declared import EventTypeRegistry
from airtally.accounts.owners import Owners
from airtally.ingest.businesses import Businesses
from airtally.ingest.checked import Checked
from airtally.ingest.declaring import Declaring
from airtally.ingest.validate import too_old
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.sql.case import folded_array
from airtally.streams.declaration import Owned, Stream


class Admission:
    """Claims ids for the account on streams that declare them, and checks the rows of other streams against the claims.

    Thread-safe: it has no state of its own, and the metadata store decides between accounts.
    """

    def __init__(
        self,
        owners: Owners,
        businesses: Businesses,
        declared: EventTypeRegistry,
        retention: Mapping[str, int | None],
        clock: Clock,
    ) -> None:
        """`retention` has the days that rows are kept by the name of the stream, None for ever."""
        self._owners = owners
        self._businesses = businesses
        self._declaring = Declaring(declared)
        self._retention = retention
        self._clock = clock

    def check(self, stream: Stream, account: Account, checked: Checked, *, declare: bool = True) -> Checked:
        """Returns the rows that pass.

        With `declare`, events, attributes and tags that the rows are the first to name are declared; without it,
        nothing is declared or checked against declarations.
        """
        days = self._retention[stream.name]
        if days is not None:
            checked = too_old(stream, checked, self._clock.now_us() - days * DAY_US)
        if stream.owned is not None and checked.rows.num_rows:
            checked = self._check_owner(stream, stream.owned, account, checked)
        if stream.business is not None and checked.rows.num_rows:
            checked = self._check_business(stream.business, account, checked)
        return self._declaring.check(stream, account, checked) if declare else checked

    def _check_owner(self, stream: Stream, owned: Owned, account: Account, checked: Checked) -> Checked:
        column = checked.rows.column(owned.column)
        if stream.by_name[owned.column].fold_case:
            column = folded_array(column)
        foreign = self._foreign(owned, account, pc.unique(column.drop_null()).to_pylist())
        return _refused(checked, owned.column, column, foreign, "belongs to another account")

    def _check_business(self, column: str, account: Account, checked: Checked) -> Checked:
        values = checked.rows.column(column)
        unknown = self._businesses.unknown(account, pc.unique(values).to_pylist())
        return _refused(checked, column, values, unknown, "there is no such business")

    def _foreign(self, owned: Owned, account: Account, ids: list[str]) -> set[str]:
        if owned.declares:
            return self._owners.claim_all(owned.kind, ids, account.id)
        known = self._owners.owners_of(owned.kind, ids)
        return {each for each, owner in known.items() if owner != account.id}


def _refused(checked: Checked, name: str, column: pa.ChunkedArray, values: set[str], error: str) -> Checked:
    """Refuse the rows with one of `values`; `column` has the values of `name` in the form that is compared."""
    if not values:
        return checked
    return checked.without(pc.is_in(column, value_set=pa.array(sorted(values), column.type)), name, error)
