"""The quarantine: rejected rows as received, with their errors, to be listed, downloaded and resent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from airtally.accounts.accounts import Account
from airtally.accounts.audit import note_change
from airtally.database.rows import values_of
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, quarantine
from airtally.ingest.decode import RowError
from airtally.ingest.rejected import RejectedRow, packed_errors, packed_rows, unpacked_rows
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict, Failure, NotFound, StorageFull
from airtally.kit.time import DAY_US

_log = structlog.get_logger()

#: The source of rows that were refused again begins with this.
_RESEND = "resend of "
_BYTES = func.coalesce(func.sum(func.length(quarantine.c.content)), 0)
_LISTED = (
    quarantine.c.id,
    quarantine.c.stream,
    quarantine.c.source,
    quarantine.c.rows,
    quarantine.c.first_error,
    quarantine.c.received_at,
    quarantine.c.resent_at,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The rejected rows of one batch. Times in microseconds UTC."""

    id: int
    stream: str
    source: str
    rows: int
    first_error: str
    received_at: int
    resent_at: int | None


@dataclass(frozen=True, slots=True)
class QuarantineReceipt:
    """What was kept of a batch's rejected rows: the first `rows`, in the entry `id` (None if they were kept before)."""

    rows: int = 0
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The size of an account's entries; `bytes` as packed."""

    account: str
    entries: int
    rows: int
    bytes: int


