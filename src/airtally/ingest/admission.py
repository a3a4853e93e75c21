"""What only the server can tell is wrong with a row: it is too old, about another account's application, or its values
are not of the types that were declared.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.declared import Declared
from airtally.accounts.owners import Owners
from airtally.ingest.checked import Checked
from airtally.ingest.declaring import Declaring
from airtally.ingest.validate import too_old
from airtally.kit.clock import Clock
from airtally.kit.time import DAY_US
from airtally.settings import Settings
from airtally.streams.declaration import Owned, Stream


class Admission:
    """Streams that declare ids claim them for the account; rows of the others are checked against the claims."""

    def __init__(self, owners: Owners, declared: Declared, settings: Settings, clock: Clock) -> None:
        self._owners = owners
        self._declaring = Declaring(declared)
        self._settings = settings
        self._clock = clock

    def check(self, stream: Stream, account: Account, checked: Checked, *, declare: bool = True) -> Checked:
        """`declare`: what the rows name and nobody declared yet is declared; else it must have been."""
        days = self._settings.retention(stream.name)
        if days is not None:
            checked = too_old(stream, checked, self._clock.now_us() - days * DAY_US)
        if stream.owned is not None and checked.rows.num_rows:
            checked = self._check_owner(stream.owned, account, checked)
        return self._declaring.check(stream, account, checked) if declare else checked

    def _check_owner(self, owned: Owned, account: Account, checked: Checked) -> Checked:
        column = checked.rows.column(owned.column)
        foreign = self._foreign(owned, account, pc.unique(column.drop_null()).to_pylist())
        if not foreign:
            return checked
        wrong = pc.is_in(column, value_set=pa.array(sorted(foreign), column.type))
        return checked.without(wrong, owned.column, "belongs to another account")

    def _foreign(self, owned: Owned, account: Account, ids: list[str]) -> set[str]:
        if owned.declares:
            return self._owners.claim_all(owned.kind, ids, account.id)
        known = self._owners.owners_of(owned.kind, ids)
        return {each for each, owner in known.items() if owner != account.id}
