"""What names the person and is not changed: the audit trail, and what schedules make. It is named with its reason."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import audit, schedules
from airtally.erasure.addresses import PersonAddresses, rows_by_id
from airtally.erasure.export_filters import names_person
from airtally.erasure.journal import StepJournal
from airtally.erasure.made_files import METADATA
from airtally.erasure.person import Person
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.exports.spec import ExportSpec

_TRAIL = "the audit trail says who changed what; it is not changed, and expires"
_SCHEDULES = "what they make names the person; change or delete them"


class KeptMentions:
    """Entries of the audit trail with an address of the person, and schedules whose filter or statement has an id."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        found = self._audited(account, PersonAddresses(person))
        yield ErasureFinding(METADATA, "audit", found, 0, found, _TRAIL if found else None)
        found = self._scheduled(account, person)
        yield ErasureFinding(METADATA, "schedules", found, 0, found, _SCHEDULES if found else None)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Changes nothing; notes what stays."""
        check()
        for finding in () if task.person is None else self.count(task.account, task.person):
            journal.state(finding)

    def _audited(self, account: Account, addresses: PersonAddresses) -> int:
        columns = (audit.c.id, audit.c.actor, audit.c.target, audit.c.details)
        rows = rows_by_id(self._store, columns, audit.c.account_id == account.id) if addresses else ()
        return sum(addresses.are_in(row.actor, row.target, row.details) for row in rows)

    def _scheduled(self, account: Account, person: Person) -> int:
        rows = rows_by_id(self._store, (schedules.c.id, schedules.c.product), schedules.c.account_id == account.id)
        made = (msgspec.json.decode(row.product).get("export") for row in rows)
        return sum(each is not None and names_person(msgspec.convert(each, ExportSpec), person) for each in made)
