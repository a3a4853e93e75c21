"""Kept messages: those that were sent to the person or tell of an address of the person."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, delete, func, select

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import message_deliveries, message_tries, messages
from airtally.erasure.addresses import PersonAddresses, rows_by_id
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import METADATA
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check

_PART = "messages"


class SentMessages:
    """A message that only went to the person goes as a whole; of others the delivery to the person goes."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        addresses = PersonAddresses(person)
        found = len({*self._telling(account, addresses), *self._sent(account, addresses).values()})
        yield ErasureFinding(METADATA, _PART, found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Message by message, each in one transaction with its note. One that waits is not sent any more."""
        addresses = PersonAddresses(task.person) if task.person is not None else None
        if not addresses:
            return
        for message_id in self._telling(task.account, addresses):
            check()
            with self._store.begin() as connection:
                _drop_deliveries(connection, message_deliveries.c.message_id == message_id)
                _drop_message(connection, message_id, journal)
        for delivery_id, message_id in self._sent(task.account, addresses).items():
            check()
            with self._store.begin() as connection:
                _drop_deliveries(connection, message_deliveries.c.id == delivery_id)
                others = select(func.count()).where(message_deliveries.c.message_id == message_id)
                if connection.execute(others).scalar_one():
                    journal.note_within(connection, ErasureFinding(METADATA, _PART, 1, 1))
                else:
                    _drop_message(connection, message_id, journal)

    def _telling(self, account: Account, addresses: PersonAddresses) -> list[int]:
        columns = (messages.c.id, messages.c.payload, messages.c.subject, messages.c.text)
        rows = rows_by_id(self._store, columns, messages.c.account_id == account.id) if addresses else ()
        return [row.id for row in rows if addresses.are_in(row.payload, row.subject, row.text)]

    def _sent(self, account: Account, addresses: PersonAddresses) -> dict[int, int]:
        """The messages of deliveries to the person, by the delivery."""
        mine = (message_deliveries.c.account_id == account.id) & message_deliveries.c.address.is_not(None)
        columns = (message_deliveries.c.id, message_deliveries.c.message_id, message_deliveries.c.address)
        rows = rows_by_id(self._store, columns, mine) if addresses else ()
        return {row.id: row.message_id for row in rows if addresses.has(row.address)}


def _drop_deliveries(connection: Connection, which: ColumnElement[bool]) -> None:
    """With their tries; a sender that is at one finds it gone."""
    found = select(message_deliveries.c.id).where(which).with_for_update()
    ids = connection.execute(found).scalars().all()
    connection.execute(delete(message_tries).where(message_tries.c.delivery_id.in_(ids)))
    connection.execute(delete(message_deliveries).where(message_deliveries.c.id.in_(ids)))


def _drop_message(connection: Connection, message_id: int, journal: StepJournal) -> None:
    if connection.execute(delete(messages).where(messages.c.id == message_id)).rowcount:
        journal.note_within(connection, ErasureFinding(METADATA, _PART, 1, 1))
