"""Creates, finds, lists, cancels and ends the exports of an account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from airtally.accounts.accounts import IS_OPEN, Account
from airtally.accounts.audit import note_change
from airtally.database.fitting import fitting_rows
from airtally.database.store import MetadataStore
from airtally.database.tables import accounts, export_parts, exports
from airtally.exports.endings import ExportEndings, select_exports, state_at
from airtally.exports.export import (
    KINDS,
    LARGE_KIND,
    PART_COLUMNS,
    SMALL_KIND,
    Export,
    ExportLimits,
    ExportPart,
    ExportState,
)
from airtally.exports.planner import ExportPlanner
from airtally.exports.spec import ExportSpec
from airtally.exports.wanted import Wanted
from airtally.jobs import turns
from airtally.jobs.interrupt import AfterChange, begin_job_anew, cancel_job
from airtally.jobs.queue import Job, Jobs
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound, TooManyRequests
from airtally.kit.loops import wake_all

#: Exports that read more rows are large.
SMALL_ROWS = 2_000_000


#: The ids of accounts whose links are valid.
_OPEN = select(accounts.c.id).where(IS_OPEN)


class TooManyExports(TooManyRequests):
    """The account has as many exports under way, or as many bytes of files, as it may; this one was not stored."""

    retry_after = 30


class Exports:
    """Thread-safe: every call is a transaction. `count_rows` says about how many rows an export reads.

    `on_created` are called in this process after an export was created. Whoever must know of each end exactly once
    adds to `endings.within`, whoever only waits in this process to `endings.after`; other processes read the state.
    """

    job_kinds: ClassVar[tuple[str, ...]] = KINDS

    def __init__(
        self,
        store: MetadataStore,
        clock: Clock,
        *,
        jobs: Jobs,
        planner: ExportPlanner,
        count_rows: Callable[[Wanted], int],
        limits: ExportLimits | None = None,
        small_rows: int = SMALL_ROWS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._jobs = jobs
        self._planner = planner
        self._count_rows = count_rows
        self._small_rows = small_rows
        self.limits = limits or ExportLimits()
        self.on_created: list[Callable[[], None]] = []
        self.endings = ExportEndings()

    def create(
        self,
        account: Account,
        spec: ExportSpec,
        *,
        requested_by: str,
        key: str | None = None,
        as_of_us: int | None = None,
    ) -> Export:
        """Store an export and its job in one transaction.

        The same `key` gives the export that was created with it first, whatever the rest says. Ranges such as
        `yesterday` refer to `as_of_us`, by default to now. Raises Unprocessable and NotFound for what cannot be
        exported, TooManyExports.
        """
        if key is not None and (found := self.by_key(account, key)) is not None:
            return found
        spec.check()
        now = self._clock.now_us()
        as_of = now if as_of_us is None else as_of_us
        wanted = self._planner.plan(spec, account, as_of)
        kind = LARGE_KIND if self._count_rows(wanted) > self._small_rows else SMALL_KIND
        values = {"account_id": account.id, "key": key, "requested_by": requested_by, "as_of": as_of, "created_at": now}
        values["spec"] = msgspec.json.encode(spec).decode()
        with self._store.begin() as connection:
            export_id = self._add(connection, values, kind)
        if export_id is None:
            found = self.by_key(account, key or "")
            assert found is not None  # noqa: S101 (the key is what was in the way)
            return found
        wake_all(self.on_created)
        return self.get(account, export_id)

    def check(self, account: Account, spec: ExportSpec, as_of_us: int) -> None:
        """Raises Unprocessable and NotFound for what cannot be exported."""
        spec.check()
        self._planner.plan(spec, account, as_of_us)

    def get(self, account: Account, export_id: int) -> Export:
        """Raises NotFound, also for another account's."""
        found = self._one(exports.c.account_id == account.id, exports.c.id == export_id)
        if found is None:
            raise NotFound(f"There is no export {export_id}")
        return found

    def by_ids(self, account: Account, ids: Collection[int]) -> dict[int, Export]:
        """Those of the account that are still listed."""
        now, mine = self._clock.now_us(), exports.c.account_id == account.id
        query = select_exports().where(mine, exports.c.id.in_(ids))
        with self._store.read() as connection:
            found = [Export.from_row(row, now) for row in connection.execute(query)]
        return {each.id: each for each in found}

    def by_key(self, account: Account, key: str) -> Export | None:
        """The export that was created with a key."""
        return self._one(exports.c.account_id == account.id, exports.c.key == key)

    def page(
        self, account: Account, *, after: int | None = None, limit: int = 100, states: Sequence[ExportState] = ()
    ) -> list[Export]:
        """The newest first; with `after` those older than the export of that id. Fewer where they are large."""
        now = self._clock.now_us()
        where = [exports.c.account_id == account.id]
        if after is not None:
            where.append(exports.c.id < after)
        if states:
            where.append(state_at(now).in_(states))
        query = select_exports().where(*where).order_by(exports.c.id.desc())
        with self._store.read() as connection:
            return [Export.from_row(row, now) for row in fitting_rows(connection, query, exports.c.spec, limit)]

    def parts(self, export: Export, *, after: int | None = None, limit: int = 1000) -> list[ExportPart]:
        """The finished parts in their order; none before the export is done, and none once its files have expired."""
        if not export.has_files:
            return []
        where = [export_parts.c.export_id == export.id]
        if after is not None:
            where.append(export_parts.c.number > after)
        query = select(*PART_COLUMNS).where(*where).order_by(export_parts.c.number).limit(limit)
        with self._store.read() as connection:
            return [ExportPart.from_row(row) for row in connection.execute(query)]

    def part(self, account: Account | None, export_id: int, number: int) -> tuple[Export, ExportPart]:
        """A part of an account's export; without an account of any, for a link that was checked. Raises NotFound."""
        mine = exports.c.account_id == account.id if account is not None else exports.c.account_id.in_(_OPEN)
        where = (mine,)
        export = self._one(exports.c.id == export_id, *where)
        found = [] if export is None else self.parts(export, after=number - 1, limit=1)
        if export is None or not found or found[0].number != number:
            raise NotFound("There is no such part, or it is no longer kept")
        return export, found[0]

    def cancel(self, account: Account, export_id: int) -> Export:
        """Stop an export that is under way; the files of one that is done are no longer given out, and are deleted.

        Does nothing where it has ended otherwise. Raises NotFound.
        """
        self.get(account, export_id)
        mine = (exports.c.id == export_id,)
        with self._store.begin() as connection:
            for kind in KINDS:  # the job first, as whoever ends it does
                self._jobs.forget(connection, kind, str(export_id))
            stopped = self.endings.end(connection, mine, ExportState.CANCELLED, self._clock.now_us())
            dropped = update(exports).where(*mine, exports.c.state == ExportState.DONE)
            gone = connection.execute(dropped.values(state=ExportState.EXPIRED)).rowcount
            if stopped is not None or gone:
                self._note_change(connection, account.id, "delete", export_id)
        self.endings.tell(stopped)
        return self.get(account, export_id)

    def cancel_within(self, connection: Connection, job: Job, reason: str) -> AfterChange:
        """As `JobSubject` says. Its files are deleted some minutes later."""
        now, mine = self._clock.now_us(), (exports.c.id == int(job.subject),)
        cancel_job(connection, job, reason, self._jobs.now_us())
        stopped = self.endings.end(connection, mine, ExportState.CANCELLED, now, error=reason)
        return lambda: self.endings.tell(stopped)

    def begin_anew_within(self, connection: Connection, job: Job) -> AfterChange:
        """As `JobSubject` says: without any part of before. Raises TooManyExports, too."""
        export_id, gone = int(job.subject), ("error", "pin", "started_at", "finished_at", "files_deleted_at")
        queued = {"state": ExportState.QUEUED, "parts": 0, "rows": 0, "bytes": 0} | dict.fromkeys(gone)
        if job.account_id is not None:
            turns.lock_adds(connection, job.account_id)
        begin_job_anew(connection, job, self._jobs.now_us())
        connection.execute(delete(export_parts).where(export_parts.c.export_id == export_id))
        connection.execute(update(exports).where(exports.c.id == export_id).values(queued))
        if job.account_id is not None:
            self._check_room(connection, job.account_id)
        return lambda: wake_all(self.on_created)

    def release_keys(self, connection: Connection, account_id: int, prefix: str) -> list[int]:
        """Make keys free that begin so: who asks with one again gets an export that is made anew. Returns the ids."""
        mine = exports.c.account_id == account_id, exports.c.key.startswith(prefix, autoescape=True)
        return list(connection.execute(update(exports).where(*mine).values(key=None).returning(exports.c.id)).scalars())

    def _add(self, connection: Connection, values: dict[str, Any], kind: str) -> int | None:
        """The id; None where another transaction has used the key meanwhile."""
        turns.lock_adds(connection, values["account_id"])
        empty = {"state": ExportState.QUEUED, "parts": 0, "rows": 0, "bytes": 0}
        added = self._store.upserts.insert(exports).values(values | empty)
        export_id = connection.execute(added.on_conflict_do_nothing().returning(exports.c.id)).scalar_one_or_none()
        if export_id is None:
            return None
        self._check_room(connection, values["account_id"])
        self._jobs.add(connection, kind, str(export_id), values["account_id"])
        self._note_change(connection, values["account_id"], "create", export_id)
        return int(export_id)

    def _note_change(self, connection: Connection, account_id: int, what: str, export_id: int) -> None:
        at = self._clock.now_us()
        note_change(connection, at, f"export.{what}", f"export {export_id}", account_id=account_id)

    def _check_room(self, connection: Connection, account_id: int) -> None:
        """With the new export already there."""
        mine, limits = exports.c.account_id == account_id, self.limits
        waiting = select(func.count()).where(mine, exports.c.state == ExportState.QUEUED)
        if connection.execute(waiting).scalar_one() > limits.waiting:
            raise TooManyExports(
                f"{limits.waiting} exports of this account are under way already",
                hint="Ask again when some have ended; AIRTALLY_WAITING_EXPORTS sets how many may be",
            )
        kept = select(func.coalesce(func.sum(exports.c.bytes), 0)).where(mine, exports.c.files_deleted_at.is_(None))
        if connection.execute(kept).scalar_one() >= limits.kept_bytes:
            raise TooManyExports(
                f"The account's exports have {limits.kept_bytes} bytes of files or more",
                hint="Delete some; AIRTALLY_EXPORTS_MAX sets how many bytes are kept",
            )

    def _one(self, *where: ColumnElement[bool]) -> Export | None:
        with self._store.read() as connection:
            row = connection.execute(select_exports().where(*where)).one_or_none()
        return None if row is None else Export.from_row(row, self._clock.now_us())
