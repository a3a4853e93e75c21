"""Recipients of schedules and alarms: addresses of the person are taken out of the lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Table, update

from airtally.accounts.accounts import Account
from airtally.accounts.audit import note_change
from airtally.database.store import MetadataStore
from airtally.database.tables import alarms, schedules
from airtally.erasure.addresses import PersonAddresses, rows_by_id
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import METADATA
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.kit.clock import Clock
from airtally.kit.errors import Unavailable


@dataclass(frozen=True, slots=True)
class _Lists:
    """Where lists of addresses are: a member of the JSON in a column. `name` is that of one thing that has one."""

    name: str
    table: Table
    column: Column[Any]
    member: str


@dataclass(frozen=True, slots=True)
class _NamingList:
    """A list with the person, by the id of its row: the JSON as it is and as it will be."""

    row_id: int
    before: str
    after: str


_EVERY = (
    _Lists("schedule", schedules, schedules.c.deliver, "email"),
    _Lists("alarm", alarms, alarms.c.recipients, "addresses"),
)


class RecipientLists:
    """What a schedule makes or an alarm watches stays as it is; others go on getting it."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        for lists in _EVERY:
            found = sum(1 for _ in self._naming(account, lists, PersonAddresses(person)))
            yield ErasureFinding(METADATA, f"recipients of {lists.name}s", found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """List by list, each in one transaction with its note. Raises Unavailable for one that changes meanwhile."""
        if task.person is None:
            return
        addresses = PersonAddresses(task.person)
        for lists in _EVERY:
            for found in list(self._naming(task.account, lists, addresses)):
                check()
                self._replace(task.account, lists, found, journal)

    def _replace(self, account: Account, lists: _Lists, found: _NamingList, journal: StepJournal) -> None:
        now, table = self._clock.now_us(), lists.table
        same = table.c.id == found.row_id, lists.column == found.before
        with self._store.begin() as connection:
            changed = update(table).where(*same).values({lists.column.name: found.after, "updated_at": now})
            if not connection.execute(changed).rowcount:
                raise Unavailable(f"The {lists.name} {found.row_id} was changed or deleted meanwhile")
            target = f"{lists.name} {found.row_id}"
            note_change(connection, now, f"{lists.name}.update", target, account_id=account.id, erased="recipient")
            journal.note_within(connection, ErasureFinding(METADATA, f"recipients of {lists.name}s", 1, 1))

    def _naming(self, account: Account, lists: _Lists, addresses: PersonAddresses) -> Iterator[_NamingList]:
        columns = (lists.table.c.id, lists.column)
        for row_id, before in rows_by_id(self._store, columns, lists.table.c.account_id == account.id):
            value = msgspec.json.decode(before)
            named = value.get(lists.member, ())
            others = addresses.others(named)
            if len(others) < len(named):
                yield _NamingList(row_id, before, msgspec.json.encode(value | {lists.member: others}).decode())
