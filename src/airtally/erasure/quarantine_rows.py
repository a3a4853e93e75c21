"""Refused rows: those that name the person are dropped from their entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import quarantine
from airtally.erasure.journal import StepJournal
from airtally.erasure.person import Person
from airtally.erasure.raw_rows import RawRows
from airtally.erasure.records import ErasureFinding, ErasureTask
from airtally.erasure.store_protocol import Check
from airtally.ingest.rejected import RejectedRow, packed_rows, unpacked_rows
from airtally.kit.errors import Unavailable
from airtally.kit.faults import NO_FAULTS, Faults

QUARANTINE = "quarantine"
_TRIES = 5


@dataclass(slots=True)
class _Sifted:
    """Counts the rows that pass."""

    kept: int = 0
    dropped: int = 0

    def rest(self, rows: Iterable[RejectedRow], raw: RawRows) -> Iterator[RejectedRow]:
        """The rows that do not name the person."""
        for row in rows:
            if raw.names(row):
                self.dropped += 1
            else:
                self.kept += 1
                yield row


class QuarantineRows:
    """A refused row names a person if any value in it equals an id of the person: its columns may be misnamed."""

    def __init__(self, store: MetadataStore, faults: Faults = NO_FAULTS) -> None:
        self._store = store
        self._faults = faults

    def count(self, account: Account, person: Person) -> Iterable[ErasureFinding]:
        raw = RawRows(person)
        found = sum(self._sift(entry_id, raw)[0].dropped for entry_id in self._entries(account, None))
        yield ErasureFinding(QUARANTINE, "rows", found, 0, found)

    def erase(self, task: ErasureTask, journal: StepJournal, check: Check) -> None:
        """Entry by entry, each in one transaction with its note."""
        if task.person is None:
            return
        raw = RawRows(task.person)
        seen = 0
        while entries := self._entries(task.account, task.through_us, after=seen):
            for entry_id in entries:  # one that is sent again meanwhile leaves some of its rows to a new entry
                check()
                self._drop_surely(entry_id, raw, journal)
            seen = entries[-1]

    def _drop_surely(self, entry_id: int, raw: RawRows, journal: StepJournal) -> None:
        """Raises Unavailable, by which the whole erasure is tried again, where the entry changes at each try."""
        for _ in range(_TRIES):
            if self._drop(entry_id, raw, journal):
                return
        raise Unavailable(f"Refused rows of quarantine entry {entry_id} were changed at each of {_TRIES} tries")

    def _drop(self, entry_id: int, raw: RawRows, journal: StepJournal) -> bool:
        """False where the entry was changed meanwhile."""
        sifted, content, rest = self._sift(entry_id, raw)
        if not sifted.dropped:
            return True
        self._faults.reach("erasure.quarantine")
        same = quarantine.c.id == entry_id, quarantine.c.content == content
        with self._store.begin() as connection:
            if sifted.kept:
                changed = connection.execute(update(quarantine).where(*same).values(rows=sifted.kept, content=rest))
            else:
                changed = connection.execute(delete(quarantine).where(*same))
            if changed.rowcount:
                journal.note_within(connection, ErasureFinding(QUARANTINE, "rows", sifted.dropped, sifted.dropped))
            return bool(changed.rowcount)

    def _sift(self, entry_id: int, raw: RawRows) -> tuple[_Sifted, bytes, bytes]:
        """What stays of an entry: the counts, the content that was read, and the rest of it."""
        query = select(quarantine.c.content).where(quarantine.c.id == entry_id)
        with self._store.read() as connection:
            content = connection.execute(query).scalar_one_or_none() or b""
        sifted = _Sifted()
        rest = packed_rows(sifted.rest(unpacked_rows(content), raw)) if content else b""
        return sifted, bytes(content), rest

    def _entries(self, account: Account, through_us: int | None, *, after: int = 0) -> list[int]:
        mine = quarantine.c.account_id == account.id, quarantine.c.id > after
        query = select(quarantine.c.id).where(*mine).order_by(quarantine.c.id)
        if through_us is not None:
            query = query.where(quarantine.c.received_at <= through_us)
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())