class Quarantine:
    """Entries in the metadata store. Calls take the account, and no entry of another is reachable.

    An account's entries take at most `max_bytes`, packed, and are kept for `days`. Thread-safe: each change is one
    transaction.
    """

    def __init__(self, store: MetadataStore, clock: Clock, *, max_bytes: int, days: int) -> None:
        self._store = store
        self._clock = clock
        self._max_bytes = max_bytes
        self._days = days

    def keep(
        self, account: Account, stream: str, errors: Sequence[RowError], *, source: str, source_key: str | None = None
    ) -> QuarantineReceipt:
        """Keep as many of a batch's rejected rows as there is room for; nothing if its `source_key` was kept before.

        On a full disk it keeps none, and does not raise: the batch itself may still be accepted.
        """
        if not errors:
            return QuarantineReceipt()
        first = errors[0]
        values = {
            "account_id": account.id,
            "stream": stream,
            "source": source,
            "source_key": source_key,
            "first_error": _said(first),
            "received_at": self._clock.now_us(),
        }
        try:
            kept = self._keep(account, values, errors)
        except StorageFull:
            _log.warning("no room for rejected rows", account=account.slug, stream=stream, rows=len(errors))
            kept = QuarantineReceipt()
        metrics.ROWS_REJECTED.labels(stream).inc(kept.rows if kept.id is not None else 0)
        metrics.ROWS_NOT_QUARANTINED.labels(stream).inc(len(errors) - kept.rows)
        return kept

    def _keep(self, account: Account, values: dict[str, Any], errors: Sequence[RowError]) -> QuarantineReceipt:
        """Pack the rows before the transaction, as all other writers wait for it."""
        with self._store.read() as connection:
            kept, room = self._before(connection, account, values["source_key"])
        if kept is not None:
            return QuarantineReceipt(min(kept, len(errors)))
        count, content = packed_errors(errors, room)
        if not count:
            return QuarantineReceipt()
        with self._store.begin() as connection:
            # one batch of an account at a time, so that two do not take the same room
            connection.execute(select(accounts.c.id).where(accounts.c.id == account.id).with_for_update())
            kept, room = self._before(connection, account, values["source_key"])
            if kept is not None:
                return QuarantineReceipt(min(kept, len(errors)))
            if len(content) > room:  # another batch took some of the room meanwhile
                count, content = packed_errors(errors[:count], room)
            if not count:
                return QuarantineReceipt()
            made = insert(quarantine).values(**values, rows=count, content=content).returning(quarantine.c.id)
            return QuarantineReceipt(count, connection.execute(made).scalar_one())

    def _before(self, connection: Connection, account: Account, source_key: str | None) -> tuple[int | None, int]:
        """How many rows of this source were kept before, None if it is new; and the bytes that are left."""
        kept: int | None = None
        if source_key is not None:
            known = select(quarantine.c.rows).where(quarantine.c.source_key == source_key)
            kept = connection.execute(known).scalar_one_or_none()
        used = connection.execute(select(_BYTES).where(quarantine.c.account_id == account.id)).scalar_one()
        return kept, self._max_bytes - int(used)

    def take_back(self, account: Account, kept: QuarantineReceipt) -> None:
        """Delete what was kept of a batch that was refused afterwards."""
        if kept.id is None:
            return
        try:
            with self._store.begin() as connection:
                connection.execute(delete(quarantine).where(*_is(account, kept.id)))
        except Failure:
            _log.exception("rejected rows of a refused batch stay in quarantine", account=account.slug, entry=kept.id)

    def usage(self) -> list[Usage]:
        """The usage of each account that has entries."""
        columns = (accounts.c.slug, func.count(), func.sum(quarantine.c.rows), _BYTES)
        query = select(*columns).join(accounts, accounts.c.id == quarantine.c.account_id).group_by(accounts.c.slug)
        with self._store.read() as connection:
            return [Usage(row[0], row[1], int(row[2]), int(row[3])) for row in connection.execute(query).all()]

    def usage_of(self, account: Account) -> tuple[int, int]:
        """The rows that are kept of the account, and the bytes that they take."""
        columns = (func.coalesce(func.sum(quarantine.c.rows), 0), func.coalesce(_BYTES, 0))
        query = select(*columns).where(quarantine.c.account_id == account.id)
        with self._store.read() as connection:
            rows, taken = connection.execute(query).one()
        return int(rows), int(taken)

    def rows_since(self, account: Account, since_us: int, stream: str | None = None) -> int:
        """How many rows were refused since a moment and kept; those refused again when they were resent not counted."""
        where = [quarantine.c.account_id == account.id, quarantine.c.received_at > since_us]
        where += [quarantine.c.source.not_like(f"{_RESEND}%")]
        where += [] if stream is None else [quarantine.c.stream == stream]
        query = select(func.coalesce(func.sum(quarantine.c.rows), 0)).where(*where)
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def expire(self) -> None:
        """Delete old entries, account by account. Raises the first failure after all accounts were tried."""
        limit = self._clock.now_us() - self._days * DAY_US
        old = quarantine.c.received_at < limit
        with self._store.read() as connection:
            ids = connection.execute(select(quarantine.c.account_id).where(old).distinct()).scalars().all()
        failed: Exception | None = None
        for account_id in ids:
            try:
                with self._store.begin() as connection:
                    gone = connection.execute(delete(quarantine).where(old, quarantine.c.account_id == account_id))
                metrics.QUARANTINE_EXPIRED.inc(gone.rowcount)
            except Exception as error:  # noqa: BLE001 (other accounts are still done)
                _log.exception("old quarantine entries stay", account_id=account_id)
                failed = failed or error
        if failed is not None:
            raise failed

    def entries(
        self, account: Account, stream: str | None = None, *, before: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        """The account's entries, newest first; from the one before the id `before`."""
        query = select(*_LISTED).where(quarantine.c.account_id == account.id).order_by(quarantine.c.id.desc())
        if stream is not None:
            query = query.where(quarantine.c.stream == stream)
        if before is not None:
            query = query.where(quarantine.c.id < before)
        with self._store.read() as connection:
            return [Entry(**values_of(row, _LISTED)) for row in connection.execute(query.limit(limit))]

    def entry(self, account: Account, entry_id: int) -> Entry:
        """Raises NotFound for an entry that is not the account's."""
        with self._store.read() as connection:
            row = connection.execute(select(*_LISTED).where(*_is(account, entry_id))).one_or_none()
        if row is None:
            raise _unknown(entry_id)
        return Entry(**values_of(row, _LISTED))

    def rows(self, account: Account, entry_id: int) -> Iterator[RejectedRow]:
        """Raises NotFound for an entry that is not the account's."""
        query = select(quarantine.c.content).where(*_is(account, entry_id))
        with self._store.read() as connection:
            content = connection.execute(query).scalar_one_or_none()
        if content is None:
            raise _unknown(entry_id)
        yield from unpacked_rows(content)

    def forget_from(self, source_key: str, line: int) -> None:
        """Delete the rows of a batch from a line on, which are about to be read again."""
        named = quarantine.c.source_key == source_key
        with self._store.begin() as connection:
            found = connection.execute(
                select(quarantine.c.content).where(named, quarantine.c.resent_at.is_(None))
            ).scalar_one_or_none()
            if found is None:
                return
            left = [row for row in unpacked_rows(found) if row.line < line]
            if left:
                values = {"rows": len(left), "content": packed_rows(left)}
                connection.execute(update(quarantine).where(named).values(values))
            else:
                connection.execute(delete(quarantine).where(named))

    def split(self, account: Account, entry: Entry, taken: Sequence[RejectedRow], left: Sequence[RejectedRow]) -> None:
        """Leave only the accepted rows in an entry; the others become an entry of their own, with their new reasons
        and the time at which they were received, by which an erasure finds them.

        If none is accepted the entry keeps all. Raises Conflict if it has changed since it was read.
        """
        same = (*_is(account, entry.id), quarantine.c.rows == entry.rows, quarantine.c.resent_at.is_(None))
        mine = taken or left
        values: dict[str, Any] = {"rows": len(mine), "content": packed_rows(mine)}
        if not taken:
            values["first_error"] = _said(left[0])
        with self._store.begin() as connection:
            if connection.execute(update(quarantine).where(*same).values(values)).rowcount == 0:
                raise Conflict(f"Quarantine entry {entry.id} is being sent by another process")
            if taken and left:
                others = {"rows": len(left), "content": packed_rows(left), "first_error": _said(left[0])}
                others |= {"account_id": account.id, "stream": entry.stream, "source": f"{_RESEND}{entry.id}"}
                connection.execute(insert(quarantine).values(**others, received_at=entry.received_at))

    def mark_resent(self, account: Account, entry_id: int) -> None:
        self._change(account, entry_id, update(quarantine).values(resent_at=self._clock.now_us()), "quarantine.resend")

    def drop(self, account: Account, entry_id: int) -> None:
        """Raises NotFound for an entry that is not the account's."""
        self._change(account, entry_id, delete(quarantine), "quarantine.drop")

    def _change(self, account: Account, entry_id: int, statement: Any, action: str) -> None:
        with self._store.begin() as connection:
            if connection.execute(statement.where(*_is(account, entry_id))).rowcount == 0:
                raise _unknown(entry_id)
            target = f"quarantine entry {entry_id}"
            note_change(connection, self._clock.now_us(), action, target, account_id=account.id)


def _said(row: RowError | RejectedRow) -> str:
    said = f"line {row.line}: {row.field or 'row'}: {row.error}"
    return said.replace("\0", "\ufffd")  # PostgreSQL cannot store it, and the name of an unknown field may contain it


def _is(account: Account, entry_id: int) -> tuple[Any, ...]:
    return (quarantine.c.id == entry_id, quarantine.c.account_id == account.id)


def _unknown(entry_id: int) -> NotFound:
    return NotFound(f"There is no quarantine entry {entry_id}", hint="`airtally quarantine list` shows the entries")
